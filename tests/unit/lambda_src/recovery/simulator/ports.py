"""The ports of ``act`` in memory, each a place where a run may be killed or overlapped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from recovery.act import Ports, Run, run
from recovery.codec import from_json, to_json
from recovery.model import Answer, Called, Notice, Settings, State, Verified
from recovery.observation import Observation, Switch
from recovery.ports import ConflictError, UnavailableError
from simulator.known import Given, Known, Ran
from simulator.sight import STALE, bent, look
from simulator.truth import Truth


class Killed(BaseException):
    """The function's process ends here."""


@dataclass
class Crash:
    """Kills a run the next time that it comes to ``step`` (see ``Side.step``)."""

    step: str


@dataclass
class Side:
    """One region's outside: the truth, the stored item, and what was sent."""

    truth: Truth
    region: str
    json: bool = False
    state: State = field(default_factory=State)
    last: Observation | None = None
    crashes: list[Crash] = field(default_factory=list)
    pages: list[tuple[int, str]] = field(default_factory=list)
    journal: list[tuple[int, str, Mapping[str, Any]]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    between: dict[str, Callable[[], None]] = field(default_factory=dict)
    monotonic_jump: float = 0.0
    copies: int = 0
    measured: list[tuple[str, float]] = field(default_factory=list)
    known: Known | None = None
    steps: set[str] = field(default_factory=set)
    """What the last run has passed, where runs are ``known``."""
    acted: bool = False
    """Whether the last run did more than to store its item and to notify people."""

    def ports(self) -> Ports:
        """This side as all eight ports."""
        one = _Ports(self)
        return Ports(one, one, one, one, one, one, one, one)

    def step(self, name: str) -> None:
        """A named place in a run: a crash that waits for it kills, another run may come between."""
        if self.known is not None:
            self.steps.add(name)
        if self.crashes:
            for crash in self.crashes:
                if crash.step == name:
                    self.crashes.remove(crash)
                    raise Killed(name)
        if self.between and (other := self.between.pop(name, None)) is not None:
            other()
            self.acted = True

    def on(self, fault: str) -> bool:
        """Whether a fault is active."""
        return fault in self.truth.on

    def sight(self) -> Observation:
        """What a controller would see now."""
        if self.known is not None:
            return self.known.sees(self.truth, self.region, self.last)
        return bent(self.truth, look(self.truth, self.region), self.last)

    def sees(self, seen: Observation) -> Observation:
        """A controller sees it; stale answers repeat the last one before them."""
        if self.truth.on.isdisjoint(STALE):
            self.last = seen
        return seen

    def now(self) -> float:
        """Time by the function's clock."""
        skew = 300 if self.on("clock ahead") else 0
        skew -= 300 if self.on("clock behind") else 0
        return self.truth.now + skew

    def run(self, settings: Settings, this: Run) -> None:
        """Makes one run, or what became of the very same one before (see ``known``)."""
        known = self.known
        parts = known.parts(self.truth.on) if known is not None else None
        if known is None or parts is None or parts.played or self.monotonic_jump:
            self._play(settings, this)
            return
        given = Given(self.state, self.sight(), settings, this.minute, self.now(), parts.asked)
        ran = known.run(given)
        if ran is not None and not self._disturbed(ran.steps):
            self.state = ran.after
            if "after observe" in ran.steps:
                self.sees(given.seen)
            self.pages += [(self.truth.minute, key) for key in ran.notified]
            return
        before, self.acted, self.steps = len(self.pages), False, set()
        ended = self._play(settings, this)
        self.state = known.same(self.state)
        if ended and not self.acted:
            keys = tuple(key for _, key in self.pages[before:])
            known.keep(Ran(given, self.state, frozenset(self.steps), keys))

    def _disturbed(self, steps: frozenset[str]) -> bool:
        """Whether a run that passes these steps is killed or overlapped."""
        if self.between and not steps.isdisjoint(self.between):
            return True
        return any(crash.step in steps for crash in self.crashes)

    def _play(self, settings: Settings, this: Run) -> bool:
        try:
            run(self.ports(), settings, this)
        except Killed:
            return False
        return True


class _Ports:
    """Table, Rds, Parameters, Database, Observer, Notifier, Journal and Clock in one."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.truth = side.truth

    # Table
    def load(self) -> State:
        self.side.step("before load")
        if self.side.on("table unreadable"):
            raise UnavailableError("the table can't be read")
        if self.side.json:
            return from_json(State, json.loads(json.dumps(to_json(self.side.state))))
        return self.side.state

    def save(self, state: State) -> None:
        self.side.step(f"before save {state.stage}")
        if self.side.on("table unreadable"):
            raise UnavailableError("the table can't be written")
        if state.version != self.side.state.version + 1:
            raise ConflictError
        self.side.state = state
        self.side.step(f"after save {state.stage}")

    # Rds
    def fail_over(self) -> Called:
        side = self.side
        side.step("before call")
        self.side.acted = True
        answer = side.answers.pop(0) if side.answers else ""
        if answer == "throttled":
            return Called(Answer.THROTTLED, "ThrottlingException")
        if answer == "refused":
            return Called(Answer.REFUSED, "InvalidDBClusterStateFault")
        if answer == "internal lost":
            return Called(Answer.UNCLEAR, "InternalFailure")
        refused = self.truth.fail_over(side.region)
        side.step("after call")
        if answer == "internal accepted":
            return Called(Answer.UNCLEAR, "InternalFailure")
        return Called(Answer.REFUSED, refused) if refused else Called(Answer.ACCEPTED, "request")

    def copy_snapshot(self, since: int) -> str:
        del since
        self.side.step("before copy")
        self.side.acted = True
        if self.side.on("snapshot fails"):
            raise UnavailableError("SnapshotQuotaExceeded")
        self.side.copies += 1
        return "absent" if self.side.on("snapshot absent") else "arn:copy"

    # Parameters
    def set_switch(self, position: Switch) -> None:
        self.side.step("before switch")
        self.side.acted = True
        if self.side.on("parameters fail"):
            raise UnavailableError("ThrottlingException")
        self.truth.switch = position.value
        self.side.step("after switch")

    # Database, and Parameters as well
    def grow_epoch(self, epoch: int, minutes: int = 0) -> None:
        del minutes
        self.side.step("before epoch")
        self.side.acted = True
        if self.side.on("epoch fails"):
            raise UnavailableError("timeout")
        region = self.side.region
        if self.truth.writes(region):
            self.truth.epoch[region] = max(epoch, self.truth.epoch[region])

    def verify(self) -> Verified:
        self.side.step("before verify")
        self.side.acted = True
        region = self.side.region
        wrote = self.truth.writer == region and self.truth.writes(region)
        self.side.step("after verify")
        return Verified(wrote, self.truth.endpoint(), "" if wrote else "25006")

    # Observer
    def observe(self, minute: int, state: State) -> Observation:
        del state
        side = self.side
        side.step("before observe")
        seen = side.sees(side.sight())
        if side.monotonic_jump:
            self.truth.advance(int(side.monotonic_jump))
            side.monotonic_jump = 0.0
        side.step("after observe")
        return replace(seen, minute=minute)

    # Notifier
    def send(self, notice: Notice) -> None:
        self.side.step("before send")
        if self.side.on("topic fails"):
            raise UnavailableError("KMSThrottlingException")
        self.side.pages.append((self.truth.minute, notice.key))
        self.side.step("after send")

    def measure(self, name: str, value: float) -> None:
        self.side.measured.append((name, value))

    # Journal
    def append(self, minute: int, kind: str, body: Mapping[str, Any]) -> None:
        self.side.step("before journal")
        if self.side.on("journal fails"):
            raise UnavailableError("timeout")
        if self.side.json:
            self.side.journal.append((minute, kind, body))

    # Clock
    def now(self) -> float:
        return self.side.now()

    def monotonic(self) -> float:
        return float(self.truth.now)
