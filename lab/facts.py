"""What the lab's parts observe, as frozen values: events as they happen, samples when asked.

A part emits events through ``LabContext.emit`` and registers what can be sampled through
``LabContext.add_source``; the metrics part translates both into AWS's metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


@dataclass(frozen=True)
class LoadBalancerRequest:
    """A load balancer has answered a client."""

    region: str
    load_balancer: str
    """``app/NAME/ID``"""
    target_group: str
    """``targetgroup/NAME/ID``; empty when none was asked."""
    status: int
    """The client's."""
    from_target: bool
    """Whether the answer is the target's, and not the load balancer's own."""
    seconds: float


@dataclass(frozen=True)
class Invocation:
    """A function was invoked."""

    region: str
    function_name: str
    error: bool
    throttled: bool
    seconds: float
    concurrent: int
    """Invocations of the function that ran at its start, itself included."""


@dataclass(frozen=True)
class EventDelivery:
    """An event has reached its target, or never will."""

    region: str
    bus: str
    rule: str
    target: str
    """The target's ARN."""
    outcome: Literal["delivered", "failed", "dead-lettered"]
    seconds: float
    """Lab seconds since the event was accepted."""


@dataclass(frozen=True)
class Replication:
    """A replication rule has dealt with one object."""

    region: str
    """The source bucket's."""
    source: str
    destination: str
    rule: str
    outcome: Literal["completed", "failed"]
    seconds: float
    """The object's age in lab seconds."""
    size: int
    """Bytes."""


@dataclass(frozen=True)
class HealthCheckProbe:
    """Route 53's health checker has probed an endpoint."""

    health_check_id: str
    success: bool
    turned: bool
    """Whether the check's status has changed with it."""
    healthy: bool
    at: float
    """Lab time, seconds since the epoch."""


@dataclass(frozen=True)
class LoggedMetric:
    """A function has logged a metric in the embedded metric format."""

    region: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    """(name, value)"""
    values: tuple[float, ...]


class BackupState(StrEnum):
    """Of a job of AWS Backup."""

    CREATED = "CREATED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    ABORTED = "ABORTED"


@dataclass(frozen=True)
class BackupTurn:
    """A backup or copy job has a new state."""

    region: str
    vault: str
    """Its name; of a copy the one that is read."""
    kind: str
    """``backup`` or ``copy``"""
    state: BackupState


Event = (
    LoadBalancerRequest
    | Invocation
    | EventDelivery
    | Replication
    | HealthCheckProbe
    | LoggedMetric
    | BackupTurn
)


@dataclass(frozen=True)
class DatabaseFacts:
    """One cluster as it is now."""

    region: str
    cluster_identifier: str
    instance_identifiers: tuple[str, ...]
    writer: bool
    alive: bool
    connections: float
    """Clients' connections, without RDS's own."""
    max_connections: int
    cpu_percent: float
    """Of the whole machine that the lab runs on."""
    replication_lag_ms: float | None = None
    """AuroraGlobalDBReplicationLag of a secondary: how old the oldest change is that it doesn't
    show yet. None for a writer, and before the first measurement."""
    rpo_lag_ms: float | None = None
    """AuroraGlobalDBRPOLag: how old the oldest change is that would be lost."""


@dataclass(frozen=True)
class PendingReplication:
    """What one replication rule has not copied yet."""

    region: str
    """The source's."""
    destination_region: str
    source: str
    destination: str
    rule: str
    operations: int
    size: int
    oldest_seconds: float
    failed: int = 0
    """Operations that failed since the last look."""


@dataclass(frozen=True)
class HealthCheckVerdict:
    """The status of a Route 53 health check now."""

    health_check_id: str
    healthy: bool


Sample = DatabaseFacts | PendingReplication | HealthCheckVerdict
