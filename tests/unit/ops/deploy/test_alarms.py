"""``./inv alarms``: what is red, since when, and what the runbook says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from fake_clients import FakeClients
from watched_driver import stack_file

from ops.cloud import alarms
from ops.cloud.alarms import NO_DATA, RED, Alarm, RegionAlarms
from ops.cloud.clients import Clients
from ops.deploy import alarms as risen
from ops.workspace import Workspace

EAST, WEST = "us-east-1", "us-west-2"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SPACE = Workspace(Path(__file__).resolve().parents[4], Path("/nowhere"))


def shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], found: Any, as_json: bool
) -> str:
    monkeypatch.setattr(alarms, "alarms", lambda *_: found)
    risen.show(SPACE, stack_file(), cast(Clients, FakeClients({})), as_json)
    return capsys.readouterr().out


RISEN = [
    RegionAlarms(EAST, unknown="no connection"),
    RegionAlarms(WEST, (
        Alarm(WEST, "backup-missing", NO_DATA, AT, "no backup"),
        Alarm(WEST, "alb-no-healthy-target", RED, AT, "x"),
        Alarm(WEST, "unheard-of", RED, AT, "its own description"),
    )),
]  # fmt: skip


def test_red_alarms_with_the_runbooks_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 17.8: red first, since when, and the line of docs/runbook.md for this stack and region;
    a region that doesn't answer is named."""
    printed = shown(monkeypatch, capsys, RISEN, as_json=False).splitlines()
    assert printed[0] == "us-east-1: not known (no connection)"
    purposes = [line.split()[0] for line in printed[2:]]
    assert purposes == ["alb-no-healthy-target", "unheard-of", "backup-missing"]
    assert "us-west-2  red" in printed[2]
    assert "2026-01-02 03:04:05 UTC" in printed[2]
    assert "/aws/lambda/function-api-us-west-2-lab" in printed[2]
    assert "--stack lab" in printed[2]
    assert "its own description" in printed[3]
    assert "no data" in printed[4]


def test_alarms_for_a_pipeline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 17.8: the same as JSON."""
    east, west = json.loads(shown(monkeypatch, capsys, RISEN, as_json=True))
    assert (east["unknown"], east["alarms"]) == ("no connection", [])
    assert [one["state"] for one in west["alarms"]] == ["no data", "red", "red"]
    assert west["alarms"][1]["since"] == "2026-01-02T03:04:05+00:00"
    assert west["alarms"][1]["runbook"]["means"].startswith("the load balancer's target fails")
    assert west["alarms"][2]["runbook"] is None


def test_no_alarm_is_red(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 17.8: said so."""
    found = [RegionAlarms(EAST), RegionAlarms(WEST)]
    assert shown(monkeypatch, capsys, found, as_json=False) == "no alarm is red\n"
