"""What a refresh finds, and what it does when it cannot read."""

from __future__ import annotations

import pytest
from stage import Act, Stage, pair, reading, single, without_providers

from lab.engine.failure import StepFailedError
from lab.engine.plugin import PluginError
from pulumi_protocol.events import Operation, ResourceEvent


def chain(act: Act) -> None:
    """a ← b ← c: each names the one before; c goes with b."""
    east = act.provider()
    a = act.thing("a", east)
    b = act.thing("b", east, after=a)
    act.thing("c", east, after=b, options={"deletedWith": b.urn})


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
    """What can't be read is reported, masked, and stays as it was; the rest isn't read."""
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
