"""What goes wrong in the midst of a deployment or a refresh, and how the next run makes it good."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pulumi.runtime.proto import alias_pb2, resource_pb2
from stage import Act, MemoryPlugin, Stage

from lab.engine.operation import StepFailedError
from lab.engine.plugin import Difference, InitializationError, PluginError, PluginGoneError
from pulumi_protocol.events import Operation, ResourceEvent
from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.values import ASSET, SIGNATURE, UNKNOWN, secret


def single(size: int = 1, **options: Any):
    """One thing."""
    return lambda act: act.thing("a", act.provider(), size=size, **options) and None


def chain(act: Act) -> None:
    """a ← b ← c: each names the one before; c goes with b."""
    east = act.provider()
    a = act.thing("a", east)
    b = act.thing("b", east, after=a)
    act.thing("c", east, after=b, options={"deletedWith": b.urn})


def pair(act: Act) -> None:
    """a and b, which don't need each other."""
    east = act.provider()
    act.thing("a", east, password=secret("correct-horse"))
    act.thing("b", east)


def only_provider(act: Act) -> None:
    act.provider()


def pending(stage: Stage) -> list[str]:
    operations = json.loads(stage.path.read_text())["deployment"]["pending_operations"]
    return [one["type"] for one in operations]


def without_providers(resources: list[dict[str, Any]]) -> None:
    resources[:] = [one for one in resources if not one["type"].startswith("pulumi:providers:")]


# Deploying


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
        stage.run(lambda act: act.deployment.register_outputs("urn::group", {}))


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
    """Delete before replace: when the old one stays, no new one is made; both errors are told."""
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
    """The run says why and deletes nothing else; the operation is left for the next one."""
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
    assert pending(stage) == ["creating"]
    assert set(stage.plugin.cloud) == {"kept-1", "a-9"}


def test_resources_that_need_each_other_are_named(stage: Stage) -> None:
    """A state that was edited by hand: one line instead of a wait without end."""
    stage.run(pair)

    def knot(resources: list[dict[str, Any]]) -> None:
        a, b = (one for one in resources if one["type"] == "fake:index:Thing")
        a["dependencies"], b["dependencies"] = [b["urn"]], [a["urn"]]

    stage.damage(knot)
    with pytest.raises(StepFailedError, match=r"they need each other: a, b$"):
        stage.run(only_provider)
    assert len(stage.plugin.cloud) == 2


def test_a_fault_of_the_engine_in_a_deletion_is_no_success(stage: Stage) -> None:
    """Its kind and text are told, and the resource stays recorded."""
    stage.run(single())
    stage.plugin.faults["delete a-1"] = RuntimeError("odd")
    with pytest.raises(StepFailedError, match=r"^RuntimeError: odd$"):
        stage.run(only_provider)
    assert "a" in stage.states()


# Reading and invoking


def reading(act: Act, **fields: Any) -> Any:
    request = {"id": "given-1", "type": "fake:index:Thing", "name": "given", **fields}
    return act.deployment.read(resource_pb2.ReadResourceRequest(**request))


def test_a_read_that_fails_names_the_resource_without_secrets(stage: Stage) -> None:
    """The plugin's message, masked; a second read under the same name is refused."""
    stage.plugin.cloud["given-1"] = {"name": "given", "arn": "arn:given"}

    def twice(act: Act) -> None:
        east = act.provider()
        reading(act, provider=east)
        reading(act, provider=east)

    with pytest.raises(StepFailedError, match="registered twice"):
        stage.run(twice)
    stage.plugin.faults["read given-1"] = PluginError("denied for correct-horse")
    given = to_struct({"password": secret("correct-horse")})
    with pytest.raises(StepFailedError, match=r"^denied for \[secret\]$") as raised:
        stage.run(lambda act: reading(act, provider=act.provider(), properties=given))
    assert raised.value.doing == "reading"


def test_reading_what_is_not_known_yet(stage: Stage) -> None:
    """In a preview the id may come late: the answer has none, and the plugin isn't asked. A stack
    reference must be known."""
    answers: list[Any] = []
    stage.run(
        lambda act: answers.append(reading(act, id=UNKNOWN, provider=act.provider())), preview=True
    )
    assert answers[0].id == ""
    assert stage.plugin.made("read") == []
    with pytest.raises(StepFailedError, match="referenced stack's name isn't known"):
        stage.run(lambda act: reading(act, type="pulumi:pulumi:StackReference", id=UNKNOWN))


def test_the_sdk_may_ask_for_a_registered_resource(stage: Stage) -> None:
    """`getResource`, by which the SDK follows references: URN, id and outputs of what this run has
    registered; in a preview without an id; anything else is refused."""
    answers: list[Any] = []

    def asking(urn: str = ""):
        def program(act: Act) -> None:
            made = act.thing("a", act.provider())
            request = resource_pb2.ResourceInvokeRequest(
                tok="pulumi:pulumi:getResource", args=to_struct({"urn": urn or made.urn})
            )
            answer = act.deployment.invoke(request)
            answers.append((made.urn, from_struct(getattr(answer, "return"))))

        return program

    stage.run(asking(), preview=True)
    stage.run(asking())
    for (urn, answer), id in zip(answers, ("", "a-1"), strict=True):
        assert (answer["urn"], answer["id"], answer["state"]["name"]) == (urn, id, "a")
    with pytest.raises(StepFailedError, match="a resource it hasn't registered"):
        stage.run(asking("urn:other"))


def test_an_invoke_that_fails_names_the_function(stage: Stage) -> None:
    """The plugin's message under the function's token, secrets masked."""
    stage.plugin.faults["invoke fake:index:lookup"] = PluginError("no such correct-horse")

    def program(act: Act) -> None:
        arguments = to_struct({"word": secret("correct-horse")})
        request = resource_pb2.ResourceInvokeRequest(
            tok="fake:index:lookup", provider=act.provider(), args=arguments
        )
        act.deployment.invoke(request)

    with pytest.raises(StepFailedError, match=r"^no such \[secret\]$") as raised:
        stage.run(program)
    assert (raised.value.urn, raised.value.doing) == ("fake:index:lookup", "invoking")


# Refreshing


def test_a_refresh_that_finds_nothing_new_writes_nothing(stage: Stage) -> None:
    """What is as recorded counts as the same; a resource that was only read isn't counted."""
    stage.plugin.cloud["given-1"] = {"name": "given", "arn": "arn:given"}

    def program(act: Act) -> None:
        chain(act)
        reading(act, provider=act.provider("west"))

    stage.run(program)
    before = stage.path.read_bytes()
    assert stage.refresh().same == 3
    assert stage.path.read_bytes() == before
    stage.plugin.cloud["given-1"]["arn"] = "arn:moved"
    assert stage.refresh().same == 3
    assert stage.states()["given"].outputs["arn"] == "arn:moved"


def test_what_a_refresh_finds_gone_is_named_by_nothing_any_more(stage: Stage) -> None:
    """Trap 34: the state stays importable; the next run makes again what is gone."""
    stage.run(chain)
    urn = stage.states()["b"].urn
    del stage.plugin.cloud["b-2"]
    summary = stage.refresh()
    assert (summary.deleted, summary.same) == (1, 2)
    assert urn not in stage.path.read_text()
    left = stage.states()["c"]
    assert (left.dependencies, left.property_dependencies["after"], left.deleted_with) == (
        (),
        (),
        "",
    )
    assert stage.run(chain).created == 1


def test_a_refresh_that_fails_begins_nothing_new(stage: Stage) -> None:
    """What can't be read is told as failed, masked, and stays as it was; the rest isn't read."""
    stage.run(pair)
    stage.plugin.calls.clear()
    stage.plugin.faults["read a-1"] = PluginError("throttled: correct-horse")
    with pytest.raises(StepFailedError, match=r"^throttled: \[secret\]$"):
        stage.refresh(parallel=1)
    assert stage.plugin.made("read") == [("read", "a-1")]
    [event] = [one for one in stage.events if isinstance(one, ResourceEvent)]
    assert (event.operation, event.name, event.phase) == (Operation.REFRESH, "a", "failed")
    assert set(stage.states()) == {"a", "b", "east"}


def test_a_refresh_needs_the_provider_of_each_resource(stage: Stage) -> None:
    """A state without it names it in one line."""
    stage.run(single())
    stage.damage(without_providers)
    with pytest.raises(StepFailedError, match=r"its provider .*::east::.* isn't in the state"):
        stage.refresh()
