"""The lab as the tasks start, show and command it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lab_answers import RUNNING, STOPPED
from watched_driver import LAB

from lab import client
from lab.client import Status
from ops import lab, workspace
from ops.errors import ExitCode, OperatorError
from ops.stack_file import load, parse
from ops.workspace import Workspace


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with a lab stack."""
    (tmp_path / "Pulumi.lab.yaml").write_text(LAB)
    made = Workspace(tmp_path, tmp_path)
    monkeypatch.setattr(workspace, "find", lambda: made)
    return made


def test_the_lab_s_address_may_be_overridden_but_not_beyond_this_machine() -> None:
    """First light: in the lab nothing calls beyond 127.0.0.1."""
    file = parse("lab", LAB)
    assert lab.endpoint(file, {}) == "http://127.0.0.1:1"
    assert lab.endpoint(file, {lab.ENDPOINT_VARIABLE: "http://localhost:2/"}) == (
        "http://localhost:2"
    )
    with pytest.raises(OperatorError, match="on this machine only"):
        lab.endpoint(file, {lab.ENDPOINT_VARIABLE: "http://example.com:2"})


def test_programs_of_the_lab_find_it_by_a_variable() -> None:
    """names.md: the lab's address comes from an environment variable over what the state says."""
    assert lab.environment("http://127.0.0.1:1") == {
        "WARM_STANDBY_LAB_ENDPOINT": "http://127.0.0.1:1"
    }


def test_the_lab_is_shown_with_its_regions_and_parts(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """names.md: what lab.status shows, for people and as JSON."""
    monkeypatch.setattr(client, "status", lambda _dir: RUNNING)
    lab.status(as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert {"endpoint", "pid", "state_dir", "regions", "parts", "dns", "front_door", "clock"} <= (
        set(printed)
    )
    lab.status(as_json=False)
    lines = capsys.readouterr().out
    assert "us-east-1   down (lost: api, compute)" in lines
    assert "us-west-2   up" in lines
    assert "dns         healthy: 12 records" in lines
    assert "database    unhealthy" in lines


def test_a_stopped_lab_names_the_command_that_starts_it(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """N7: the next command."""
    monkeypatch.setattr(client, "status", lambda _dir: STOPPED)
    lab.status(as_json=False)
    assert "./inv lab.up starts it" in capsys.readouterr().out


def test_a_lab_without_its_own_dns_shows_none(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Addresses that don't exist aren't printed empty."""
    monkeypatch.setattr(
        client, "status", lambda _dir: Status("http://x", 7, "/lab", {}, {}, "", "", 1.0)
    )
    lab.status(as_json=False)
    assert "dns" not in capsys.readouterr().out


def test_a_lab_of_older_code_is_said(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """N7: after a pull the running lab is of older code; one line says the way on."""
    monkeypatch.delenv("WARM_STANDBY_LAB_ENDPOINT", raising=False)
    monkeypatch.setattr(client, "start", lambda *_, **__: RUNNING)
    monkeypatch.setattr(client, "changed_since", lambda _dir: "lab/dns/answers.py")
    lab.start(space, load(space, "lab"))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("the lab runs since before lab/dns/answers.py changed: ./inv lab.down")
    monkeypatch.setattr(client, "changed_since", lambda _dir: "")
    lab.start(space, load(space, "lab"))
    assert capsys.readouterr().err == ""


def test_the_lab_s_commands_reach_the_lab(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
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
    monkeypatch.delenv("WARM_STANDBY_LAB_ENDPOINT", raising=False)
    state = space.lab_state
    lab.up("lab", 5.0)
    lab.outage("us-east-1", "api", "slow")
    lab.restore("us-east-1")
    lab.clock(2.0)
    assert calls == [
        ("start", state, 1, 5.0),
        ("outage", state, "us-east-1", "api", "slow"),
        ("restore", state, "us-east-1"),
        ("set_clock", state, 2.0),
    ]
    answers = iter([True, False])
    monkeypatch.setattr(client, "stop", lambda _dir: next(answers))
    capsys.readouterr()
    lab.down()
    lab.down()
    assert capsys.readouterr().out.splitlines() == ["the lab is stopped", "the lab wasn't running"]


@pytest.mark.parametrize(
    "address",
    [
        "nonsense", "127.0.0.1:46140", "http://127.0.0.1", "http://127.0.0.1:0", "http://127.0.0.1:x",
        "http://127.0.0.1:99999", "http://[::1", "https://127.0.0.1:1", "http://127.0.0.1:1/x",
        "http://me@127.0.0.1:1", "http://127.0.0.1:1?x", "http://127.0.0.1.example.com:1", "ftp://x",
    ],
)  # fmt: skip
def test_a_bad_address_of_the_lab_is_one_line(address: str) -> None:
    """R9: whatever the variable holds, exit code 2 with an address that would do."""
    with pytest.raises(OperatorError) as caught:
        lab.endpoint(parse("lab", LAB), {lab.ENDPOINT_VARIABLE: address})
    assert caught.value.code is ExitCode.BAD_INPUT
    assert str(caught.value) == (
        f"WARM_STANDBY_LAB_ENDPOINT is {address!r}: the lab is on this machine only, such as "
        "http://127.0.0.1:45660"
    )


@pytest.mark.parametrize("factor", ["abc", "", "nan", "inf", "-5", "0"])
def test_a_bad_clock_is_one_line(space: Workspace, factor: str) -> None:
    """R9: exit code 2, whether the lab runs or not."""
    for task in (lambda: lab.clock(factor), lambda: lab.up("lab", factor)):
        with pytest.raises(OperatorError, match="isn't a number above 0") as caught:
            task()
        assert caught.value.code is ExitCode.BAD_INPUT
