"""The controller's memory and its decisions: frozen values, one state item a region.

All minutes are scheduled minutes (``Observation.minute``). Every change is made by
``dataclasses.replace``; the table refuses a write whose ``version`` isn't the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from recovery.observation import Reader, Ready, Switch, Validation, Value, Witness


class Stage(StrEnum):
    """Where a controller stands (recovery.md 3)."""

    WATCHING = "watching"
    SUSPECT = "suspect"
    BLIND = "blind"
    HELD = "held"
    UNPROTECTED = "unprotected"
    INTENT = "intent"
    CALLED = "called"
    PROMOTING = "promoting"
    VERIFYING = "verifying"
    PROMOTED = "promoted"
    REBUILDING = "rebuilding"
    READY = "ready"
    FAILING_BACK = "failing-back"
    SPLIT = "split"
    FAILED = "failed"


WATCHES = frozenset({Stage.WATCHING, Stage.SUSPECT, Stage.BLIND, Stage.HELD, Stage.UNPROTECTED})
"""Before anything was intended."""
PROMOTES = frozenset({Stage.INTENT, Stage.CALLED, Stage.PROMOTING, Stage.VERIFYING, Stage.FAILED})
"""Between the intent and proven writes."""


class Mode(StrEnum):
    """What the controller may do; the order is that of ``strictness``."""

    AUTOMATIC = "automatic"
    NOTIFY = "notify"
    OBSERVE = "observe"

    @property
    def strictness(self) -> int:
        """0 for automatic, 2 for observe: of two modes the stricter one rules."""
        return tuple(Mode).index(self)


class Path(StrEnum):
    """The two ways to a promotion."""

    REGION = "region"
    DATABASE = "database"


@dataclass(frozen=True)
class Settings:
    """Configuration of one region's controller.

    ``mode`` is the ceiling. ``instances`` counts the *other* region's database instances.
    ``switch`` is the position that this controller's promotion sets: us-west-2 engages it,
    us-east-1 releases it.
    """

    region: str
    peer: str
    switch: Switch
    environment: str = "lab"
    mode: Mode = Mode.AUTOMATIC
    lag_limit_seconds: int = 300
    instances: int = 2
    accepted_by: str = ""


@dataclass(frozen=True)
class Seen:
    """What counts of one counted run."""

    minute: int
    application: Value
    ready: Ready
    witness: Witness
    writer: Value
    change: Value


@dataclass(frozen=True)
class LastGood:
    """The last run that saw the local reader change, and its lag."""

    minute: int
    lag_seconds: int


@dataclass(frozen=True)
class GlobalSeen:
    """The newest answer about the global cluster that contained one, and when."""

    minute: int
    own_member: bool
    own_writer: bool
    failover_state: str


@dataclass(frozen=True)
class Lease:
    """The run that may act now; ``until`` is in seconds of the local clock."""

    run: str
    until: float


@dataclass(frozen=True)
class Freeze:
    """Break-glass: stops everything until ``until`` (a minute)."""

    reason: str
    by: str
    since: int
    until: int


@dataclass(frozen=True)
class Hold:
    """A deploy or a planned switchover: stops the database-only path until ``until``."""

    reason: str
    since: int
    until: int


@dataclass(frozen=True)
class Force:
    """A person's order to promote in spite of mode and loss bound, valid until ``until``."""

    reason: str
    by: str
    until: int


@dataclass(frozen=True)
class Drill:
    """The last drill: when it ended, whether it passed; ``running_until`` while one runs."""

    passed: bool
    ended: int
    running_until: int = 0


class Answer(StrEnum):
    """What became of a call."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    THROTTLED = "throttled"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Intent:
    """A promotion that was decided: written before each call, completed after it.

    ``began`` is the incident's first dead run, ``forced`` a person's reason or empty.
    ``calls`` counts the calls that were begun, ``minute`` is that of the newest one. ``answer`` is
    ``UNCLEAR`` until it is recorded, so a run killed in between leaves the truth.
    """

    path: Path
    began: int
    loss_bound_seconds: int
    forced: str
    calls: int
    minute: int
    answer: Answer = Answer.UNCLEAR
    detail: str = ""


class Tail(StrEnum):
    """What became of the lost tail."""

    OPEN = "open"
    RECONCILED = "reconciled"
    ACCEPTED = "accepted"


@dataclass(frozen=True)
class Incident:
    """A promotion and all that follows it, until a person acknowledges it.

    ``snapshot`` is the manual copy's ARN, ``absent`` where AWS made none, empty while open.
    ``loss_bound_seconds`` is -1 where the promotion was found, not made.
    """

    began: int
    path: Path | None
    loss_bound_seconds: int
    forced: str = ""
    called: int = 0
    promoted: int = 0
    verify_failures: int = 0
    epoch_written: bool = False
    snapshot: str = ""
    snapshot_failures: int = 0
    split: bool = False
    tail: Tail = Tail.OPEN
    acknowledged: bool = False


@dataclass(frozen=True)
class Notice:
    """One message to people; ``page`` wakes somebody. ``key`` says which of them it is."""

    key: str
    text: str
    page: bool


@dataclass(frozen=True)
class Sent:
    """When a notice's key was last raised."""

    key: str
    minute: int


@dataclass(frozen=True)
class Streak:
    """For how many runs a signal has been unknown without a break."""

    signal: str
    runs: int


@dataclass(frozen=True)
class State:
    """The one state item of a region.

    ``armed`` holds while this region's reader is a connected, changing member of ``epoch``.
    ``application_since``, ``ready_since`` and ``silent_since`` are the first dead runs of the three
    signals that begin an incident, ``silent_lag`` is the reader's lag in the first silent run;
    ``ready_runs`` counts the runs that called the writer unreachable, ``incident_runs`` all counted
    runs since the first dead one and ``failover_runs`` those of them that saw a FailoverState.
    ``last_read`` is the newest run that saw the own cluster read, ``two_writers_since`` the first
    one that saw both clusters write (``split``).
    """

    version: int = 0
    epoch: int = 1
    stage: Stage = Stage.WATCHING
    reason: str = ""
    armed: bool = False
    changed_in_epoch: int = 0
    mode: Mode = Mode.AUTOMATIC
    freeze: Freeze | None = None
    hold: Hold | None = None
    force: Force | None = None
    drill: Drill | None = None
    lease: Lease | None = None
    runs: int = 0
    last_minute: int | None = None
    last_read: int | None = None
    two_writers_since: int | None = None
    history: tuple[Seen, ...] = ()
    reader: Reader | None = None
    last_good: LastGood | None = None
    global_seen: GlobalSeen | None = None
    validation: Validation | None = None
    application_since: int | None = None
    ready_since: int | None = None
    ready_runs: int = 0
    silent_since: int | None = None
    silent_lag: int = 0
    incident_runs: int = 0
    failover_runs: int = 0
    unknown: tuple[Streak, ...] = ()
    intent: Intent | None = None
    incident: Incident | None = None
    pending: tuple[Notice, ...] = ()
    raised: tuple[Sent, ...] = ()


@dataclass(frozen=True)
class CallFailover:
    """Promote the own cluster, with data loss allowed; the intent must be stored first."""


@dataclass(frozen=True)
class SetSwitch:
    """Move the failover switch."""

    position: Switch


@dataclass(frozen=True)
class Verify:
    """Write on the own cluster and look where the global endpoint leads."""


@dataclass(frozen=True)
class GrowEpoch:
    """Set the epoch in the database and in the parameter, never downwards."""

    epoch: int


@dataclass(frozen=True)
class CopySnapshot:
    """Copy the old volume's system snapshot to a manual one (recovery.md 1.4)."""


@dataclass(frozen=True)
class Send:
    """Deliver one pending notice."""

    notice: Notice


Action = CallFailover | SetSwitch | Verify | GrowEpoch | CopySnapshot | Send


@dataclass(frozen=True)
class Decision:
    """What follows: the state to store first, then the actions, in order; none is nothing."""

    state: State
    actions: tuple[Action, ...]
    reason: str


@dataclass(frozen=True)
class Called:
    """Outcome of ``CallFailover``; ``detail`` is a request id or an error's code."""

    answer: Answer
    detail: str


@dataclass(frozen=True)
class Verified:
    """Outcome of ``Verify``; ``endpoint`` is the region to which the global endpoint leads."""

    wrote: bool
    endpoint: str
    detail: str = ""


@dataclass(frozen=True)
class Copied:
    """Outcome of ``CopySnapshot``: the copy's ARN, ``absent``, or empty when it failed."""

    snapshot: str


@dataclass(frozen=True)
class Done:
    """Outcome of any other action."""

    ok: bool


Outcome = Called | Verified | Copied | Done
