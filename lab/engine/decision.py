"""What becomes of a resource, decided from what is wanted, what there is and what was cut short.

Pure: the steps of ``steps`` and ``replacing`` carry a decision out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pulumi_protocol.checkpoint import ResourceState
from pulumi_protocol.paths import differences, matches, parse
from pulumi_protocol.values import Properties


@dataclass(frozen=True)
class Difference:
    """What a plugin says about old and new inputs: property paths as Pulumi writes them."""

    changes: bool
    replaces: tuple[str, ...] = ()
    delete_before_replace: bool = False
    paths: tuple[str, ...] = ()

    def moved(self) -> Difference:
        """The same for a resource whose provider now puts it elsewhere (another region)."""
        return replace(self, replaces=(*self.replaces, "provider"))


@dataclass(frozen=True)
class Goal:
    """What the program wants of one resource, as far as it decides."""

    inputs: Properties
    replace_on_changes: tuple[str, ...] = ()
    delete_before_replace: bool | None = None
    """None: the program leaves it to the provider."""


@dataclass(frozen=True)
class Interrupted:
    """What was begun on the resource and hasn't ended."""

    updating: bool = False
    """An earlier run's update; how much of it took effect is unknown."""
    deleting: bool = False
    """An earlier run's deletion, likewise."""
    cleared: bool = False
    """This run has deleted it, or is about to, for the replacement of something it needs."""


@dataclass(frozen=True)
class Create:
    """There is none yet. ``again``: it was deleted to make way, so this ends a replacement."""

    again: bool


@dataclass(frozen=True)
class Same:
    """It stays as it is."""

    old: ResourceState


@dataclass(frozen=True)
class Update:
    """It is changed in place."""

    old: ResourceState


@dataclass(frozen=True)
class Replace:
    """A new one takes its place; the old one is deleted ``delete_first`` or at the end."""

    old: ResourceState
    forcing: tuple[str, ...]
    """Property paths whose change forces it, sorted; empty when only an interruption does."""
    delete_first: bool


Decision = Create | Same | Update | Replace

UNDIFFERENT = Difference(changes=False)


def decide(
    goal: Goal, old: ResourceState | None, difference: Difference, interrupted: Interrupted
) -> Decision:
    """Returns what to do about one resource; ``difference`` counts only where there is an old one.

    What is half deleted can only be replaced, and must be gone first: its name may be taken.
    """
    if old is None:
        return Create(again=interrupted.cleared)
    forcing = _forcing(goal, old, difference)
    half_gone = interrupted.deleting or interrupted.cleared
    if forcing or half_gone:
        wanted = goal.delete_before_replace
        if wanted is None:
            wanted = difference.delete_before_replace
        return Replace(old, forcing, delete_first=half_gone or wanted)
    if difference.changes or old.init_errors or interrupted.updating:
        return Update(old)
    return Same(old)


def _forcing(goal: Goal, old: ResourceState, difference: Difference) -> tuple[str, ...]:
    forcing = set(difference.replaces)
    if difference.changes and goal.replace_on_changes:
        changed = [parse(path) for path in difference.paths] or [
            path for path, _, _ in differences(old.inputs, goal.inputs)
        ]
        forcing.update(
            pattern
            for pattern in goal.replace_on_changes
            if any(matches(parse(pattern), path) for path in changed)
        )
    return tuple(sorted(forcing))
