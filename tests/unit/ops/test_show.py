"""What the looking tasks print."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from lab_answers import RUNNING, STOPPED
from watched_driver import LAB, Watched, watched

from lab import client
from lab.client import Status
from ops import session, show
from ops.cloud import inventory, status
from ops.stack_file import parse
from ops.workspace import Workspace


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """What `driver_for` answers: a lab with two layers deployed."""
    made = watched(tmp_path, FakeEngine("network", "app"), lab_endpoint="http://127.0.0.1:1")
    monkeypatch.setattr(session, "driver_for", lambda stack, engine=None: made)
    monkeypatch.setattr(show.workspace, "find", lambda: made.workspace)
    return made


def test_outputs_are_printed_and_written(
    driver: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    """R8: as lines for people, as JSON for pipelines, and always into the file."""
    show.outputs("lab", None, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(driver.workspace.flat_outputs.read_text())
    show.outputs("lab", None, as_json=False)
    assert "VpcPeeringConnectionId" in driver.out
    assert driver.err == ""


def test_outputs_of_nothing_name_the_command_that_deploys(driver: Watched) -> None:
    """N7: the next command."""
    assert isinstance(driver.engine, FakeEngine)
    driver.engine.state.clear()
    show.outputs("lab", None, as_json=False)
    assert "nothing is deployed: run ./inv deploy-all" in driver.err


@pytest.mark.parametrize("stack", ["lab", "dev"])
def test_the_inventory_is_a_table_or_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stack: str
) -> None:
    """`inventory` asks the lab that runs, or the account."""
    asked: list[str | None] = []
    space = Workspace(tmp_path, tmp_path)
    (tmp_path / "Pulumi.lab.yaml").write_text(LAB)
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config: {TapStack:environmentSuffix: dev, aws:region: us-east-1}"
    )
    monkeypatch.setattr(session.workspace, "find", lambda: space)
    monkeypatch.setattr(show.workspace, "find", lambda: space)
    monkeypatch.setattr(client, "start", lambda *_, **__: RUNNING)
    monkeypatch.setattr(show, "Clients", lambda _file, endpoint: asked.append(endpoint))
    found = [inventory.Found("us-east-1", "s3", "arn:aws:s3:::b")]
    monkeypatch.setattr(inventory, "take", lambda _clients, suffix: found)
    show.inventory(stack, as_json=True)
    assert json.loads(capsys.readouterr().out)[0]["arn"] == "arn:aws:s3:::b"
    show.inventory(stack, as_json=False)
    printed = capsys.readouterr().out
    assert "arn:aws:s3:::b" in printed
    assert f"1 resources of {stack}" in printed
    assert asked == [RUNNING.endpoint if stack == "lab" else None] * 2


def test_status_shows_layers_and_regions(
    driver: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """R3, R1, N4, N6: which layers stand with which contract, each region's health, who writes,
    how far the other is behind, and the budget piece by piece."""
    regions = [
        status.RegionStatus("us-east-1", "primary", "200 healthy", "writer, available", ""),
        status.RegionStatus("us-west-2", "secondary", "answers 503", "reader, available", "12 ms"),
    ]
    monkeypatch.setattr(status, "regions", lambda *_: regions)
    show.status("lab", None, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert [layer["deployed"] for layer in printed["layers"]] == [True, False, True, False]
    assert [layer["contract"] for layer in printed["layers"]] == [1, None, 1, None]
    assert printed["regions"][0]["database"] == "writer, available"
    assert printed["regions"][1]["replication_lag"] == "12 ms"
    budget = printed["budget"]
    assert budget["write_rto_seconds"] == sum(piece["seconds"] for piece in budget["writes"])
    show.status("lab", None, as_json=False)
    assert "network  yes" in driver.out
    assert "200 healthy" in driver.out
    assert "12 ms" in driver.out
    total = budget["write_rto_seconds"]
    assert re.search(rf"^RTO of writes +{total} s +objective 900 s$", driver.out, re.MULTILINE)
    assert re.search(r"^  promotion of .* database +300 s +\+ *$", driver.out, re.MULTILINE)


def test_the_lab_is_shown_with_its_regions_and_parts(
    driver: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """NAMES: what lab.status tells, for people and as JSON."""
    monkeypatch.setattr(client, "status", lambda _dir: RUNNING)
    show.lab_status(as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert {"endpoint", "pid", "state_dir", "regions", "parts", "dns", "front_door", "clock"} <= (
        set(printed)
    )
    show.lab_status(as_json=False)
    lines = capsys.readouterr().out
    assert "us-east-1   down (lost: api, compute)" in lines
    assert "us-west-2   up" in lines
    assert "dns         well: 12 records" in lines
    assert "database    ill" in lines


def test_a_stopped_lab_names_the_command_that_starts_it(
    driver: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """N7: the next command."""
    monkeypatch.setattr(client, "status", lambda _dir: STOPPED)
    show.lab_status(as_json=False)
    assert "./inv lab.up starts it" in capsys.readouterr().out


def test_a_lab_without_its_own_dns_shows_none(
    driver: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Addresses that don't exist aren't printed empty."""
    monkeypatch.setattr(
        client, "status", lambda _dir: Status("http://x", 7, "/lab", {}, {}, "", "", 1.0)
    )
    show.lab_status(as_json=False)
    assert "dns" not in capsys.readouterr().out


def test_the_lab_s_commands_reach_the_lab(
    driver: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """N1: up, down, outage, restore and clock are the lab client's, on this workspace's state."""
    calls: list[tuple[Any, ...]] = []

    def record(name: str) -> Any:
        def call(*given: Any, **options: Any) -> Any:
            calls.append((name, *given, *options.values()))
            return RUNNING

        return call

    for name in ("start", "outage", "restore", "set_clock"):
        monkeypatch.setattr(client, name, record(name))
    monkeypatch.setattr(session, "lab_stack", lambda _stack: parse("lab", LAB))
    monkeypatch.delenv("WARM_STANDBY_LAB_ENDPOINT", raising=False)
    state = driver.workspace.lab_state
    show.lab_up("lab", 5.0)
    show.lab_outage("us-east-1", "api")
    show.lab_restore("us-east-1")
    show.lab_clock(2.0)
    assert calls == [
        ("start", state, 1, 5.0),
        ("outage", state, "us-east-1", "api"),
        ("restore", state, "us-east-1"),
        ("set_clock", state, 2.0),
    ]
    answers = iter([True, False])
    monkeypatch.setattr(client, "stop", lambda _dir: next(answers))
    capsys.readouterr()
    show.lab_down()
    show.lab_down()
    assert capsys.readouterr().out.splitlines() == ["the lab is stopped", "the lab wasn't running"]
