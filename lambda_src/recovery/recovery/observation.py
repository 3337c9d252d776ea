"""What one run of the controller saw: typed, frozen, and silent about what it means.

Each signal is alive, dead or unknown. *Dead* is what a lost region looks like; anything that the
standby would suffer from as well (credentials, TLS, DNS, an SQLSTATE) is *unknown*, as is whatever
was throttled, absent or contradicted itself. The reason of an unknown is text for a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Value(StrEnum):
    """The three values of a signal."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Signal:
    """A signal's value and why it has it."""

    value: Value
    reason: str = ""

    @property
    def alive(self) -> bool:
        """Whether it answered."""
        return self.value is Value.ALIVE

    @property
    def dead(self) -> bool:
        """Whether nothing answered."""
        return self.value is Value.DEAD

    @property
    def unknown(self) -> bool:
        """Whether nothing can be said."""
        return self.value is Value.UNKNOWN


ALIVE = Signal(Value.ALIVE)
DEAD = Signal(Value.DEAD)
UNKNOWN = Signal(Value.UNKNOWN)
READS = Signal(Value.DEAD, "reads")
"""Of a cluster that answers as a reader."""


class Witness(StrEnum):
    """What the zone's name servers answer for the other region's own load-balancer check."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    UNKNOWN = "unknown"


class Ready(StrEnum):
    """What the other region's ``/ready`` says of its writer; ``NO_ANSWER`` is no statement."""

    READY = "ready"
    UNREACHABLE = "unreachable"
    READ_ONLY = "read_only"
    CREDENTIALS_REFUSED = "credentials_refused"
    CONNECTIONS_EXHAUSTED = "connections_exhausted"
    SCHEMA_MISSING = "schema_missing"
    NO_ANSWER = "no_answer"

    @property
    def signal(self) -> Signal:
        """The same as a signal: only an unreachable writer is dead, only a ready one alive."""
        if self is Ready.UNREACHABLE:
            return Signal(Value.DEAD, self.value)
        return Signal(Value.ALIVE if self is Ready.READY else Value.UNKNOWN, self.value)


class Trigger(StrEnum):
    """What started a run; only the schedule's runs count."""

    SCHEDULE = "schedule"
    MANUAL = "manual"


class Switch(StrEnum):
    """The position of the failover switch that us-west-2 serves."""

    ENGAGED = "engaged"
    RELEASED = "released"


@dataclass(frozen=True)
class Reader:
    """What was read on the local reader.

    ``heartbeat`` and ``newest_record`` are times in seconds, ``lsn`` the primary's position: any
    difference from an earlier reading is life of the writer. ``lag_seconds`` is the larger of the
    heartbeat's age by the reader's own clock and of Aurora's lag, ``epoch`` is ``recovery.epoch``.
    """

    heartbeat: int
    newest_record: int
    lsn: int
    lag_seconds: int
    epoch: int


@dataclass(frozen=True)
class OwnCluster:
    """DescribeDBClusters of the own region."""

    status: str
    instances: int
    writer: bool


@dataclass(frozen=True)
class GlobalCluster:
    """DescribeGlobalClusters as far as it matters here.

    ``failover_state`` is AWS's open text (pending, failing-over, switching-over …), empty when
    absent. ``own_connected`` and ``peer_connected`` are the members' SynchronizationStatus.
    """

    own_member: bool
    own_writer: bool
    own_connected: bool
    peer_connected: bool
    failover_state: str = ""


@dataclass(frozen=True)
class Event:
    """An RDS event by its id (RDS-EVENT-0391) and the minute in which AWS emitted it."""

    id: str
    minute: int


@dataclass(frozen=True)
class Validation:
    """One run of the validator; ``began`` is a minute (see ``Observation.minute``).

    ``ready`` is false only by checks that could be made: one that couldn't ask the other region
    lowers nothing. ``versions_equal`` is None where the other region's version can't be known.
    ``reasons`` are the failed checks, ``notes`` those that were excused or couldn't be asked;
    ``proven_at`` is the minute in which IAM was last asked for the permissions.
    """

    began: int
    ready: bool
    permissions_proven: bool
    witness_readable: bool
    subscription_confirmed: bool
    engine_version: str
    versions_equal: bool | None = True
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    proven_at: int = 0


@dataclass(frozen=True)
class Observation:
    """One run's sight of the world.

    ``minute`` numbers the run: the *scheduled* time of its event in minutes since 1970, which no
    clock of ours touches. ``reader`` is None where the local reader couldn't be read,
    ``own_cluster`` and ``global_cluster`` where Describe gave no answer, ``switch`` where the
    parameter couldn't be read. ``events`` are those of the last hour, ``own_writer`` and
    ``old_writer`` are alive when the own and the other region's cluster take writes, by SQL, and
    ``READS`` when they answer as readers.
    """

    minute: int
    trigger: Trigger
    own_load_balancer: Signal
    own_reader: Signal
    peer_application: Signal
    ready: Ready
    witness: Witness
    writer_sql: Signal
    reader: Reader | None
    own_cluster: OwnCluster | None
    global_cluster: GlobalCluster | None
    validation: Validation | None = None
    events: tuple[Event, ...] = ()
    own_writer: Signal = UNKNOWN
    old_writer: Signal = UNKNOWN
    switch: Switch | None = None

    def happened(self, event: str, since: int) -> bool:
        """Whether RDS emitted an event in a minute or later."""
        return any(seen.id == event and seen.minute >= since for seen in self.events)
