"""The ports of ``act`` in memory, each a place where a run may be killed or overlapped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from recovery.act import Ports
from recovery.codec import from_json, to_json
from recovery.model import Answer, Called, Notice, State, Verified
from recovery.observation import Observation, Switch
from recovery.ports import ConflictError, UnavailableError
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

    def ports(self) -> Ports:
        """This side as all eight ports."""
        one = _Ports(self)
        return Ports(one, one, one, one, one, one, one, one)

    def step(self, name: str) -> None:
        """A named place in a run: a crash that waits for it kills, another run may come between."""
        if self.crashes:
            for crash in self.crashes:
                if crash.step == name:
                    self.crashes.remove(crash)
                    raise Killed(name)
        if self.between and (run := self.between.pop(name, None)) is not None:
            run()

    def on(self, fault: str) -> bool:
        """Whether a fault is active."""
        return fault in self.truth.on


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
        if self.side.on("snapshot fails"):
            raise UnavailableError("SnapshotQuotaExceeded")
        self.side.copies += 1
        return "absent" if self.side.on("snapshot absent") else "arn:copy"

    # Parameters
    def set_switch(self, position: Switch) -> None:
        self.side.step("before switch")
        if self.side.on("parameters fail"):
            raise UnavailableError("ThrottlingException")
        self.truth.switch = position.value
        self.side.step("after switch")

    # Database, and Parameters as well
    def grow_epoch(self, epoch: int, minutes: int = 0) -> None:
        del minutes
        self.side.step("before epoch")
        if self.side.on("epoch fails"):
            raise UnavailableError("timeout")
        region = self.side.region
        if self.truth.writes(region):
            self.truth.epoch[region] = max(epoch, self.truth.epoch[region])

    def verify(self) -> Verified:
        self.side.step("before verify")
        region = self.side.region
        wrote = self.truth.writer == region and self.truth.writes(region)
        self.side.step("after verify")
        return Verified(wrote, self.truth.endpoint(), "" if wrote else "25006")

    # Observer
    def observe(self, minute: int, state: State) -> Observation:
        del state
        side = self.side
        side.step("before observe")
        seen = bent(self.truth, look(self.truth, side.region), side.last)
        if not self.truth.on & STALE:
            side.last = seen
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
        skew = 300 if self.side.on("clock ahead") else 0
        skew -= 300 if self.side.on("clock behind") else 0
        return self.truth.now + skew

    def monotonic(self) -> float:
        return float(self.truth.now)
