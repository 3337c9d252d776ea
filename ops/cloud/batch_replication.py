"""``./inv objects.replicate``: S3 Batch Replication of what was there before, and of what failed.

S3 replicates what is written from now on, and gives up on what it couldn't copy in time. A job over
the bucket's own objects sends those through the deployed rule once more.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud import account
from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from ops.errors import ExitCode, OperatorError, bad_input
from ops.exits import end_with
from ops.printing import make_console, print_json, rows_table
from ops.stack_file import StackFile
from ops.waiting import announced
from tapstack.naming import physical_name
from tapstack.well_known import (
    ACCESS_LOG_BUCKET,
    BATCH_PREFIX,
    BATCH_REPLICATION,
    CONTENT_BUCKET,
)

NEVER, FAILED = "NONE", "FAILED"
"""S3's replication statuses of what is sent."""
ENDED = ("Complete", "Failed", "Cancelled", "Suspended")
WAIT_SECONDS = 600.0
"""S3 lists the bucket first, which takes minutes; a job continues without us."""
POLL_SECONDS = 3.0
PRIORITY = 10

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Job:
    """What became of one region's job."""

    region: str
    """The source's."""
    job: str
    status: str
    total: int = 0
    succeeded: int = 0
    failed: int = 0

    @property
    def is_fault(self) -> bool:
        """Whether something wasn't replicated."""
        return self.status in ENDED and (self.status != "Complete" or self.failed > 0)


def show(
    file: StackFile,
    clients: Clients,
    region: str,
    *,
    failed: bool,
    as_json: bool,
    sleep: Sleep = time.sleep,
) -> None:
    """Runs a job from ``region``, or from each that replicates, and prints the counts; exit code 5
    where something wasn't replicated."""
    sources = _sources(file, clients, region)
    done = [replicate(file, clients, one, failed=failed, sleep=sleep) for one in sources]
    if as_json:
        print_json([asdict(job) for job in done])
    else:
        rows = [(j.region, j.job, j.status, j.total, j.succeeded, j.failed) for j in done]
        headings = ("from", "job", "status", "objects", "replicated", "failed")
        make_console().print(rows_table(headings, rows))
    if any(job.is_fault for job in done):
        end_with(ExitCode.DIFFERENCE)


def _sources(file: StackFile, clients: Clients, region: str) -> tuple[str, ...]:
    primary, standby = clients.regions
    both = (primary, standby) if file.settings.data.bidirectional_replication else (primary,)
    if region and region not in both:
        raise bad_input(f"--region {region}: objects are replicated from {' and '.join(both)}")
    return (region,) if region else both


def replicate(file: StackFile, clients: Clients, region: str, *, failed: bool, sleep: Sleep) -> Job:
    """Makes one region's job and waits for its end, ten minutes at most. Raises OperatorError."""
    owner = account.current(clients)
    control = clients.get("s3control", region)
    try:
        given = request(owner, region, file.settings.suffix, failed=failed)
        ident = control.create_job(AccountId=owner, **given)["JobId"]
        with announced(f"S3 in {region} to replicate (job {ident})"):
            return _ended(control, owner, region, ident, sleep)
    except (ClientError, BotoCoreError) as error:
        raise OperatorError(
            f"{region}: S3 Batch Replication: {reason(error)}; nothing is half done: run ./inv "
            f"objects.replicate --region {region} --stack {file.stack} again"
        ) from None


def request(owner: str, region: str, suffix: str, *, failed: bool) -> dict[str, Any]:
    """A job's parameters (S3 API, CreateJob): S3 lists the bucket itself, and reports failures."""
    source = f"arn:aws:s3:::{physical_name('bucket', CONTENT_BUCKET, region, suffix)}"
    lists = f"arn:aws:s3:::{physical_name('bucket', ACCESS_LOG_BUCKET, region, suffix)}"
    prefix = BATCH_PREFIX.rstrip("/")
    return {
        "ConfirmationRequired": False,
        "Operation": {"S3ReplicateObject": {}},
        "Report": {
            "Enabled": True,
            "Bucket": lists,
            "Prefix": prefix,
            "Format": "Report_CSV_20180820",
            "ReportScope": "FailedTasksOnly",
        },
        "ManifestGenerator": {
            "S3JobManifestGenerator": {
                "ExpectedBucketOwner": owner,
                "SourceBucket": source,
                "EnableManifestOutput": True,
                "ManifestOutputLocation": {
                    "ExpectedManifestBucketOwner": owner,
                    "Bucket": lists,
                    "ManifestPrefix": prefix,
                    "ManifestFormat": "S3InventoryReport_CSV_20211130",
                },
                "Filter": {
                    "EligibleForReplication": True,
                    "ObjectReplicationStatuses": [FAILED] if failed else [NEVER, FAILED],
                },
            }
        },
        "Priority": PRIORITY,
        "RoleArn": (
            f"arn:aws:iam::{owner}:role/{physical_name('role', BATCH_REPLICATION, region, suffix)}"
        ),
        "ClientRequestToken": str(uuid.uuid4()),
        "Description": "warm-standby: what wasn't replicated",
    }


def _ended(control: Any, owner: str, region: str, ident: str, sleep: Sleep) -> Job:
    waited = 0.0
    while True:
        found = control.describe_job(AccountId=owner, JobId=ident)["Job"]
        counts = found.get("ProgressSummary", {})
        job = Job(
            region,
            ident,
            found["Status"],
            counts.get("TotalNumberOfTasks", 0),
            counts.get("NumberOfTasksSucceeded", 0),
            counts.get("NumberOfTasksFailed", 0),
        )
        if job.status in ENDED or waited >= WAIT_SECONDS:
            return job
        sleep(POLL_SECONDS)
        waited += POLL_SECONDS
