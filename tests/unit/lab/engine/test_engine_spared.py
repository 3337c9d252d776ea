"""A run that leaves a provider's resources alone: a region is lost, the other one is deployed."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime.proto import resource_pb2
from stage import Act, Answer, Stage

from lab.engine.failure import StepFailedError
from lab.engine.plugin import PluginGoneError
from pulumi_protocol.events import LogEvent
from pulumi_protocol.values import UNKNOWN

EAST = ("east",)


def two_regions(*, east: dict[str, Any], west: dict[str, Any], more: tuple[str, ...] = ()) -> Any:
    """A thing a region, the western one named after the eastern one, and a stack output of each."""

    def program(act: Act) -> None:
        stack = act.door.register(
            resource_pb2.RegisterResourceRequest(type="pulumi:pulumi:Stack", name="shop-lab")
        )
        providers = {"east": act.provider("east"), "west": act.provider("west", region="west")}
        first = act.thing("in-east", providers["east"], **east)
        act.thing("in-west", providers["west"], after=first, **west)
        made: dict[str, Answer] = {}
        for name in more:
            made[name] = act.thing(name, providers[name.partition("-")[0]])
        arns = {name: answer.outputs.get("arn", UNKNOWN) for name, answer in made.items()}
        act.outputs(stack.urn, {"first": first.outputs["arn"], **arns})

    return program


def calls(stage: Stage) -> list[tuple[str, str]]:
    return stage.plugin.made("check", "diff", "read", "create", "update", "delete")


def test_what_is_left_alone_is_not_even_looked_at(stage: Stage) -> None:
    """N13, trap 66: a changed thing of the spared provider costs no call and stays as it was in the
    state; its neighbour's change is made; the next run of both makes up for it."""
    stage.run(two_regions(east={"size": 1}, west={"size": 1}))
    changed = two_regions(east={"size": 2}, west={"size": 2})
    for preview in (True, False):
        stage.plugin.calls.clear()
        summary = stage.run(changed, spared=EAST, preview=preview)
        assert (summary.updated, summary.same) == (1, 1)
        assert {name for _, name in calls(stage)} <= {"in-west", "in-west-2"}
    assert stage.states()["in-east"].inputs["size"] == 1
    assert stage.states()["in-west"].inputs["size"] == 2
    assert stage.run(changed).updated == 1


def test_a_new_one_is_passed_over_and_its_outputs_stay_as_before(stage: Stage) -> None:
    """Its outputs are unknown to the program, as in Pulumi's own targeted runs, and the operator
    is warned; what was known of the stack's outputs stays, and the new one's are left out."""
    stage.run(two_regions(east={}, west={}))
    new = two_regions(east={}, west={}, more=("east-new", "west-new"))
    assert stage.run(new, spared=EAST).created == 1
    assert "east-new" not in stage.states()
    outputs = stage.states()["shop-lab"].outputs
    assert outputs == {"first": "arn:in-east-1", "west-new": "arn:west-new-3"}
    warnings = [one for one in stage.events if isinstance(one, LogEvent)]
    assert [one.message for one in warnings] == ["new, and not made: east is left alone"]
    assert warnings[0].urn.endswith("::east-new")
    assert stage.run(new).created == 1
    known = stage.states()["shop-lab"].outputs
    assert known["east-new"] == "arn:east-new-4"


def test_what_needs_a_new_one_is_refused_by_name(stage: Stage) -> None:
    """Nothing is made with a value that nobody knows."""

    def program(act: Act) -> None:
        east, west = act.provider("east"), act.provider("west", region="west")
        new = act.thing("new", east)
        act.thing("user", west, options={"dependencies": [new.urn]})

    with pytest.raises(StepFailedError, match=r"it needs new, which is new and isn't made"):
        stage.run(program, spared=EAST)
    assert stage.plugin.cloud == {}


def test_nothing_of_it_and_nothing_it_needs_is_deleted(stage: Stage) -> None:
    """A program that names neither any more: the spared one stays, with what it names; what
    nobody needs goes. Without sparing all of it goes."""

    def program(act: Act) -> None:
        east, west = act.provider("east"), act.provider("west", region="west")
        needed = act.thing("needed", west)
        act.thing("kept", east, after=needed)
        act.thing("gone", west)

    def empty(act: Act) -> None:
        act.provider("east")
        act.provider("west", region="west")

    stage.run(program)
    for preview in (True, False):
        assert stage.run(empty, spared=EAST, preview=preview).deleted == 1
    assert {"needed", "kept", "east", "west"} == set(stage.states())
    assert stage.run(empty).deleted == 2


def test_a_replacement_that_takes_one_along_is_refused(stage: Stage) -> None:
    """Deleting a spared one to make way needs its region."""

    def program(zone: str) -> Any:
        def registered(act: Act) -> None:
            east, west = act.provider("east"), act.provider("west", region="west")
            first = act.thing("first", west, zone=zone)
            act.thing("second", east, zone=first)

        return registered

    stage.run(program("a"))
    stage.plugin.delete_first = True
    with pytest.raises(StepFailedError, match="takes second along, which this run leaves alone"):
        stage.run(program("b"), spared=EAST)
    assert set(stage.plugin.cloud) == {"first-1", "second-2"}


def test_what_was_cut_short_there_waits(stage: Stage) -> None:
    """An update and a creation of unknown end stay on record until both regions are deployed."""
    program = two_regions(east={"size": 1}, west={})
    stage.run(program)
    stage.plugin.faults["update in-east"] = PluginGoneError("killed")
    edited = two_regions(east={"size": 2}, west={}, more=("east-begun",))
    with pytest.raises(StepFailedError):
        stage.run(edited, ends=False)
    stage.plugin.faults.clear()
    stage.plugin.calls.clear()
    stage.run(edited, spared=EAST)
    assert not [name for _, name in calls(stage) if "east" in name]
    summary = stage.run(edited)
    assert (summary.updated, summary.created) == (1, 1)


def test_a_creation_of_unknown_end_is_looked_for_later(stage: Stage) -> None:
    """Looking needs its region; the next run of both adopts what was made."""
    stage.plugin.faults["create in-east"] = PluginGoneError("killed")

    def one(act: Act) -> None:
        act.thing("in-east", act.provider("east"))

    with pytest.raises(StepFailedError):
        stage.run(one, ends=False)
    stage.plugin.faults.clear()
    stage.plugin.calls.clear()
    stage.run(one, spared=EAST)
    assert calls(stage) == []
    assert stage.run(one).created == 1
    assert ("read", "in-east") in calls(stage)


def test_its_functions_are_not_called_and_nothing_of_it_is_read(stage: Stage) -> None:
    """An invoke says whom it would ask; a refresh passes over what it leaves alone."""
    stage.run(two_regions(east={}, west={}))

    def program(act: Act) -> None:
        east = act.provider("east")
        request = resource_pb2.ResourceInvokeRequest(tok="fake:index:ask", provider=east)
        act.door.invoke(request)

    with pytest.raises(StepFailedError, match="the program asks east, which this run leaves alone"):
        stage.run(program, spared=EAST)
    stage.plugin.calls.clear()
    stage.refresh(spared=EAST)
    assert [name for _, name in calls(stage)] == ["in-west-2"]
