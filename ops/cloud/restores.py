"""``./inv restores``: what AWS Backup's monthly restore tests came to, with a signed record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops import signing
from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from ops.errors import ExitCode, OperatorError
from ops.exits import end_with
from ops.printing import make_console, print_json, rows_table
from ops.stack_file import StackFile
from ops.workspace import Workspace
from pulumi_protocol.files import private_directory, write_atomically
from tapstack.naming import restore_testing_name

OLDEST = timedelta(days=40)
"""A monthly test, and what it takes."""
ENDED = ("COMPLETED", "FAILED", "ABORTED")


@dataclass(frozen=True)
class Tested:
    """What is known of one region's restore tests."""

    region: str
    verdict: str
    """``restored``, ``failed``, ``overdue``, ``none yet``, ``not deployed`` or ``unknown``."""
    detail: str = ""
    job: str = ""
    recovery_point: str = ""
    began: str = ""
    """ISO 8601, UTC."""
    seconds: int = 0
    """How long the restore took."""

    @property
    def is_fault(self) -> bool:
        """Whether somebody must look."""
        return self.verdict in ("failed", "overdue", "unknown")


def show(space: Workspace, file: StackFile, clients: Clients, as_json: bool, keep: bool) -> None:
    """Prints both regions' newest tests; exit code 5 for one that failed or is overdue, or where
    none is deployed. ``keep`` writes a signed record of each that ended."""
    now = datetime.now(UTC)
    found = [look(clients, file.settings.suffix, region, now) for region in clients.regions]
    kept = [_keep(space, file, one) for one in found if keep and one.job]
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        console = make_console()
        rows = [
            (one.region, one.verdict, one.began, f"{one.seconds} s" * bool(one.job), one.detail)
            for one in found
        ]
        console.print(rows_table(("region", "verdict", "began", "took", ""), rows))
        for path in kept:
            console.print(f"kept: {path}")
    none = all(one.verdict == "not deployed" for one in found)
    if none or any(one.is_fault for one in found):
        end_with(ExitCode.DIFFERENCE)


def look(clients: Clients, suffix: str, region: str, now: datetime) -> Tested:
    """The newest test of a region's plan that has ended."""
    backup = clients.get("backup", region)
    name = restore_testing_name(region, suffix)
    try:
        plan = backup.get_restore_testing_plan(RestoreTestingPlanName=name)["RestoreTestingPlan"]
        jobs = sorted(_jobs(backup, plan["RestoreTestingPlanArn"]), key=lambda job: job["at"])
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            return Tested(region, "not deployed", "the other region's copies are tested")
        return Tested(region, "unknown", reason(error))
    except BotoCoreError as error:
        return Tested(region, "unknown", reason(error))
    if not jobs:
        return Tested(region, "none yet", f"{name}: the first of a month, 12:00 UTC")
    last = jobs[-1]
    done = last["CompletionDate"] if last.get("CompletionDate") else last["at"]
    tested = Tested(
        region,
        "restored" if last["Status"] == "COMPLETED" else "failed",
        last.get("StatusMessage", ""),
        last["RestoreJobId"],
        last.get("RecoveryPointArn", ""),
        last["at"].astimezone(UTC).isoformat(timespec="seconds"),
        int((done - last["at"]).total_seconds()),
    )
    if tested.verdict == "restored" and now - last["at"] > OLDEST:
        return Tested(**{**asdict(tested), "verdict": "overdue"})
    return tested


def _jobs(backup: Any, plan: str) -> Iterator[dict[str, Any]]:
    pages = backup.get_paginator("list_restore_jobs").paginate(ByRestoreTestingPlanArn=plan)
    for page in pages:
        for job in page["RestoreJobs"]:
            if job["Status"] in ENDED:
                yield {**job, "at": job["CreationDate"]}


def _keep(space: Workspace, file: StackFile, tested: Tested) -> Path:
    """Writes and signs what a test came to; the signature last, without it nothing counts."""
    folder = space.directory / "evidence" / "restores"
    text = json.dumps({"stack": file.stack, **asdict(tested)}, indent=1) + "\n"
    path = folder / f"{tested.job}.json"
    try:
        signature = signing.sign(signing.own_signer(), {path.name: text.encode()})
        private_directory(folder)
        write_atomically(path, text)
        write_atomically(path.with_suffix(".sig"), signature.as_json())
    except OSError as error:
        raise OperatorError(
            f"the evidence can't be written ({error.strerror}): make room in {folder}, then run "
            "./inv restores --keep again"
        ) from None
    return path
