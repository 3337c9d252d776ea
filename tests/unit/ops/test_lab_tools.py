"""AWS's and Pulumi's own tools against the lab, and what it shows of itself."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from watched_driver import LAB

from lab import client
from ops import bootstrap, lab, lab_tools, workspace
from ops.errors import ExitCode, OperatorError
from ops.quality import pins
from ops.workspace import Workspace

ADDRESS = "http://127.0.0.1:1"


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with a lab stack, and an operator who uses a real account."""
    (tmp_path / "Pulumi.lab.yaml").write_text(LAB)
    made = Workspace(tmp_path, tmp_path)
    monkeypatch.setattr(workspace, "find", lambda: made)
    monkeypatch.delenv("WARM_STANDBY_LAB_ENDPOINT", raising=False)
    for name, value in (
        ("AWS_PROFILE", "hospital"),
        ("AWS_ENDPOINT_URL_S3", "https://s3.example"),
        ("AWS_SECRET_ACCESS_KEY", "real"),
        ("HTTPS_PROXY", "http://proxy.example"),
    ):
        monkeypatch.setenv(name, value)
    return made


def test_exports_lead_every_tool_to_the_lab_alone(
    space: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 16.7: evaluated by a shell that knows a real account, nothing of it is left, and bare
    Pulumi has the lab's home, backend and provider."""
    lab_tools.env("lab")
    printed = capsys.readouterr().out
    shown = subprocess.run(
        ["/bin/sh", "-c", f"{printed}\nenv"],
        env={
            "AWS_PROFILE": "hospital",
            "AWS_ENDPOINT_URL_S3": "https://s3.example",
            "AWS_SECRET_ACCESS_KEY": "real",
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = dict(line.split("=", 1) for line in shown.splitlines())
    assert found["AWS_ENDPOINT_URL"] == found["WARM_STANDBY_LAB_ENDPOINT"] == ADDRESS
    assert found["AWS_SECRET_ACCESS_KEY"] == "lab"
    assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL_S3"} & found.keys()
    assert found["AWS_CONFIG_FILE"] == found["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert found["PULUMI_BACKEND_URL"].startswith("file://")
    (plugin,) = (Path(found["PULUMI_HOME"]) / "plugins").iterdir()
    assert (plugin / "pulumi-resource-aws").is_symlink()


@pytest.mark.parametrize(("code", "ended"), [(0, ExitCode.OK), (254, ExitCode.FAILED)])
def test_awss_command_line_reaches_the_lab_alone(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, code: int, ended: ExitCode
) -> None:
    """Issue 16.7: with the packages of its own group, and nothing of the operator's account."""
    ran: list[tuple[list[str], dict[str, str]]] = []
    required: list[str] = []

    def run(command: list[str], *, env: dict[str, str], check: bool) -> Any:
        assert not check
        ran.append((command, env))
        return SimpleNamespace(returncode=code)

    monkeypatch.setattr(lab_tools.subprocess, "run", run)
    monkeypatch.setattr(pins, "require", lambda _root, group: required.append(group))
    assert lab_tools.aws("lab", shlex.join(["s3", "ls", "a b"])) is ended
    ((command, variables),) = ran
    assert command == [sys.executable, "-m", "awscli", "s3", "ls", "a b"]
    assert required == [bootstrap.AWS]
    assert variables["AWS_ENDPOINT_URL"] == ADDRESS
    assert variables["AWS_SECRET_ACCESS_KEY"] == "lab"
    assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "HTTPS_PROXY"} & variables.keys()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "needs AWS's own arguments"),
        ("s3 ls --endpoint-url https://s3.example", "leave out --endpoint-url"),
        ("s3 ls --profile=hospital", "leave out --profile"),
        ("s3 ls --no-sign-request", "leave out --no-sign-request"),
    ],
)
def test_what_leads_elsewhere_is_refused(space: Workspace, arguments: str, message: str) -> None:
    """Issue 16.7: nothing of a real account can be reached; exit code 2."""
    with pytest.raises(OperatorError, match=message) as caught:
        lab_tools.aws("lab", arguments)
    assert caught.value.code is ExitCode.BAD_INPUT


def test_mails_are_shown(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 16.5: for people and as JSON; confirmed where that is asked for."""
    mail = {
        "at": "2026-01-01T00:00:00+00:00",
        "to": "duty@clinic.example",
        "topic": "arn:aws:sns:us-east-1:000000000000:alarms",
        "subject": "ALARM",
        "body": "one\ntwo",
    }
    asked: list[bool] = []
    answers: list[list[dict[str, str]]] = [[mail], [mail], []]
    monkeypatch.setattr(
        client, "mails", lambda _dir, confirm: asked.append(confirm) or answers.pop(0)
    )
    lab_tools.mails(confirm=True, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "2026-01-01T00:00:00+00:00  duty@clinic.example  alarms", "  ALARM", "  one", "  two"
    ]  # fmt: skip
    lab_tools.mails(confirm=False, as_json=True)
    assert json.loads(capsys.readouterr().out) == [mail]
    lab_tools.mails(confirm=False, as_json=False)
    assert capsys.readouterr().out == "SNS has sent no mail\n"
    assert asked == [True, False, False]


def test_the_providers_types_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """names.md: lab.types, for people and as JSON."""
    lab_tools.types(as_json=True)
    names = json.loads(capsys.readouterr().out)
    assert "aws:ec2/vpc:Vpc" in names
    assert names == sorted(names)
    lab_tools.types(as_json=False)
    assert capsys.readouterr().out.splitlines() == names


def test_faults_are_listed_and_set(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """names.md: ``lab.fault`` alone lists them all; a name and a value set one."""
    running = client.Status(
        "e", 7, "/lab", {}, {}, "", "", 1.0, faults={"promotion-delay": 90.0,
        "fence-timeout": True, "instance-loss": "us-east-1"}, rtt_ms=65.0, now="2026",
    )  # fmt: skip
    asked: list[Any] = []
    monkeypatch.setattr(client, "status", lambda _dir: running)
    monkeypatch.setattr(client, "fault", lambda _dir, *given: asked.append(given) or running)
    lab.fault("", "")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["promotion-delay", "90", "s"] in lines
    assert ["fence-timeout", "on"] in lines
    assert ["instance-loss", "us-east-1"] in lines
    assert ["describe-stale", "off"] in lines
    lab.fault("promotion-delay", "90")
    lab.fault("snapshot-fails", "")
    assert asked == [("promotion-delay", "90"), ("snapshot-fails", None)]
    lab.show(running)
    shown = capsys.readouterr().out
    assert "promotion-delay (90 s), fence-timeout (on), instance-loss (us-east-1)" in shown
    assert "65 ms" in shown
    assert "1, 2026 in the lab" in shown
    monkeypatch.setattr(client, "status", lambda _dir: client.Status("", 0, "", {}, {}, "", "", 1))
    with pytest.raises(OperatorError, match=r"isn't running: run \./inv lab\.up"):
        lab.fault("", "")


def test_the_round_trip_is_set_with_the_start(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 16.7: also of a lab that runs; what is no number is one line."""
    running = client.Status("e", 7, "/lab", {}, {}, "", "", 1.0)
    asked: list[float] = []
    monkeypatch.setattr(lab, "start", lambda *_: running)
    monkeypatch.setattr(client, "set_round_trip", lambda _dir, ms: asked.append(ms) or running)
    lab.up("lab", None, "65")
    assert asked == [65.0]
    for given in ("far", "-1", "inf"):
        with pytest.raises(OperatorError, match="isn't a number from 0 on") as caught:
            lab.up("lab", None, given)
        assert caught.value.code is ExitCode.BAD_INPUT


@pytest.mark.parametrize(
    "call",
    [
        lambda: lab.outage("mars", None, None),
        lambda: lab.outage("us-east-1", "network", None),
        lambda: lab.outage("us-east-1", "api", "explode"),
        lambda: lab.restore("mars"),
        lambda: lab.fault("gremlins", ""),
        lambda: lab.fault("replication-lag", "soon"),
    ],
)
def test_bad_input_is_seen_whether_the_lab_runs_or_not(space: Workspace, call: Any) -> None:
    """Issue 16: exit code 2 and one line; the lab isn't asked."""
    from lab.errors import LabInputError

    with pytest.raises(LabInputError) as caught:
        call()
    assert "\n" not in str(caught.value)
