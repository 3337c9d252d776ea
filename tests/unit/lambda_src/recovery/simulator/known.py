"""What was seen and what a controller made of it, each calculated once.

A run of ``act`` is a function of what it gets (``Given``): the stored item, the observation, its
settings, the scheduled minute and its clock. Thousands of timelines have most of their runs in
common, so one that gets the very same is not calculated again: its result is, by construction, the
one that is kept. By *very same* identity is meant; equal values are kept as one object.

Calculated always is what may depend on anything else: a run under ``PLAYED``, one that reaches a
place where it is killed or overlapped (``Ran.steps``), one whose process is frozen, and each that
acts on the world (calls, switches, verifies, copies, grows the epoch).

A sight is a function of the facts in ``Known._look``'s key and of the active faults in ``SEEN``.
Whenever one is calculated, what it asks for is recorded, and a fault outside of ``SEEN`` fails.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from recovery.model import Settings, State
from recovery.observation import Observation
from simulator.sight import BENT, STALE, bent, look
from simulator.truth import EAST, WEST, Truth, other

KEPT_RUNS = 60_000
"""So many are kept before all are forgotten: some hundred megabytes."""
PLAYED = frozenset({"table unreadable"})
"""Faults under which each run is played."""
ASKED = frozenset({"topic fails", "journal fails"})
"""Faults that a run which does nothing to the world asks for, beside those of clock and sight."""
SEEN = frozenset(
    {
        "connections exhausted",
        "credentials refused",
        "peering cut",
        "permission lost",
        "readiness 0",
        "switchover",
        "unfenced",
        "validator fails by the loss",
        "validator silent",
        "versions differ",
        *(
            f"{region} {fault}"
            for region in (EAST, WEST)
            for fault in (
                "bad deploy",
                "balancer down",
                "database flaps",
                "database hangs",
                "database lost",
                "detached",
                "flaps",
                "lost",
                "password wrong",
                "reader down",
                "restarts",
                "without instance",
            )
        ),
    }
)
"""Faults that ``look`` asks for."""


class Asked(set[str]):
    """Active faults that remember what they were asked for."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(names)
        self.asked: set[str] = set()

    def __contains__(self, name: object) -> bool:
        """Whether a fault is active."""
        self.asked.add(str(name))
        return super().__contains__(name)

    def isdisjoint(self, names: Iterable[Any], /) -> bool:
        """Whether none of the faults is active."""
        self.asked.update(names)
        return super().isdisjoint(names)

    def __and__(self, names: Any, /) -> set[str]:
        """Those of the faults that are active."""
        self.asked.update(names)
        return set(self).intersection(names)


class Parts(NamedTuple):
    """The active faults by who asks for them: ``look``, ``bent`` (some by what was seen before), a
    run that doesn't act; and whether each run is played."""

    seen: frozenset[str]
    bent: frozenset[str]
    stale: bool
    asked: tuple[str, ...]
    played: bool


class Given(NamedTuple):
    """All that a run gets which doesn't act: ``on`` are the active ones of ``ASKED``."""

    state: State
    seen: Observation
    settings: Settings
    minute: int
    now: float
    on: tuple[str, ...]


@dataclass(frozen=True)
class Ran:
    """A run that only read, stored and notified people.

    ``given`` stays, so that its identities do. ``steps`` are the named places that it passed
    (``Side.step``), ``notified`` the keys of its notices.
    """

    given: Given
    after: State
    steps: frozenset[str]
    notified: tuple[str, ...]


class Known:
    """Sights and runs that were calculated before."""

    def __init__(self) -> None:
        self._sights: dict[tuple[Hashable, ...], Observation] = {}
        self._bent: dict[
            tuple[Hashable, ...], tuple[Observation, Observation, Observation | None]
        ] = {}
        self._equal: dict[Observation, Observation] = {}
        self._states: dict[State, State] = {}
        self._runs: dict[tuple[Hashable, ...], Ran] = {}
        self._parts: dict[frozenset[str], Parts] = {}

    def sees(self, truth: Truth, region: str, last: Observation | None) -> Observation:
        """Returns what a controller sees: ``bent(look(…))``, each once."""
        parts = self.parts(truth.on)
        seen = self._look(truth, region, parts)
        if not parts.bent:
            return seen
        stale = last if parts.stale else None
        key = (id(seen), id(stale), truth.now, parts.bent)
        if key not in self._bent:
            found = bent(truth, seen, last)
            self._bent[key] = (self._equal.setdefault(found, found), seen, stale)
        return self._bent[key][0]

    def parts(self, on: set[str]) -> Parts:
        """Returns the active faults by who asks for them."""
        key = frozenset(on)
        if key not in self._parts:
            asked = tuple(sorted(key & ASKED))
            self._parts[key] = Parts(
                key & SEEN, key & BENT, bool(key & STALE), asked, bool(key & PLAYED)
            )
        return self._parts[key]

    def _look(self, truth: Truth, region: str, parts: Parts) -> Observation:
        key = (
            region, truth.now, parts.seen, truth.writer, truth.volume[region],
            truth.epoch[region], truth.moved < 0, truth.process is None, truth.demoted_since < 0,
            truth.red(other(region)), truth.switch, tuple(truth.events),
        )  # fmt: skip
        found = self._sights.get(key)
        if found is None:
            found = _checked(truth, region)
            self._sights[key] = found = self._equal.setdefault(found, found)
        return found

    def run(self, given: Given) -> Ran | None:
        """Returns what became of a run that got the very same before."""
        return self._runs.get(_key(given))

    def same(self, state: State) -> State:
        """Returns the state by which runs of an equal one are known."""
        return self._states.setdefault(state, state)

    def keep(self, ran: Ran) -> None:
        """Keeps what became of a run."""
        if len(self._runs) > KEPT_RUNS:
            for kept in (self._sights, self._bent, self._equal, self._states, self._runs):
                kept.clear()
        self._runs[_key(ran.given)] = ran


def _key(given: Given) -> tuple[Hashable, ...]:
    return (id(given.state), id(given.seen), id(given.settings), given.minute, given.now, *given.on)


def _checked(truth: Truth, region: str) -> Observation:
    active = truth.on
    truth.on = asked = Asked(active)
    try:
        found = look(truth, region)
    finally:
        truth.on = active
    assert asked.asked <= SEEN, asked.asked - SEEN
    return found


_current: list[Known] = []


def current() -> Known | None:
    """Returns where sights and runs are known now; None where each is played."""
    return _current[-1] if _current else None


@contextmanager
def used(known: Known) -> Iterator[None]:
    """Lets timelines use and extend what is known."""
    _current.append(known)
    try:
        yield
    finally:
        _current.pop()
