"""What becomes of a resource: decided without plugin, state file or program."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.engine import decision
from lab.engine.decision import (
    UNDIFFERENT,
    Create,
    Difference,
    Goal,
    Interrupted,
    Replace,
    Same,
    Update,
    decide,
)
from pulumi_protocol.checkpoint import ResourceState

OLD = ResourceState("urn::a", "fake:index:Thing", custom=True, id="a-1", inputs={"name": "a"})
HALF_MADE = OLD.changed(init_errors=("not ready",))
CHANGED = Difference(changes=True, paths=("size",))
FORCED = Difference(changes=True, replaces=("zone",), paths=("zone",))
FORCED_FIRST = Difference(True, ("zone",), True, ("zone",))
NOTHING = Interrupted()

NAMES = st.sampled_from(["name", "size", "zone", "tags"])
GOALS = st.builds(
    Goal,
    st.dictionaries(NAMES, st.integers(0, 2)),
    st.lists(NAMES | st.sampled_from(["*", "tags.a", "rules[*]"]), max_size=2).map(tuple),
    st.none() | st.booleans(),
)
DIFFERENCES = st.builds(
    lambda changes, replaces, first, paths: Difference(
        changes or bool(replaces), tuple(replaces), first, tuple(paths)
    ),
    st.booleans(),
    st.lists(NAMES, max_size=2),
    st.booleans(),
    st.lists(NAMES, max_size=2),
)
INTERRUPTIONS = st.builds(Interrupted, st.booleans(), st.booleans(), st.booleans())


@pytest.mark.parametrize(
    ("old", "difference", "interrupted", "wanted"),
    [
        (None, UNDIFFERENT, NOTHING, Create(again=False)),
        (None, UNDIFFERENT, Interrupted(cleared=True), Create(again=True)),
        (OLD, UNDIFFERENT, NOTHING, Same(OLD)),
        (OLD, CHANGED, NOTHING, Update(OLD)),
        (HALF_MADE, UNDIFFERENT, NOTHING, Update(HALF_MADE)),
        (OLD, UNDIFFERENT, Interrupted(updating=True), Update(OLD)),
        (OLD, FORCED, NOTHING, Replace(OLD, ("zone",), delete_first=False)),
        (OLD, FORCED_FIRST, NOTHING, Replace(OLD, ("zone",), delete_first=True)),
        (OLD, UNDIFFERENT.moved(), NOTHING, Replace(OLD, ("provider",), delete_first=False)),
        (OLD, UNDIFFERENT, Interrupted(deleting=True), Replace(OLD, (), delete_first=True)),
        (OLD, CHANGED, Interrupted(cleared=True), Replace(OLD, (), delete_first=True)),
        (HALF_MADE, FORCED, NOTHING, Replace(HALF_MADE, ("zone",), delete_first=False)),
    ],
)
def test_each_case_has_its_decision(
    old: ResourceState | None, difference: Difference, interrupted: Interrupted, wanted: Any
) -> None:
    """New, unchanged, changed, half made, half updated, half deleted, forced, moved elsewhere."""
    assert decide(Goal({"name": "a"}), old, difference, interrupted) == wanted


@pytest.mark.parametrize(
    ("patterns", "difference", "forcing"),
    [
        (("size",), CHANGED, ("size",)),
        (("name",), CHANGED, None),
        (("*",), CHANGED, ("*",)),
        (("size",), UNDIFFERENT, None),
        (("size",), Difference(changes=True), None),
        (("name",), Difference(changes=True), ("name",)),
        (("size", "name"), FORCED, ("zone",)),
    ],
    ids=[
        "named",
        "another",
        "star",
        "unchanged",
        "inputs of another",
        "the inputs' own difference",
        "adds to the provider's",
    ],
)
def test_a_program_may_force_replacement(
    patterns: tuple[str, ...], difference: Difference, forcing: tuple[str, ...] | None
) -> None:
    """replaceOnChanges counts for changed properties alone; where the provider names none, the
    inputs are compared."""
    made = decide(Goal({"name": "b"}, patterns), OLD, difference, NOTHING)
    wanted = Update(OLD) if difference.changes else Same(OLD)
    assert made == (Replace(OLD, forcing, delete_first=False) if forcing else wanted)


def test_what_the_provider_calls_equal_forces_nothing() -> None:
    """Another spelling of the same value is no change, though the program would replace on one."""
    goal = Goal({"name": "A"}, replace_on_changes=("name",))
    assert decide(goal, OLD, UNDIFFERENT, NOTHING) == Same(OLD)


@given(GOALS, st.sampled_from([OLD, HALF_MADE]), DIFFERENCES, INTERRUPTIONS)
def test_a_resource_is_never_left_half_way(
    goal: Goal, old: ResourceState, difference: Difference, interrupted: Interrupted
) -> None:
    """What exists is never created anew; it stays only when nothing differs and nothing was cut
    short; what is half deleted goes first, whatever the program or the provider want."""
    made = decide(goal, old, difference, interrupted)
    assert not isinstance(made, Create)
    assert made.old is old
    if isinstance(made, Same):
        assert not difference.changes and interrupted == NOTHING and not old.init_errors
    if interrupted.deleting or interrupted.cleared:
        assert isinstance(made, Replace) and made.delete_first
    elif isinstance(made, Replace):
        assert made.forcing
        wanted = goal.delete_before_replace
        assert made.delete_first == (difference.delete_before_replace if wanted is None else wanted)
    if isinstance(made, Replace):
        assert set(difference.replaces) <= set(made.forcing)
        assert list(made.forcing) == sorted(set(made.forcing))


@given(GOALS, DIFFERENCES, INTERRUPTIONS)
def test_what_is_not_there_is_created(
    goal: Goal, difference: Difference, interrupted: Interrupted
) -> None:
    """Whatever else is said; and it counts as a replacement exactly when it was cleared away."""
    assert decide(goal, None, difference, interrupted) == Create(again=interrupted.cleared)


def test_the_decision_needs_nothing_that_acts() -> None:
    """No Pulumi runtime, gRPC, boto3, asyncio or threads: values in, a value out."""
    nodes = list(ast.walk(ast.parse(Path(decision.__file__).read_text())))
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    for node in nodes:
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
    assert imported == {
        "__future__",
        "dataclasses",
        "pulumi_protocol.checkpoint",
        "pulumi_protocol.paths",
        "pulumi_protocol.values",
    }
