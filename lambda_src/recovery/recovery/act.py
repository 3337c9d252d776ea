"""One run of the controller: claim, observe, decide, store, act, record.

Every line may be the last one that a run executes. So the state is stored before what it announces
is done, each outcome right after it, and the next run continues from there. Two runs at once are
distinguished by the lease and by the version that each write is conditional on (H9).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from recovery import journal, ports
from recovery.decide import decide
from recovery.model import (
    Action,
    Answer,
    Called,
    CallFailover,
    Copied,
    CopySnapshot,
    Decision,
    Done,
    GrowEpoch,
    Lease,
    Notice,
    Outcome,
    Send,
    SetSwitch,
    Settings,
    State,
    Verify,
)
from recovery.observation import Observation, Trigger
from recovery.verify import recorded

LEASE_SECONDS = 50
"""The function's time limit: after it a run is over, whatever became of it."""
STALE_SECONDS = 30
"""An observation older than this at the moment of acting is taken anew (H18)."""


@dataclass(frozen=True)
class Ports:
    """Everything outside."""

    table: ports.Table
    rds: ports.Rds
    parameters: ports.Parameters
    database: ports.Database
    observer: ports.Observer
    notifier: ports.Notifier
    journal: ports.Journal
    clock: ports.Clock


@dataclass(frozen=True)
class Run:
    """What started a run: ``minute`` is the *scheduled* time of its event."""

    id: str
    minute: int
    trigger: Trigger = Trigger.SCHEDULE


Decide = Callable[[State, Observation, Settings], Decision]
"""What a run does with what it saw: the controller's ``decide``, or a person's order."""


def run(outside: Ports, settings: Settings, this: Run) -> str:
    """Makes one run; returns in one line what it did. Raises nothing of its ports."""
    outside.notifier.measure("ControllerHeartbeat", 1)
    try:
        decision = _Acting(outside, settings, this, decide).run()
        if decision is None:
            return "another run holds the lease: nothing done"
        return f"{decision.state.stage}: {decision.reason}"
    except ports.ConflictError:
        return "another run acts: nothing done"
    except ports.UnavailableError as fault:
        text = f"the recovery state can't be read or written: {fault}"
        _best_effort(outside, Notice("state", text, page=True))
        return f"nothing done: {text}"


def ordered(outside: Ports, settings: Settings, this: Run, order: Decide) -> Decision | None:
    """Makes one run that a person ordered; None where another run holds the item.

    Raises ``UnavailableError``: a person is there to read it.
    """
    try:
        return _Acting(outside, settings, this, order).run()
    except ports.ConflictError:
        return None


def _best_effort(outside: Ports, notice: Notice) -> None:
    """H25: without its table a run remembers nothing, so it pages each time it fails."""
    try:
        outside.notifier.send(notice)
    except ports.UnavailableError:
        return


UNSENT = Done(ok=False)
"""A notice that wasn't taken is sent again by the next run, and journalled once it was."""


class _Acting:
    """A run under way: the state as stored, and when it was claimed."""

    def __init__(self, outside: Ports, settings: Settings, this: Run, order: Decide) -> None:
        self.outside, self.settings, self.this, self.order = outside, settings, this, order
        self.begun = outside.clock.monotonic()
        self.state = State()
        self.taken = self.begun

    def run(self) -> Decision | None:
        """The way of a run, top to bottom; None where another one is at work."""
        outside = self.outside
        if not self.claim():
            return None
        observation = self.observe()
        decision = self.order(self.state, observation, self.settings)
        if self.stale() and CallFailover() in decision.actions:
            observation = self.observe()
            decision = self.order(self.state, observation, self.settings)
        before = self.state
        self.store(decision.state)
        if decision.state.armed and observation.reader is not None:
            outside.notifier.measure("ReplicationLag", observation.reader.lag_seconds * 1000)
        if journal.changed(before, decision):
            self.enter("decision", observation, decision)
        self.act(decision)
        self.store(replace(self.state, lease=None))
        return decision

    def claim(self) -> bool:
        """Takes the lease, unless another run that may still be at work holds it."""
        self.state = self.outside.table.load()
        now, lease = self.outside.clock.now(), self.state.lease
        if lease is not None and 0 < lease.until - now <= LEASE_SECONDS:
            return False
        self.store(replace(self.state, lease=Lease(self.this.id, now + LEASE_SECONDS)))
        return True

    def observe(self) -> Observation:
        """Observes, and remembers when that began."""
        self.taken = self.outside.clock.monotonic()
        seen = self.outside.observer.observe(self.this.minute, self.state)
        return replace(seen, minute=self.this.minute, trigger=self.this.trigger)

    def stale(self) -> bool:
        """Whether what was observed is too old to act on."""
        return self.outside.clock.monotonic() - self.taken > STALE_SECONDS

    def store(self, state: State) -> None:
        """Stores the next version; any other run's write in between ends this run."""
        state = replace(state, version=self.state.version + 1)
        self.outside.table.save(state)
        self.state = state

    def act(self, decision: Decision) -> None:
        """Takes the actions in order, each with its outcome recorded before the next one."""
        waiting = deque(decision.actions)
        while waiting:
            action = waiting.popleft()
            outcome = self.perform(action)
            follows = recorded(self.state, action, outcome, self.settings, self.this.minute)
            if follows.state != self.state:
                self.store(follows.state)
            waiting.extend(follows.actions)
            if outcome != UNSENT or not isinstance(action, Send):
                self.enter_outcome(action, outcome)

    def perform(self, action: Action) -> Outcome:
        """Takes one action; a failure is an outcome that the next run repeats."""
        outside = self.outside
        try:
            match action:
                case CallFailover():
                    return self.call()
                case Verify():
                    return outside.database.verify()
                case CopySnapshot():
                    return Copied(outside.rds.copy_snapshot(self.called()))
                case SetSwitch(position):
                    outside.parameters.set_switch(position)
                case GrowEpoch(epoch):
                    outside.database.grow_epoch(epoch, self.this.minute - self.called())
                    outside.parameters.grow_epoch(epoch)
                case _:
                    outside.notifier.send(action.notice)
        except ports.UnavailableError:
            return Copied("") if isinstance(action, CopySnapshot) else Done(ok=False)
        return Done(ok=True)

    def called(self) -> int:
        """The scheduled minute in which the promotion was asked for."""
        incident = self.state.incident
        return incident.called if incident else self.this.minute

    def call(self) -> Called:
        """The one call that can't be taken back: never on old sight, never past the lease (H18)."""
        elapsed = self.outside.clock.monotonic() - self.begun
        if self.stale() or elapsed > LEASE_SECONDS - STALE_SECONDS / 2:
            return Called(Answer.THROTTLED, "the observation became too old")
        return self.outside.rds.fail_over()

    def enter(self, kind: str, observation: Observation, decision: Decision) -> None:
        """A journal that fails stops no recovery; the next page says so."""
        try:
            body = journal.decision_body(observation, decision)
            self.outside.journal.append(self.this.minute, kind, body)
        except ports.UnavailableError as fault:
            _best_effort(self.outside, Notice("journal", f"journal: {fault}", page=False))

    def enter_outcome(self, action: Action, outcome: Outcome) -> None:
        """The same for an action's outcome."""
        try:
            body = journal.outcome_body(action, outcome)
            self.outside.journal.append(self.this.minute, "outcome", body)
        except ports.UnavailableError as fault:
            _best_effort(self.outside, Notice("journal", f"journal: {fault}", page=False))
