"""Objects that S3 didn't replicate, sent once more (trap 56)."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import Any, cast

import pytest
from botocore.exceptions import BotoCoreError
from fake_clients import FakeClients, refusal
from invoke.context import Context
from invoke.exceptions import Exit
from watched_driver import LAB, stack_file

from ops import session
from ops.cloud import batch_replication
from ops.cloud.clients import Clients
from ops.errors import OperatorError
from ops.front import upkeep
from ops.stack_file import StackFile, parse

EAST, WEST = "us-east-1", "us-west-2"


def account(*statuses: str, failed: int = 0, fault: Exception | None = None) -> tuple[Any, list]:
    """S3 whose jobs go through these statuses; and what it was asked to do."""
    asked: list[dict[str, Any]] = []
    left = list(statuses)

    def create(**given: Any) -> dict[str, Any]:
        asked.append(given)
        if fault:
            raise fault
        return {"JobId": f"job-{len(asked)}"}

    def describe(**given: Any) -> dict[str, Any]:
        status = left.pop(0) if len(left) > 1 else left[0]
        counts = {
            "TotalNumberOfTasks": 5, "NumberOfTasksSucceeded": 5 - failed,
            "NumberOfTasksFailed": failed,
        }  # fmt: skip
        return {"Job": {"JobId": given["JobId"], "Status": status, "ProgressSummary": counts}}

    table = {
        ("sts", ""): {"get_caller_identity": {"Account": "123456789012"}},
        ("s3control", ""): {"create_job": create, "describe_job": describe},
    }
    return FakeClients(table), asked


def run(
    given: Any, *, file: StackFile | None = None, region: str = "", failed: bool = False
) -> tuple[int, list[float]]:
    """Exit code, and how long was waited."""
    slept: list[float] = []
    try:
        batch_replication.show(
            file or stack_file("dev"), cast(Clients, given), region,
            failed=failed, as_json=True, sleep=slept.append,
        )  # fmt: skip
    except Exit as ended:
        return ended.code, slept
    return 0, slept


def test_both_regions_send_what_has_no_replica(capsys: pytest.CaptureFixture[str]) -> None:
    """Trap 56: of before and failed, by S3's own list, with the role of the source's region."""
    given, asked = account("Preparing", "Active", "Complete")
    code, slept = run(given)
    assert (code, len(slept)) == (0, 2)
    assert [job["AccountId"] for job in asked] == ["123456789012"] * 2
    for job, region in zip(asked, (EAST, WEST), strict=True):
        generator = job["ManifestGenerator"]["S3JobManifestGenerator"]
        assert generator["SourceBucket"] == f"arn:aws:s3:::bucket-content-{region}-lab"
        assert generator["Filter"] == {
            "EligibleForReplication": True, "ObjectReplicationStatuses": ["NONE", "FAILED"],
        }  # fmt: skip
        assert job["RoleArn"] == (
            f"arn:aws:iam::123456789012:role/role-batch-replication-{region}-lab"
        )
        assert job["Report"]["ReportScope"] == "FailedTasksOnly"
    printed = json.loads(capsys.readouterr().out)
    assert [(one["region"], one["succeeded"]) for one in printed] == [(EAST, 5), (WEST, 5)]


def test_one_region_and_failures_alone() -> None:
    """NAMES: --region, --failed."""
    given, asked = account("Complete")
    run(given, region=WEST, failed=True)
    (job,) = asked
    generator = job["ManifestGenerator"]["S3JobManifestGenerator"]
    assert WEST in generator["SourceBucket"]
    assert generator["Filter"]["ObjectReplicationStatuses"] == ["FAILED"]


@pytest.mark.parametrize(("status", "failed"), [("Failed", 0), ("Cancelled", 0), ("Complete", 2)])
def test_what_wasn_t_replicated_is_exit_code_5(status: str, failed: int) -> None:
    """Trap 56: a job that ended isn't a job that did it."""
    assert run(account(status, failed=failed)[0])[0] == 5


def test_a_long_job_goes_on_without_us() -> None:
    """Its id and its state are shown; S3 works on."""
    code, slept = run(account("Active")[0], region=EAST)
    assert code == 0
    assert sum(slept) == batch_replication.WAIT_SECONDS


def test_a_region_that_replicates_nothing_is_bad_input() -> None:
    """R4.1: with one direction only, there is one source."""
    text = LAB.replace("}", ", data:bidirectionalReplication: 'false'}")
    with pytest.raises(OperatorError, match="objects are replicated from us-east-1") as caught:
        run(account("Complete")[0], file=parse("dev", text), region=WEST)
    assert caught.value.code == 2


def test_a_refusal_names_the_command() -> None:
    """STYLE: one line."""
    given, _ = account("Complete", fault=refusal("AccessDenied"))
    with pytest.raises(OperatorError, match=r"AccessDenied; .* objects\.replicate --region us-ea"):
        run(given)


def test_the_task_prints_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """NAMES: objects.replicate."""
    given, _ = account("Complete")
    monkeypatch.setattr(session, "looking_at", lambda stack: (None, stack_file(stack), given))
    upkeep.objects_replicate(Context(), stack="dev", region=EAST)
    out = capsys.readouterr().out
    assert "job-1" in out
    assert "replicated" in out


def test_in_the_lab_the_address_stays_the_lab_s() -> None:
    """N1: S3's control API puts the account in front of every host; a lab's address takes none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        client = Clients(stack_file("lab"), address).get("s3control", EAST)

        def ask() -> None:
            with contextlib.suppress(BotoCoreError):
                client.list_jobs(AccountId="000000000000")

        threading.Thread(target=ask, daemon=True).start()
        connection, _ = server.accept()
        with connection:
            assert connection.recv(4096).startswith(b"GET /v20180820/jobs")
