"""What comes from outside is printed as it is: each task's tables say what its ``--json`` says."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from invoke.context import Context
from invoke.exceptions import Exit
from watched_driver import Watched, watched

import tasks
from lab import client
from lab.client import Status
from ops import node, session
from ops.cloud import inventory, redrive, regions
from ops.cloud.inventory import Found
from ops.cloud.redrive import Redriven
from ops.cloud.regions import RegionStatus
from ops.cost import estimate
from ops.cost.declared import Declared
from ops.deploy import outputs
from ops.doctor import examination
from ops.doctor.finding import advice, missing, ok
from ops.errors import one_line, visible
from ops.front import lab as lab_tasks
from ops.front import looking, upkeep
from ops.policies import table
from ops.policies.graph import Graph
from ops.policies.rule import Rule, Verdict
from ops.printing import make_console
from pulumi_protocol.events import EngineError, Summary

ARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:database-us-east-1-x1-AbCdEf"
HOSTILE = [
    ARN,
    "arn:aws:s3:::bucket-content-us-east-1-x1" + "-long" * 60,
    "[bold]not bold[/bold] [link=http://x]y[/link] :smile: :warning: [/]",
    "{braces} %s $HOME `x` \\[escaped\\] back\\slash",
    "Ünïcödé → ✓ 日本語",
]
"""Values as AWS gives them, and as somebody might name a resource."""


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """What tasks get; it prints where tasks print."""
    made = watched(tmp_path, FakeEngine("network", "data", "app", "global"))
    made.console, made.errors = make_console(), make_console(stderr=True)
    monkeypatch.setattr(session, "driver_for", lambda *_, **__: made)
    monkeypatch.setattr(session, "clients_for", lambda stack: (None, stack))
    return made


def texts(value: Any, unseen: tuple[str, ...]) -> Iterator[str]:
    """Every text and number in a JSON document, but those under the keys ``unseen``."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from () if key in unseen else texts(inner, unseen)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, unseen)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def same(capsys: pytest.CaptureFixture[str], task: Callable[..., Any], *unseen: str) -> str:
    """Each value of ``--json`` stands whole in one line of the plain output, which is returned;
    ``unseen`` are the keys whose values are shown in other words."""
    printed = []
    for as_json in (True, False):
        with contextlib.suppress(Exit):  # its code is looked at elsewhere
            task(Context(), json=as_json)
        printed.append(capsys.readouterr().out)
    lines = printed[1].splitlines()
    for text in texts(json.loads(printed[0]), unseen):
        assert any(visible(text) in line for line in lines), (text, printed[1])
    return printed[1]


@pytest.mark.parametrize("value", HOSTILE)
def test_outputs(
    driver: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    """R8: what is copied from the terminal is what the resource is called."""
    found = {"Stack": "lab", "data.primary.master_secret_arn": value, "NameServers": [value, "b"]}
    monkeypatch.setattr(outputs, "flat", lambda *_: found)
    same(capsys, tasks.outputs)


@pytest.mark.parametrize("value", HOSTILE)
def test_inventory_and_redrive(
    driver: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    """An ARN with ``:secret:`` in it stays one, and is not folded in a pipeline."""
    monkeypatch.setattr(inventory, "take", lambda *_: [Found("us-east-1", "secretsmanager", value)])
    assert f"us-east-1  secretsmanager  {value}" in same(capsys, looking.inventory)
    monkeypatch.setattr(redrive, "redrive", lambda *_: [Redriven("us-east-1", value, 3)])
    same(capsys, upkeep.events_redrive)


@pytest.mark.parametrize("value", HOSTILE)
def test_status_and_lab_status(
    driver: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    """What an API or a part of the lab said."""
    found = [
        RegionStatus(region, role, f"no answer ({value})", value, "12 ms")
        for region, role in (("us-east-1", "primary"), ("us-west-2", "secondary"))
    ]
    monkeypatch.setattr(regions, "regions", lambda *_: found)
    same(capsys, looking.status, "budget", "deployed", "stack")
    lab = Status(
        "http://127.0.0.1:1", 7, f"/tmp/{value}", {"us-east-1": "up"},
        {"dns": {"healthy": True, "detail": value}}, "127.0.0.1:53", "http://127.0.0.1:2", 10,
        {"us-east-1": [value]},
    )  # fmt: skip
    monkeypatch.setattr(client, "status", lambda _: lab)
    same(capsys, lab_tasks.status)


@pytest.mark.parametrize("value", HOSTILE)
def test_doctor_and_policy(
    driver: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    """Details and remedies, verdicts and their reasons."""
    found = [ok("Python", value), advice("disk", value, value), missing("CLI", value, value)]
    monkeypatch.setattr(examination, "examine", lambda *_: iter(found))
    shown = same(capsys, looking.doctor, "state")
    assert [line[0] for line in shown.splitlines() if line[0] != " "] == ["✓", "!", "✗"]
    rules = [
        Rule("rule-1", "area [x]", None, exception=value),
        Rule("rule-2", value, lambda _: []),
    ]
    judged = [Verdict(rules[0], "exception"), Verdict(rules[1], "fail", (value,))]
    monkeypatch.setattr(table, "verdicts", lambda _: judged)
    monkeypatch.setattr(Graph, "of_checkpoint", lambda _: None)
    same(capsys, looking.policy)


def test_drift(
    driver: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """How much each layer drifted, in the table and in the document."""
    monkeypatch.setattr(FakeEngine, "refresh", lambda *_: Summary(updated=4321))
    console = driver.console
    monkeypatch.setattr(
        session, "driver_for", lambda *_: setattr(driver, "console", console) or driver
    )
    same(capsys, looking.drift, "stack")


def test_cost(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """R9.6: the months by group, in dollars and cents, as in the document."""
    declared = [
        Declared("data", type_, ARN, "us-east-1", {})
        for type_ in ("aws:kms/key:Key", "aws:route53/zone:Zone", "aws:ec2/eip:Eip")
    ]
    monkeypatch.setattr(estimate, "declared", lambda *_: declared)
    monkeypatch.setattr(node, "ensure", lambda: "v20")
    looking.cost(Context(), json=True)
    (month,) = json.loads(capsys.readouterr().out)["estimates"]
    looking.cost(Context())
    shown = capsys.readouterr().out
    for name, dollars in {**month["groups"], "total": month["monthly"]}.items():
        assert re.search(rf"^{name} +{dollars:.2f} *$", shown, re.MULTILINE)


@pytest.mark.no_cover
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(min_size=1, max_size=30))
def test_any_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Fuzzed: no text moves a cursor, opens a style or ends a line that isn't its own."""
    assume(not any("\ud800" <= letter <= "\udfff" for letter in text) and "\t" not in text)
    make_console().print(text)
    assert capsys.readouterr().out == visible(text) + "\n"
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert "\x1b" not in line


def test_a_progress_line_is_printed_as_it_is(driver: Watched) -> None:
    """Names and messages of programs, in the lines of a deployment and in its errors."""
    assert isinstance(driver.engine, FakeEngine)
    driver.console, driver.errors = (make_console(file=io.StringIO()) for _ in range(2))
    driver.engine.fails["up", "network"] = EngineError(f"network: {HOSTILE[2]} {ARN}")
    driver.up(["network"])
    assert f"network: {HOSTILE[2]} {ARN}" in driver.err
