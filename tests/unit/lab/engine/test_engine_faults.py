"""Faults in the middle of a deployment or a refresh, and how the next run repairs them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pulumi.runtime.proto import alias_pb2
from stage import Act, MemoryPlugin, Stage, only_provider, single, without_providers

from lab.engine.decision import Difference
from lab.engine.failure import StepFailedError
from lab.engine.plugin import InitializationError, PluginError, PluginGoneError
from pulumi_protocol.values import ASSET, SIGNATURE


def pending(stage: Stage) -> list[str]:
    operations = json.loads(stage.path.read_text())["deployment"]["pending_operations"]
    return [one["type"] for one in operations]


def test_a_provider_that_nobody_registered_is_named(stage: Stage) -> None:
    """A reference to a provider of another stack or of an earlier run serves nothing."""
    with pytest.raises(StepFailedError, match="the provider urn::west::1 isn't registered"):
        stage.run(lambda act: act.thing("a", "urn::west::1") and None)


def test_what_a_program_asks_for_wrongly_names_the_resource(stage: Stage) -> None:
    """An asset that can't be read, and outputs of a component that was never registered."""
    asset = {SIGNATURE: ASSET, "path": "nowhere.js"}
    with pytest.raises(StepFailedError, match=r"nowhere\.js can't be read") as raised:
        stage.run(single(data=asset))
    assert raised.value.urn.endswith("::a")
    with pytest.raises(StepFailedError, match="outputs of a resource that isn't registered"):
        stage.run(lambda act: act.outputs("urn::group", {}))


def test_the_first_alias_that_is_known_counts(stage: Stage) -> None:
    """A program keeps the aliases of all its past; an older one is no hindrance."""
    stage.run(single())
    aliases = [
        alias_pb2.Alias(spec=alias_pb2.Alias.Spec(name=name)) for name in ("oldest", "a", "never")
    ]

    def renamed(act: Act) -> None:
        act.thing("a", act.provider(), size=1, options={"name": "b", "aliases": aliases})

    assert stage.run(renamed).same == 1
    assert list(stage.plugin.cloud) == ["a-1"]


def test_a_plugin_without_previews_is_not_asked_in_one(stage: Stage) -> None:
    """Its resources show their inputs, and what exists keeps its outputs."""
    stage.plugin.supports_preview = False
    answers: list[Any] = []

    def program(size: int):
        return lambda act: answers.append(act.thing("a", act.provider(), size=size))

    assert stage.run(program(1), preview=True).created == 1
    assert (answers[-1].id, answers[-1].outputs) == ("", {"name": "a", "size": 1})
    stage.run(program(1))
    assert stage.run(program(2), preview=True).updated == 1
    assert answers[-1].outputs == {"name": "a", "size": 2, "arn": "arn:a-1"}
    assert stage.plugin.cloud["a-1"]["size"] == 1


def test_a_half_made_update_is_done_again(stage: Stage) -> None:
    """ErrorResourceInitFailed of an update: what was reached is recorded with its reasons, the
    run fails, and the next one updates though nothing differs."""
    stage.run(single())
    stage.plugin.faults["update a"] = InitializationError("", {}, ("still restarting",))
    with pytest.raises(StepFailedError, match="still restarting"):
        stage.run(single(2))
    recorded = stage.states()["a"]
    assert (recorded.outputs["size"], recorded.init_errors) == (2, ("still restarting",))
    assert stage.run(single(2)).updated == 1
    assert stage.states()["a"].init_errors == ()


def test_a_replacement_of_unknown_end_is_found_again(stage: Stage) -> None:
    """The plugin died when it made the new one: the next run takes it over, completes it, and
    deletes the old one."""

    def named(name: str):
        return lambda act: act.thing(name, act.provider(), options={"name": "a"}) and None

    stage.run(named("first"))
    stage.plugin.faults["create second"] = PluginGoneError("gone")
    with pytest.raises(StepFailedError, match="gone"):
        stage.run(named("second"), ends=False)
    assert pending(stage) == ["creating"]
    stage.plugin.faults.clear()
    stage.plugin.cloud["second-9"] = {"name": "second", "arn": "arn:second-9"}
    stage.run(named("second"))
    assert list(stage.plugin.cloud) == ["second-9"]
    assert stage.states()["a"].id == "second-9"
    assert stage.plugin.made("create") == [("create", "first"), ("create", "second")]


def test_what_cannot_be_deleted_is_not_replaced(stage: Stage) -> None:
    """Delete before replace: when the old one stays, no new one is made; both errors show."""
    stage.run(single(zone="one"))
    stage.plugin.delete_first = True
    stage.plugin.faults["delete a-1"] = PluginError("in use")
    with pytest.raises(StepFailedError, match="could not be deleted to be replaced") as raised:
        stage.run(single(zone="two"))
    assert raised.value.doing == "replacing"
    assert list(stage.plugin.cloud) == ["a-1"]
    assert stage.states()["a"].id == "a-1"


def test_what_a_replacement_has_taken_along_already_is_made_once(stage: Stage) -> None:
    """Two replacements at the same time: b was deleted along with a while its own step began."""

    class CrossingPlugin(MemoryPlugin):
        crossing: Any = None

        def diff(self, urn: str, type: str, id: str, **given: Any) -> Difference:
            cross, self.crossing = self.crossing, None
            if cross and urn.endswith("::b"):
                cross()
            else:
                self.crossing = cross
            return super().diff(urn, type, id, **given)

    plugin = stage.plugin = CrossingPlugin()

    def program(zone: str):
        def registered(act: Act) -> None:
            east = act.provider()
            if zone == "one":
                act.thing("b", east, zone=act.thing("a", east, zone=zone))
                return
            plugin.crossing = lambda: act.thing("a", east, zone=zone)
            act.thing("b", east, zone="free")

        return registered

    stage.run(program("one"))
    plugin.calls.clear()
    plugin.delete_first = True
    assert stage.run(program("two")).replaced == 2
    assert plugin.made("create", "delete") == [
        ("delete", "b-2"),
        ("delete", "a-1"),
        ("create", "a"),
        ("create", "b"),
    ]


def test_a_resource_whose_old_provider_is_lost_is_replaced(stage: Stage) -> None:
    """Nobody knows which region the old one was in: it isn't taken for the new provider's."""
    stage.run(single())
    stage.damage(without_providers)

    def program(act: Act) -> None:
        act.thing("a", act.provider("other"), size=1)

    assert stage.run(program, preview=True).replaced == 1


def test_an_update_of_unknown_end_is_settled_by_a_deletion(stage: Stage) -> None:
    """The resource goes, whether the update happened or not: by the program's end, or to make way
    for its replacement. Nothing stays on record."""
    for delete_first in (False, True):
        stage.run(single(zone="one"))
        stage.plugin.faults["update a"] = PluginGoneError("gone")
        with pytest.raises(StepFailedError, match="gone"):
            stage.run(single(2, zone="one"), ends=False)
        assert pending(stage) == ["updating"]
        stage.plugin.faults.clear()
        stage.plugin.delete_first = delete_first
        stage.run(single(zone="two") if delete_first else only_provider)
        assert pending(stage) == []


def test_a_deletion_of_unknown_end_is_done_again(stage: Stage) -> None:
    """The resource is still in the state, and the program doesn't name it: deleted again."""
    stage.run(single())
    stage.plugin.faults["delete a-1"] = PluginGoneError("gone")
    with pytest.raises(StepFailedError, match="gone"):
        stage.run(only_provider)
    assert pending(stage) == ["deleting"]
    stage.plugin.faults.clear()
    assert stage.run(only_provider).deleted == 1
    assert stage.plugin.cloud == {}
    assert pending(stage) == []


@pytest.mark.parametrize(
    ("fault", "message", "doing"),
    [
        ("read a", "no permission", "looking for"),
        ("delete a-9", "no permission", "deleting"),
        ("", "isn't in the state", "registering"),
    ],
)
def test_an_interrupted_creation_that_cannot_be_cleared_up_stays_on_record(
    stage: Stage, fault: str, message: str, doing: str
) -> None:
    """The run says why. What couldn't be looked for is left for the next run, and nothing is
    deleted before it was; what was found is known like any other resource from then on."""
    stage.run(lambda act: act.thing("kept", act.provider()) and None)
    stage.plugin.faults["create a"] = PluginGoneError("gone")
    with pytest.raises(StepFailedError, match="gone"):
        stage.run(lambda act: act.thing("a", act.provider()) and None, ends=False)
    stage.plugin.cloud["a-9"] = {"name": "a", "arn": "arn:a-9"}
    stage.plugin.faults = {fault: PluginError("no permission")}
    if not fault:
        stage.damage(without_providers)
    with pytest.raises(StepFailedError, match=message) as raised:
        stage.run(lambda act: None)
    assert raised.value.doing == doing
    found = doing == "deleting"
    assert pending(stage) == ([] if found else ["creating"])
    assert ("a" in stage.states()) == found
    assert set(stage.plugin.cloud) == ({"a-9"} if found else {"kept-1", "a-9"})
