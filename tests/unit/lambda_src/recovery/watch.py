"""A controller driven run by run with observations made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from recovery.decide import decide
from recovery.model import Called, CallFailover, Decision, Outcome, Settings, Stage, State
from recovery.observation import (
    ALIVE,
    DEAD,
    GlobalCluster,
    Observation,
    OwnCluster,
    Reader,
    Ready,
    Switch,
    Trigger,
    Validation,
    Witness,
)
from recovery.verify import recorded

SETTINGS = Settings("us-west-2", "us-east-1", Switch.ENGAGED)
MEMBER = GlobalCluster(True, False, True, True)
VALID = Validation(1000, True, True, True, True, "16.8")
READER = OwnCluster("available", 2, writer=False)
WRITER = OwnCluster("available", 2, writer=True)
HEALTHY: dict[str, Any] = {
    "trigger": Trigger.SCHEDULE,
    "own_load_balancer": ALIVE,
    "own_reader": ALIVE,
    "peer_application": ALIVE,
    "ready": Ready.READY,
    "witness": Witness.PRIMARY,
    "writer_sql": ALIVE,
    "own_cluster": READER,
    "global_cluster": MEMBER,
    "validation": VALID,
    "switch": Switch.RELEASED,
}
REGION_LOST: dict[str, Any] = {
    "peer_application": DEAD,
    "ready": Ready.NO_ANSWER,
    "witness": Witness.SECONDARY,
    "writer_sql": DEAD,
    "silent": True,
}
DATABASE_LOST: dict[str, Any] = {
    "ready": Ready.UNREACHABLE,
    "writer_sql": DEAD,
    "silent": True,
}


class Watch:
    """One controller; each ``run`` is the next scheduled minute unless it says otherwise."""

    def __init__(self, settings: Settings = SETTINGS, state: State | None = None) -> None:
        self.settings = settings
        self.state = state or State()
        self.minute = 1000
        self.beat = 1
        self.epoch = 1
        self.pages: list[str] = []

    def observation(self, **changes: Any) -> Observation:
        """Healthy, with what differs; ``silent`` lets the reader stand still."""
        if not changes.pop("silent", False):
            self.beat += 1
        seen = {
            "minute": self.minute,
            "reader": Reader(self.beat, self.beat, self.beat, 1, self.epoch),
            **HEALTHY,
            **changes,
        }
        return Observation(**seen)

    def run(self, runs: int = 1, gap: int = 1, **changes: Any) -> Decision:
        """Makes equal runs; returns the last decision. Notices count as delivered."""
        for _ in range(runs):
            self.minute += gap
            decision = decide(self.state, self.observation(**changes), self.settings)
            self.pages += [notice.key for notice in decision.state.pending if notice.page]
            self.state = replace(decision.state, pending=())
        return decision  # pyright: ignore[reportPossiblyUnboundVariable]

    def outcome(self, action: Any, outcome: Outcome) -> Decision:
        """Records an action's outcome."""
        decision = recorded(self.state, action, outcome, self.settings, self.minute)
        self.pages += [notice.key for notice in decision.state.pending if notice.page]
        self.state = replace(decision.state, pending=())
        return decision

    def called(self, answer: Any, detail: str = "x") -> Decision:
        """Records the outcome of the call."""
        return self.outcome(CallFailover(), Called(answer, detail))

    @property
    def stage(self) -> Stage:
        """The stored stage."""
        return self.state.stage


def armed(**settings: Any) -> Watch:
    """A watch whose standby has been seen for three healthy runs."""
    watch = Watch(replace(SETTINGS, **settings))
    watch.run(3)
    assert watch.state.armed
    return watch


def calls(decision: Decision) -> bool:
    """Whether a decision promotes."""
    return CallFailover() in decision.actions
