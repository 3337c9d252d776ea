"""AWS Backup's API of jobs and recovery points, answered from what is kept."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.backup.jobs import Copy, Job, Kind, Point, days_of
from lab.backup.kept import Kept
from lab.backup.plans import DEFAULT_START_MINUTES, clusters, has_vault
from lab.emulator.scope import account_of
from lab.facts import BackupState

OPERATIONS = (
    "StartBackupJob", "DescribeBackupJob", "ListBackupJobs", "StopBackupJob",
    "StartCopyJob", "DescribeCopyJob", "ListCopyJobs",
    "ListRecoveryPointsByBackupVault", "ListRecoveryPointsByResource", "DescribeRecoveryPoint",
    "DeleteRecoveryPoint", "DescribeBackupVault", "ListBackupVaults", "DeleteBackupVault",
)  # fmt: skip
OF_VAULTS = OPERATIONS[-3:]
PAGE = 1000
"""Items at most in one answer."""


class BackupApi:
    """The hook of these operations; ``begin`` takes up a new job."""

    def __init__(self, kept: Kept, now: Callable[[], float], begin: Callable[[Job], None]) -> None:
        self._kept, self._now, self._begin = kept, now, begin

    async def answer(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Answers one call."""
        if request.operation in OF_VAULTS:
            return await self._vault(request, call_next)
        handler = {
            "StartBackupJob": self._start_backup,
            "DescribeBackupJob": self._describe_backup,
            "ListBackupJobs": self._list_backups,
            "StopBackupJob": self._stop_backup,
            "StartCopyJob": self._start_copy,
            "DescribeCopyJob": self._describe_copy,
            "ListCopyJobs": self._list_copies,
            "ListRecoveryPointsByBackupVault": self._points_of_vault,
            "ListRecoveryPointsByResource": self._points_of_resource,
            "DescribeRecoveryPoint": self._describe_point,
            "DeleteRecoveryPoint": self._delete_point,
        }[request.operation]
        return ApiResponse(handler(request))

    # Vaults

    async def _vault(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A vault knows how many recovery points it has, and isn't deleted while it has any."""
        name = request.parameters.get("BackupVaultName", "")
        if request.operation == "DeleteBackupVault" and self._points(request, name):
            raise ApiRefusal(
                "InvalidRequestException",
                f"Backup vault {name} cannot be deleted because it contains recovery points.",
            )
        response = await call_next(request)
        if response.ok and request.operation != "DeleteBackupVault":
            for vault in response.result.get("BackupVaultList") or [response.result]:
                if "BackupVaultName" in vault:
                    found = self._points(request, vault["BackupVaultName"])
                    vault["NumberOfRecoveryPoints"] = len(found)
        return response

    def _points(self, request: ApiRequest, vault: str) -> list[Point]:
        return self._kept.in_vault(account_of(request), request.region, vault)

    # Jobs

    def _start_backup(self, request: ApiRequest) -> dict[str, Any]:
        given, account, now = request.parameters, account_of(request), self._now()
        self._must_have_vault(request, given["BackupVaultName"])
        if given["ResourceArn"] not in clusters(account, request.region):
            raise ApiRefusal(
                "InvalidParameterValueException", f"{given['ResourceArn']} does not exist."
            )
        window = float(given.get("StartWindowMinutes", DEFAULT_START_MINUTES))
        job = Job(
            kind=Kind.BACKUP,
            id=str(uuid.uuid4()),
            region=request.region,
            account=account,
            vault=given["BackupVaultName"],
            resource=given["ResourceArn"],
            role=given["IamRoleArn"],
            created=now,
            days=days_of(given),
            start_by=now + 60 * window,
        )
        self._begin(job)
        return {"BackupJobId": job.id, "CreationDate": _moment(now), "IsParent": False}

    def _start_copy(self, request: ApiRequest) -> dict[str, Any]:
        given, now = request.parameters, self._now()
        self._must_have_vault(request, given["SourceBackupVaultName"])
        point = self._point(request, given["SourceBackupVaultName"])
        copy = Copy(given["DestinationBackupVaultArn"], days_of(given))
        job = Job(
            kind=Kind.COPY,
            id=str(uuid.uuid4()),
            region=request.region,
            account=account_of(request),
            vault=given["SourceBackupVaultName"],
            resource=point.resource,
            role=given["IamRoleArn"],
            created=now,
            days=copy.days,
            destination=copy.destination,
            source=point.arn,
        )
        self._begin(job)
        return {"CopyJobId": job.id, "CreationDate": _moment(now), "IsParent": False}

    def _describe_backup(self, request: ApiRequest) -> dict[str, Any]:
        return _backup(self._job(request, Kind.BACKUP, "BackupJobId"))

    def _describe_copy(self, request: ApiRequest) -> dict[str, Any]:
        return {"CopyJob": _copy(self._job(request, Kind.COPY, "CopyJobId"))}

    def _stop_backup(self, request: ApiRequest) -> dict[str, Any]:
        job = self._job(request, Kind.BACKUP, "BackupJobId")
        if not job.at_work:
            raise ApiRefusal(
                "InvalidRequestException", f"The job is already in the state {job.state}."
            )
        self._begin(replace(job, state=BackupState.ABORTED, ended=self._now()))
        return {}

    def _list_backups(self, request: ApiRequest) -> dict[str, Any]:
        given = request.parameters
        found = (
            job
            for job in self._jobs(request, Kind.BACKUP)
            if given.get("ByBackupVaultName", job.vault) == job.vault
        )
        return _page(map(_backup, found), given, "BackupJobs")

    def _list_copies(self, request: ApiRequest) -> dict[str, Any]:
        given = request.parameters
        found = (
            job
            for job in self._jobs(request, Kind.COPY)
            if given.get("ByDestinationVaultArn", job.destination) == job.destination
        )
        return _page(map(_copy, found), given, "CopyJobs")

    def _jobs(self, request: ApiRequest, kind: Kind) -> Iterable[Job]:
        """A region's jobs that meet the filters of both kinds, the newest first."""
        given = request.parameters
        for job in reversed(self._kept.jobs.values()):
            own = (job.kind, job.account, job.region) == (
                kind, account_of(request), request.region,
            )  # fmt: skip
            meets = (
                given.get("ByState", job.state) == job.state
                and given.get("ByResourceArn", job.resource) == job.resource
            )
            if own and meets:
                yield job

    def _job(self, request: ApiRequest, kind: Kind, key: str) -> Job:
        job = self._kept.jobs.get(request.parameters[key])
        if job is None or (job.kind, job.region) != (kind, request.region):
            raise _absent("job", request.parameters[key])
        return job

    # Recovery points

    def _points_of_vault(self, request: ApiRequest) -> dict[str, Any]:
        given = request.parameters
        self._must_have_vault(request, given["BackupVaultName"])
        found = (
            point
            for point in self._points(request, given["BackupVaultName"])
            if given.get("ByResourceArn", point.resource) == point.resource
        )
        return _page(map(_described, found), given, "RecoveryPoints")

    def _points_of_resource(self, request: ApiRequest) -> dict[str, Any]:
        arn = request.parameters["ResourceArn"]
        found = [
            {
                "RecoveryPointArn": point.arn,
                "CreationDate": _moment(point.created),
                "Status": BackupState.COMPLETED.value,
                "BackupVaultName": point.vault,
                "IsParent": False,
            }
            for point in self._kept.points.values()
            if (point.resource, point.account, point.region)
            == (arn, account_of(request), request.region)
        ]
        return _page(found, request.parameters, "RecoveryPoints")

    def _describe_point(self, request: ApiRequest) -> dict[str, Any]:
        return _described(self._point(request, request.parameters["BackupVaultName"]))

    def _delete_point(self, request: ApiRequest) -> dict[str, Any]:
        point = self._point(request, request.parameters["BackupVaultName"])
        self._kept.change({}, {}, frozenset({point.arn}))
        return {}

    def _point(self, request: ApiRequest, vault: str) -> Point:
        arn = request.parameters["RecoveryPointArn"]
        found = next((one for one in self._points(request, vault) if one.arn == arn), None)
        if found is None:
            raise _absent("recovery point", arn)
        return found

    @staticmethod
    def _must_have_vault(request: ApiRequest, name: str) -> None:
        if not has_vault(account_of(request), request.region, name):
            raise _absent("backup vault", name)


def _absent(what: str, name: str) -> ApiRefusal:
    return ApiRefusal("ResourceNotFoundException", f"Cannot find {what} {name}.")


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _page(items: Iterable[dict[str, Any]], given: dict[str, Any], key: str) -> dict[str, Any]:
    """One page; ``NextToken`` is where the next one begins."""
    found = list(items)
    start = int(given.get("NextToken") or 0)
    end = start + int(given.get("MaxResults") or PAGE)
    more = {"NextToken": str(end)} if end < len(found) else {}
    return {key: found[start:end], **more}


def _shown(job: Job) -> dict[str, Any]:
    """What both kinds of jobs show."""
    shown: dict[str, Any] = {
        "AccountId": job.account,
        "CreationDate": _moment(job.created),
        "IamRoleArn": job.role,
        "IsParent": False,
        "ResourceArn": job.resource,
        "ResourceType": "Aurora",
        "State": job.state.value,
    }
    if job.ended:
        shown["CompletionDate"] = _moment(job.ended)
    if job.message:
        shown["StatusMessage"] = job.message
    return shown


def _backup(job: Job) -> dict[str, Any]:
    done = job.state is BackupState.COMPLETED
    return {
        **_shown(job),
        "BackupJobId": job.id,
        "BackupVaultName": job.vault,
        "BackupVaultArn": _vault_arn(job.region, job.account, job.vault),
        "PercentDone": "100.0" if done else "0.0",
        "StartBy": _moment(job.start_by),
        **({"RecoveryPointArn": job.point} if done else {}),
    }


def _copy(job: Job) -> dict[str, Any]:
    done = job.state is BackupState.COMPLETED
    return {
        **_shown(job),
        "CopyJobId": job.id,
        "SourceBackupVaultArn": _vault_arn(job.region, job.account, job.vault),
        "SourceRecoveryPointArn": job.source,
        "DestinationBackupVaultArn": job.destination,
        **({"DestinationRecoveryPointArn": job.point} if done else {}),
    }


def _described(point: Point) -> dict[str, Any]:
    source = {"SourceBackupVaultArn": point.source_vault} if point.source_vault else {}
    lifecycle = {"Lifecycle": {"DeleteAfterDays": point.days}} if point.days else {}
    return {
        "RecoveryPointArn": point.arn,
        "BackupVaultName": point.vault,
        "BackupVaultArn": _vault_arn(point.region, point.account, point.vault),
        "ResourceArn": point.resource,
        "ResourceType": "Aurora",
        "IamRoleArn": point.role,
        "Status": BackupState.COMPLETED.value,
        "CreationDate": _moment(point.created),
        "CompletionDate": _moment(point.completed),
        "IsEncrypted": True,
        "IsParent": False,
        **source,
        **lifecycle,
    }


def _vault_arn(region: str, account: str, name: str) -> str:
    return f"arn:aws:backup:{region}:{account}:backup-vault:{name}"
