"""The lab's part that runs AWS Backup's jobs: what plans have due, what is asked for, and copies.

A job makes a recovery point without content: what it holds can't be restored in the lab. What it
is for is what is seen of it: ages, states, metrics, copies in the other region.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import ClassVar

from lab.backup.api import OPERATIONS, BackupApi
from lab.backup.jobs import Copy, Job, Kind, Point, Sight, advance, days_of, point_of
from lab.backup.kept import Kept
from lab.backup.plans import Plans, Rule, clusters, has_vault, selected
from lab.context import LabContext
from lab.emulator.identities import trusts
from lab.facts import BackupState, BackupTurn
from lab.outage import OutageKind
from lab.part import Health, Part

logger = logging.getLogger("lab")

LOOK_SECONDS = 0.5
SERVICE = "backup.amazonaws.com"
AURORA = "Aurora"
NEEDS = {
    Kind.BACKUP: frozenset({OutageKind.API, OutageKind.DATABASE}),
    Kind.COPY: frozenset({OutageKind.API}),
}
"""What must live in a job's regions."""


class BackupPart(Part):
    """The jobs of both regions."""

    name: ClassVar[str] = "backup"

    def __init__(self, lab: LabContext) -> None:
        super().__init__(lab)
        self.kept = Kept(lab.state_dir / "backup.json")
        self.plans = Plans()
        self._api: BackupApi | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Takes up what a former process had under way, and watches the plans."""
        self.kept = Kept.load(self.kept.path)
        self.plans = Plans()
        self._api = BackupApi(self.kept, self.lab.clock.now, self.begin)
        self.lab.on_api("backup", OPERATIONS, self._api.answer)
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stops; jobs resume with the next start."""
        if self._api:
            self.lab.remove_hook(self._api.answer)
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def health(self) -> Health:
        """Healthy while it watches; the detail is what is at work."""
        if self._task is None or self._task.done():
            return Health(False, "it watches no more")
        busy = sum(job.at_work for job in self.kept.jobs.values())
        return Health(True, f"{busy} jobs at work" if busy else "nothing at work")

    def begin(self, job: Job) -> None:
        """Takes up a new job. Raises OSError where it can't be kept."""
        self.kept.change({job.id: job}, {})
        self._emit(job)

    async def turn(self) -> None:
        """Begins what is due and advances what is at work, to the lab's present."""
        now = self.lab.clock.now()
        for rule in self.plans.due(now):
            # Nothing runs in a region that is lost, and nothing is made up for.
            if not self.lab.outages.has_lost(rule.region, OutageKind.API):
                for job in await self._jobs_of(rule, now):
                    self.begin(job)
        changed = {
            job.id: after
            for job in list(self.kept.jobs.values())
            if (after := advance(job, now, self._sight(job))) != job
        }
        done = [job for job in changed.values() if job.state is BackupState.COMPLETED]
        made = {job.point: self._point(job) for job in done}
        copies = {one.id: one for job in done for one in _copies(job, now)}
        expired = frozenset(arn for arn, point in self.kept.points.items() if point.expired(now))
        if changed or expired:
            self.kept.change({**changed, **copies}, made, expired)
        for job in (*changed.values(), *copies.values()):
            self._emit(job)

    async def _watch(self) -> None:
        while True:
            try:
                await self.turn()
            except Exception:
                logger.exception("the backups")
            await asyncio.sleep(LOOK_SECONDS)

    async def _jobs_of(self, rule: Rule, now: float) -> list[Job]:
        answer = await self.lab.aws.call("backup", rule.region, "DescribeRegionSettings")
        if answer.get("ResourceTypeOptInPreference", {}).get(AURORA) is False:
            # Explicit resources are taken all the same, but not of Aurora (AWS Backup developer
            # guide, "Service opt-in and resource assignment").
            return []
        given = rule.given
        copies = tuple(
            Copy(str(one["DestinationBackupVaultArn"]), days_of(one))
            for one in given.get("CopyActions") or ()
        )
        return [
            Job(
                kind=Kind.BACKUP,
                id=str(uuid.uuid4()),
                region=rule.region,
                account=rule.account,
                vault=str(given["TargetBackupVaultName"]),
                resource=arn,
                role=role,
                created=now,
                days=days_of(given),
                start_by=now + rule.start_seconds,
                copies=copies,
            )
            for arn, role in selected(rule)
        ]

    def _sight(self, job: Job) -> Sight:
        regions = {job.region, job.point_region}
        needed = NEEDS[job.kind]
        reachable = not any(needed & self.lab.outages.lost(region) for region in regions)
        return Sight(reachable, self._fault(job))

    def _fault(self, job: Job) -> str:
        for region, vault in ((job.region, job.vault), (job.point_region, job.point_vault)):
            if not has_vault(job.account, region, vault):
                return f"Backup vault {vault} does not exist in {region}."
        if not trusts(job.role, SERVICE):
            return f"IAM role {job.role} cannot be assumed by AWS Backup."
        if job.kind is Kind.COPY:
            there = job.source in self.kept.points
            return "" if there else f"Recovery point {job.source} does not exist."
        there = job.resource in clusters(job.account, job.region)
        return "" if there else f"{job.resource} does not exist."

    def _point(self, job: Job) -> Point:
        source = f"arn:aws:backup:{job.region}:{job.account}:backup-vault:{job.vault}"
        return point_of(job, source if job.kind is Kind.COPY else "")

    def _emit(self, job: Job) -> None:
        self.lab.emit(BackupTurn(job.region, job.vault, job.kind.value, job.state))


def _copies(job: Job, now: float) -> list[Job]:
    """The copy jobs of a backup that was completed."""
    return [
        Job(
            kind=Kind.COPY,
            id=str(uuid.uuid4()),
            region=job.region,
            account=job.account,
            vault=job.vault,
            resource=job.resource,
            role=job.role,
            created=now,
            days=copy.days,
            destination=copy.destination,
            source=job.point,
        )
        for copy in job.copies
    ]
