"""Backup and copy jobs, and the recovery points that they make: what they are, how they proceed.

States and their order are AWS Backup's (API reference, ``BackupJob`` and ``CopyJob``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from lab.facts import BackupState

WORK_SECONDS = 300.0
"""Lab seconds that a job works; on AWS it depends on the size."""
DAY = 86_400.0


class Kind(StrEnum):
    """Of a job."""

    BACKUP = "backup"
    COPY = "copy"


@dataclass(frozen=True)
class Copy:
    """A copy action: to which vault, and for how many days; 0: for ever."""

    destination: str
    """The vault's ARN."""
    days: int


@dataclass(frozen=True)
class Job:
    """One job; times are the lab's, in seconds since the epoch."""

    kind: Kind
    id: str
    region: str
    account: str
    vault: str
    """The name of the vault that it writes to, or that a copy reads from."""
    resource: str
    """ARN of what is backed up."""
    role: str
    created: float
    days: int = 0
    """For how long its recovery point is kept; 0: for ever."""
    start_by: float = 0.0
    """End of the start window of a backup."""
    copies: tuple[Copy, ...] = ()
    destination: str = ""
    """ARN of a copy's vault."""
    source: str = ""
    """ARN of the recovery point that is copied."""
    state: BackupState = BackupState.CREATED
    message: str = ""
    started: float = 0.0
    ended: float = 0.0

    @property
    def at_work(self) -> bool:
        """Whether it hasn't ended."""
        return self.state in (BackupState.CREATED, BackupState.RUNNING)

    @property
    def point_region(self) -> str:
        """The region of its recovery point."""
        return self.destination.split(":")[3] if self.destination else self.region

    @property
    def point_vault(self) -> str:
        """The vault of its recovery point."""
        return self.destination.rpartition(":")[2] or self.vault

    @property
    def point(self) -> str:
        """ARN of its recovery point, which for Aurora is a DB cluster snapshot."""
        name = "job" if self.kind is Kind.BACKUP else "copyjob"
        return (
            f"arn:aws:rds:{self.point_region}:{self.account}:cluster-snapshot:"
            f"awsbackup:{name}-{self.id}"
        )


@dataclass(frozen=True)
class Point:
    """A recovery point that is complete."""

    arn: str
    region: str
    account: str
    vault: str
    resource: str
    role: str
    created: float
    """When its job was made."""
    completed: float
    days: int
    source_vault: str = ""
    """ARN of the vault that it was copied from."""

    def expired(self, now: float) -> bool:
        """Whether its lifecycle is over."""
        return bool(self.days) and now >= self.created + self.days * DAY


@dataclass(frozen=True)
class Sight:
    """What a job meets: whether its regions answer, and what is in its way."""

    reachable: bool
    fault: str = ""
    """Why it can't be done; empty: it can."""


def advance(job: Job, now: float, sight: Sight) -> Job:
    """Returns the job as it is at ``now``: a backup that can't begin within its window expires, a
    job that is under way waits for a region that is lost."""
    if not job.at_work:
        return job
    if sight.reachable and sight.fault:
        return replace(job, state=BackupState.FAILED, message=sight.fault, ended=now)
    if job.state is BackupState.CREATED:
        if sight.reachable:
            return replace(job, state=BackupState.RUNNING, started=now)
        late = job.kind is Kind.BACKUP and now >= job.start_by
        text = "Backup job expired before it could begin."
        return replace(job, state=BackupState.EXPIRED, message=text, ended=now) if late else job
    if not sight.reachable or now - job.started < WORK_SECONDS:
        return job
    return replace(job, state=BackupState.COMPLETED, ended=now)


def point_of(job: Job, source_vault: str = "") -> Point:
    """Returns the recovery point of a job that was completed."""
    return Point(
        arn=job.point,
        region=job.point_region,
        account=job.account,
        vault=job.point_vault,
        resource=job.resource,
        role=job.role,
        created=job.created,
        completed=job.ended,
        days=job.days,
        source_vault=source_vault,
    )


def days_of(given: Mapping[str, Any]) -> int:
    """Returns for how many days a rule, a copy action or a call wants its recovery point kept."""
    return int((given.get("Lifecycle") or {}).get("DeleteAfterDays") or 0)
