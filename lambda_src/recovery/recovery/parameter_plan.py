"""Which way synchronised parameters go, and what a run changes. Pure.

The rule: the writer's region is right. Its values go to the other region, its deletions too, and
the epoch with them; what was changed in the other region is overwritten, whatever the versions, and
reported where that change was the later one. Nothing moves while it isn't plain who writes: two
writers, none, a failover under way, or a writer of a smaller epoch than is known (it was demoted,
recovery.md 5). Versions can't decide: each region counts its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

EPOCH = "epoch"


@dataclass(frozen=True)
class Setting:
    """A parameter: its value, when it was last changed, its region's version, its type."""

    value: str
    changed: float
    version: int = 1
    kind: str = "String"


Settings = Mapping[str, Setting]


@dataclass(frozen=True)
class Roles:
    """Who says to write, and whether a failover is under way."""

    own_writes: bool
    other_writes: bool
    moving: bool


@dataclass(frozen=True)
class Put:
    """Write the writer's value."""

    key: str
    setting: Setting


@dataclass(frozen=True)
class Delete:
    """Take away what the writer's region doesn't have."""

    key: str


Change = Put | Delete


@dataclass(frozen=True)
class Plan:
    """What goes to the other region; ``overwritten`` names what was changed there later."""

    changes: tuple[Change, ...] = ()
    overwritten: tuple[str, ...] = ()


def refusal(roles: Roles, own: Settings, other: Settings) -> str:
    """Returns why nothing goes from the own region to the other one now, or nothing."""
    if roles.moving:
        return "a failover is under way"
    if roles.own_writes and roles.other_writes:
        return "both regions say that they write"
    if not roles.own_writes:
        return "the other region writes" if roles.other_writes else "no region says that it writes"
    if epoch_of(own) < epoch_of(other):
        return f"the other region knows epoch {epoch_of(other)}: this one was demoted"
    return "" if own else "the writer's region has no shared parameters"


def plan(own: Settings, other: Settings) -> Plan:
    """Returns what makes ``other`` equal to ``own``; ``refusal`` was asked before."""
    changes: list[Change] = []
    overwritten: list[str] = []
    for key in sorted({*own, *other}):
        ours, theirs = own.get(key), other.get(key)
        if ours is not None and theirs is not None:
            if (ours.value, ours.kind) == (theirs.value, theirs.kind):
                continue
            if theirs.changed > ours.changed:
                overwritten.append(
                    f"{key}: its version {theirs.version} gave way to version {ours.version}"
                )
        changes.append(Delete(key) if ours is None else Put(key, ours))
    return Plan(tuple(changes), tuple(overwritten))


def epoch_of(settings: Settings) -> int:
    """Returns the epoch that a region's parameters carry, 0 without one."""
    found = settings.get(EPOCH)
    return int(found.value) if found is not None and found.value.isdecimal() else 0


def waiting_since(plan_: Plan, seen: Mapping[str, float], now: float) -> dict[str, float]:
    """Returns since when each difference is known: by the time of its change, or, for a deletion,
    by the first run that saw it."""
    return {
        one.key: one.setting.changed if isinstance(one, Put) else seen.get(one.key, now)
        for one in plan_.changes
    }


def lag_seconds(since: Mapping[str, float], now: float) -> float:
    """Returns how long the oldest difference has waited; 0 where both regions are equal."""
    return max(0.0, *(now - moment for moment in since.values())) if since else 0.0
