"""What restore tests came to (trap 45)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from fake_clients import FakeClients, refusal
from invoke.context import Context
from invoke.exceptions import Exit
from recovery_tables import lost
from watched_driver import stack_file

from ops import session, signing
from ops.cloud import restores
from ops.cloud.clients import Clients
from ops.errors import OperatorError
from ops.front import looking
from ops.workspace import Workspace

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
WEST = "us-west-2"


def job(status: str, days: int, **more: Any) -> dict[str, Any]:
    """A restore job that began some days ago and took 700 s."""
    began = NOW - timedelta(days=days)
    ended = {} if status == "RUNNING" else {"CompletionDate": began + timedelta(seconds=700)}
    return {
        "RestoreJobId": f"job-{days}", "Status": status, "CreationDate": began,
        "RecoveryPointArn": "arn:point", **ended, **more,
    }  # fmt: skip


def clients(*jobs: dict[str, Any], fault: Exception | None = None) -> Clients:
    """us-west-2 has a plan with these jobs; us-east-1 has none."""
    plan = {"RestoreTestingPlan": {"RestoreTestingPlanArn": "arn:plan"}}

    def listed(**given: Any) -> dict[str, Any]:
        assert given == {"ByRestoreTestingPlanArn": "arn:plan"}
        return {"RestoreJobs": list(jobs)}

    return cast(
        Clients,
        FakeClients(
            {
                ("backup", "us-east-1"): {
                    "get_restore_testing_plan": refusal("ResourceNotFoundException")
                },
                ("backup", WEST): {
                    "get_restore_testing_plan": fault or plan, "list_restore_jobs": listed,
                },
            }
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("jobs", "verdict", "name"),
    [
        ([], "none yet", ""),
        ([job("RUNNING", 0)], "none yet", ""),
        ([job("COMPLETED", 27), job("FAILED", 58)], "restored", "job-27"),
        ([job("COMPLETED", 58), job("FAILED", 27, StatusMessage="no subnets")], "failed", "job-27"),
        ([job("ABORTED", 3)], "failed", "job-3"),
        ([job("COMPLETED", 41), job("RUNNING", 0)], "overdue", "job-41"),
    ],
)
def test_the_newest_test_that_ended_counts(
    jobs: list[dict[str, Any]], verdict: str, name: str
) -> None:
    """Trap 45: a failed or missing restore is seen, whatever succeeded before it."""
    found = restores.look(clients(*jobs), "x1", WEST, NOW)
    assert (found.verdict, found.job) == (verdict, name)
    assert found.is_fault is (verdict in ("failed", "overdue"))
    assert found.seconds == (700 if name else 0)


def test_a_job_without_an_end_took_no_time() -> None:
    """AWS leaves the end out where it aborted a job at once."""
    one = {key: value for key, value in job("ABORTED", 1).items() if key != "CompletionDate"}
    assert restores.look(clients(one), "x1", WEST, NOW).seconds == 0


@pytest.mark.parametrize("fault", [refusal("AccessDenied"), lost()])
def test_what_can_t_be_asked_is_a_fault(fault: Exception) -> None:
    """Trap 45: not known isn't restored."""
    found = restores.look(clients(fault=fault), "x1", WEST, NOW)
    assert (found.verdict, found.is_fault) == ("unknown", True)


def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: Clients, **flags: bool) -> int:
    """``./inv restores`` over these clients; its exit code."""
    space = Workspace(tmp_path, tmp_path)
    monkeypatch.setenv(signing.KEY_VARIABLE, str(tmp_path / "keys" / "signing.key"))
    monkeypatch.setattr(session, "looking_at", lambda _: (space, stack_file("dev"), given))
    try:
        looking.restores(Context(), stack="dev", **flags)
    except Exit as ended:
        return ended.code
    return 0


def test_both_regions_are_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """NAMES: restores; where the writer is nothing is tested, the copies' region is."""
    recent = datetime.now(UTC) - timedelta(days=1)
    good = {**job("COMPLETED", 0), "CreationDate": recent, "CompletionDate": recent}
    assert shown(monkeypatch, tmp_path, clients(good)) == 0
    out = capsys.readouterr().out
    assert "not deployed" in out
    assert "restored" in out
    assert shown(monkeypatch, tmp_path, clients(job("FAILED", 0)), json=True) == 5
    printed = json.loads(capsys.readouterr().out)
    assert [one["verdict"] for one in printed] == ["not deployed", "failed"]


def test_without_any_plan_nothing_is_proven(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Trap 45: turned off isn't in order."""
    none = clients(fault=refusal("ResourceNotFoundException"))
    assert shown(monkeypatch, tmp_path, none) == 5


def test_a_result_is_kept_and_signed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """N15: what was restored, when, in what time, by whose signature."""
    assert shown(monkeypatch, tmp_path, clients(job("FAILED", 2)), keep=True) == 5
    folder = tmp_path / "evidence" / "restores"
    document = json.loads((folder / "job-2.json").read_text())
    assert (document["stack"], document["verdict"], document["seconds"]) == ("dev", "failed", 700)
    signature = signing.read(folder / "job-2.sig")
    assert list(signature.files) == ["job-2.json"]


def test_a_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """STYLE: what to do, and nothing half written that counts."""

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv(signing.KEY_VARIABLE, str(tmp_path / "keys" / "signing.key"))
    monkeypatch.setattr(restores, "write_atomically", full)
    tested = restores.Tested(WEST, "restored", job="j")
    with pytest.raises(OperatorError, match="No space left on device"):
        restores._keep(Workspace(tmp_path, tmp_path), stack_file("dev"), tested)
