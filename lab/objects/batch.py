"""S3 Batch Operations, as far as Batch Replication needs them: a job over a bucket's own objects.

What S3 lists, the role's rights and the counts are its; single objects go the replicator's own way
(S3 user guide, "Replicating existing objects with Batch Replication").
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.context import LabContext
from lab.emulator.buckets import owner_of
from lab.emulator.identities import role_allows, trusts
from lab.emulator.policies import Access
from lab.objects import store

OPERATIONS = ("CreateJob", "DescribeJob", "ListJobs")
SERVICE = "batchoperations.s3.amazonaws.com"
NONE = "NONE"

Send = Callable[[str, str, str], None]
"""(bucket, key, version id): replicates one object by the bucket's configuration."""


@dataclass
class Job:
    """A job: what it was asked, and the versions that it sends."""

    given: Mapping[str, Any]
    bucket: str
    account: str
    sent: list[tuple[str, str]] = field(default_factory=list)
    """(key, version id)"""
    failure: str = ""

    def counts(self) -> tuple[int, int, int]:
        """(all, replicated, failed)."""
        states = [self._status(*one) for one in self.sent]
        return len(states), states.count("COMPLETED"), states.count("FAILED")

    def _status(self, key: str, version: str) -> str:
        found = store.read(self.account, self.bucket, key, version)
        # What was deleted meanwhile has nothing left to replicate.
        return found.status if found else "COMPLETED"


class Batch:
    """The jobs of this process; S3 keeps them for 90 days, the lab until it is stopped."""

    def __init__(self, lab: LabContext, send: Send) -> None:
        self.lab, self._send = lab, send
        self._jobs: dict[str, Job] = {}

    async def answer(self, request: ApiRequest, _: CallNext) -> ApiResponse:
        """CreateJob, DescribeJob and ListJobs."""
        if request.operation == "CreateJob":
            return ApiResponse({"JobId": self._create(request)})
        if request.operation == "ListJobs":
            return ApiResponse({"Jobs": [self._shown(name) for name in self._jobs]})
        name = request.parameters["JobId"]
        if name not in self._jobs:
            raise ApiRefusal("NotFoundException", f"The job {name} doesn't exist.", 404)
        return ApiResponse({"Job": self._shown(name)})

    def _create(self, request: ApiRequest) -> str:
        given = request.parameters
        generator = given.get("ManifestGenerator", {}).get("S3JobManifestGenerator")
        if generator is None or "S3ReplicateObject" not in given.get("Operation", {}):
            said = "The lab runs Batch Replication with a generated manifest only."
            raise ApiRefusal("InvalidRequestException", said)
        bucket = generator["SourceBucket"].rpartition(":")[2]
        owner = owner_of(bucket)
        if owner is None or owner[1] != request.region:
            raise ApiRefusal("InvalidRequestException", f"Bucket {bucket} isn't in this Region.")
        job = Job(given, bucket, owner[0])
        name = str(uuid.uuid4())
        self._jobs[name] = job
        job.failure = self._denied(given, generator)
        if not job.failure:
            wanted = (generator.get("Filter") or {}).get("ObjectReplicationStatuses") or [NONE]
            for key, version, status in store.current_versions(job.account, bucket):
                if (status or NONE) in wanted:
                    job.sent.append((key, version))
                    self._send(bucket, key, version)
        return name

    def _denied(self, given: Mapping[str, Any], generator: Mapping[str, Any]) -> str:
        """Why the role can't do it; empty where it can."""
        role, bucket = given["RoleArn"], generator["SourceBucket"]
        lists = (generator.get("ManifestOutputLocation") or {}).get("Bucket", bucket)
        prefix = (generator.get("ManifestOutputLocation") or {}).get("ManifestPrefix", "")
        if not trusts(role, SERVICE):
            return f"S3 Batch Operations can't assume {role}"
        needed = (
            ("s3:InitiateReplication", f"{bucket}/any"),
            ("s3:GetReplicationConfiguration", bucket),
            ("s3:PutInventoryConfiguration", bucket),
            ("s3:PutObject", f"{lists}/{prefix}/any"),
            ("s3:GetObject", f"{lists}/{prefix}/any"),
        )
        lacking = [action for action, arn in needed if not role_allows(role, Access(action, arn))]
        return f"{role} may not {', '.join(lacking)}" if lacking else ""

    def _shown(self, name: str) -> dict[str, Any]:
        job = self._jobs[name]
        total, done, failed = job.counts()
        status = "Failed" if job.failure else "Complete" if done + failed == total else "Active"
        shown: dict[str, Any] = {
            "JobId": name,
            "Status": status,
            "Priority": job.given.get("Priority", 0),
            "RoleArn": job.given["RoleArn"],
            "ProgressSummary": {
                "TotalNumberOfTasks": total,
                "NumberOfTasksSucceeded": done,
                "NumberOfTasksFailed": failed,
            },
        }
        if job.failure:
            shown["FailureReasons"] = [
                {"FailureCode": "AccessDenied", "FailureReason": job.failure}
            ]
        return shown
