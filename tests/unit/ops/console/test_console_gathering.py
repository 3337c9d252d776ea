"""Asking again and again: every answer, or why there is none, and what a single one doesn't say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from console_facts import AWS, CALM, EAST, LAB, NOW, PROBE, WEST
from fake_clients import FakeClients, refusal
from lab_answers import RUNNING, STOPPED
from watched_driver import LAB as LAB_FILE

from lab import client
from ops.cloud import traffic
from ops.cloud.clients import Clients
from ops.cloud.probes import Probes
from ops.cloud.traffic import Traffic
from ops.console import sources
from ops.console.drills import Drills
from ops.console.facts import Facts, Moved, Reading
from ops.console.gathering import PROBES_KEPT, Gatherer
from ops.console.outputs import Outputs
from ops.console.runs import Runs
from ops.console.sources import SOURCES, Source, World
from ops.errors import OperatorError
from ops.recovery import standing
from ops.recovery.items import Items
from ops.stack_file import parse
from ops.workspace import Workspace
from recovery.ports import UnavailableError

FILE = parse("lab", LAB_FILE)
OUTPUTS = {
    "app.primary.load_balancer_dns_name": "east.elb",
    "app.primary.load_balancer_arn_suffix": "app/e/1",
    "data.primary.cluster_identifier": "cluster",
    "global.primary.health_check_id": "check",
}


def world(tmp_path: Path, table: Any = None, endpoint: str | None = "http://127.0.0.1:1") -> World:
    """Whom to ask: clients that answer from a table, and outputs that are known."""
    space = Workspace(tmp_path, tmp_path)
    outputs = Outputs(space, "lab", None)
    outputs.flat = OUTPUTS
    asked = cast(Clients, FakeClients(table or {}))
    return World(space, FILE, asked, outputs, Drills(tmp_path), endpoint)


def gatherer(tmp_path: Path, *asked: Source, stack: Any = LAB) -> Gatherer:
    runs = Runs(tmp_path, {}, tmp_path)
    return Gatherer(world(tmp_path), stack, runs, sources=asked, now=lambda: NOW)


def source(name: str, answer: Any, **more: Any) -> Source:
    """One that answers this, or raises it."""

    def ask(_world: World, region: str) -> Any:
        found = answer(region) if callable(answer) else answer
        if isinstance(found, Exception):
            raise found
        return found

    return Source(name, ask, 5, 15, **more)


@pytest.mark.parametrize(
    ("answer", "value", "why"),
    [
        ("yes", "yes", ""),
        (refusal("Throttling"), None, "Throttling"),
        (OperatorError("no table:\nrun up"), None, "no table: run up"),
        (UnavailableError("table: Throttling"), None, "table: Throttling"),
        (KeyError("region"), None, "'region'"),
    ],
)
def test_an_answer_or_why_there_is_none(tmp_path: Path, answer: Any, value: Any, why: str) -> None:
    """Issue 21: whatever is raised makes one thing unknown; nothing ends the page."""
    asked = source("switch", answer)
    made = gatherer(tmp_path, asked)
    notified: list[str] = []
    made.changed = lambda: notified.append("changed")
    assert not made.complete
    made.ask(asked, "")
    assert made.complete
    facts = made.facts()
    assert (facts.value("switch"), facts.why("switch")) == (value, why)
    assert notified == ["changed"]


def test_an_answer_lasts_three_times_its_pause(tmp_path: Path) -> None:
    """Issue 21: then it is too old to be known."""
    asked = source("health", "200 healthy", regional=True)
    made = gatherer(tmp_path, asked)
    made.ask(asked, EAST)
    facts = made.facts()
    assert facts.value("health", EAST) == "200 healthy"
    assert facts.value("health", WEST) is None
    assert replace(facts, now=NOW + 18).value("health", EAST) == "200 healthy"
    assert replace(facts, now=NOW + 19).why("health", EAST) == "no answer for 19 s"


def test_a_lab_that_does_not_run_is_not_asked(tmp_path: Path) -> None:
    """Issue 21: its regions are unknown because it doesn't run; files are read all the same."""
    lab, switch = source("lab", STOPPED), source("switch", "released")
    drills = source("drills", ())
    made = gatherer(tmp_path, lab, switch, drills)
    for asked in (lab, switch, drills):
        made.ask(asked, "")
    assert made.facts().why("switch") == "the lab isn't running"
    assert made.facts().value("drills") == ()


def test_probes_are_remembered_once_each(tmp_path: Path) -> None:
    """Issue 21: probe by probe, though AWS answers with the newest alone; a bounded number."""
    later = replace(PROBE, at=NOW, success=False)
    answers = iter([Probes((PROBE,)), Probes((later, PROBE)), Probes((PROBE,))])
    asked = source("probes", lambda _: next(answers), regional=True)
    made = gatherer(tmp_path, asked)
    for _ in range(3):
        made.ask(asked, EAST)
    assert made.facts().probes == {EAST: (PROBE, later)}
    many = source("probes", Probes(tuple(replace(PROBE, at=n) for n in range(100))), regional=True)
    made.ask(many, WEST)
    assert [probe.at for probe in made.facts().probes[WEST]] == list(range(100 - PROBES_KEPT, 100))


def test_where_dns_led_before_is_remembered(tmp_path: Path) -> None:
    """Issue 21: for how long clients keep the answer counts from the change; an answer that isn't
    known is no change."""
    answers = iter([Traffic(EAST, 60), Traffic("", 0, "x"), Traffic(EAST, 60), Traffic(WEST, 60)])
    asked = source("traffic", lambda _: next(answers))
    made = gatherer(tmp_path, asked)
    for _ in range(3):
        made.ask(asked, "")
        assert made.facts().moved is None
    made.ask(asked, "")
    assert made.facts().moved == Moved(EAST, NOW)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_everything_is_asked_again_when_the_lab_has_changed(tmp_path: Path) -> None:
    """Issue 21: the page turns with the lab's own state, not at the next round; what waits for
    names waits for the layers, and all end together."""
    outages: list[dict[str, list[str]]] = [{}]
    asked: list[str] = []
    go = threading.Event()

    def layers(_: str) -> Any:
        go.wait(60)
        return ()

    lab = Source("lab", lambda *_: replace(CALM, outages=outages[0]), 0.01, 0)
    health = Source("health", lambda _, region: asked.append(region), 3600, 0, regional=True)
    never = Source("caller", lambda *_: asked.append("caller"), 0, 300)
    before = threading.active_count()
    made = gatherer(tmp_path, replace(source("layers", layers), in_lab=3600), lab, health, never)
    made.start()
    until(lambda: "lab" in made.facts().readings)
    assert asked == []
    go.set()
    until(lambda: sorted(asked) == [EAST, WEST])
    outages[0] = {EAST: ["api"]}
    until(lambda: sorted(asked) == [EAST, EAST, WEST, WEST])
    made.stop()
    until(lambda: threading.active_count() <= before)


@pytest.mark.parametrize(
    ("before", "after", "woken"),
    [
        (CALM, CALM, 0),
        (CALM, STOPPED, 1),
        (CALM, replace(CALM, faults={"fence-timeout": True}), 1),
        (CALM, OperatorError("x"), 1),
        (OperatorError("x"), OperatorError("y"), 0),
    ],
)
def test_what_counts_as_a_change_of_the_lab(
    tmp_path: Path, before: Any, after: Any, woken: int
) -> None:
    """Issue 21: losses, faults, its process; not its clock's time."""
    answers = iter([before, after])
    asked = source("lab", lambda _: next(answers))
    made = gatherer(tmp_path, asked)
    made.ask(asked, "")
    made.ask(asked, "")
    assert made._woken == woken


# -- The sources -----------------------------------------------------------------------------------


def test_at_most_sixty_calls_a_minute_on_aws() -> None:
    """Issue 21: as declared, dearest first; and a cent or two an hour."""
    asked = sources.asked()
    assert sum(one.calls_a_minute for one in asked) <= 60
    assert 0 < sum(one.dollars_an_hour for one in asked) < 0.05
    assert [one.calls_a_minute for one in asked] == sorted(
        (one.calls_a_minute for one in asked), reverse=True
    )
    assert {"layers", "health", "traffic"}.isdisjoint(one.name for one in asked)


class Counting(FakeClients):
    """Counts the calls of AWS's APIs."""

    calls = 0

    def get(self, service: str, region: str) -> Any:
        inner, outer = super().get(service, region), self

        class Counted:
            def __getattr__(self, name: str) -> Any:
                if name != "get_paginator":
                    outer.calls += 1
                return getattr(inner, name)

            def get_paginator(self, name: str) -> Any:
                outer.calls += 1
                return inner.get_paginator(name)

        return Counted()


STATE = {"Item": None}
QUEUE = {"get_queue_url": {"QueueUrl": "u"}, "get_queue_attributes": {"Attributes": {}}}
TABLE: dict[tuple[str, str], dict[str, Any]] = {
    ("sqs", ""): QUEUE,
    ("dynamodb", ""): {"get_item": STATE, "query": {"Items": []}},
    ("secretsmanager", ""): {"get_secret_value": {"SecretString": "t"}},
    ("rds", ""): {"describe_global_clusters": {"GlobalClusters": [
        {"GlobalClusterMembers": [], "Status": "available"}]}},
    ("cloudwatch", ""): {"get_metric_statistics": {"Datapoints": []},
                         "get_metric_data": {"MetricDataResults": []}},
    ("route53", ""): {"get_health_check_status": {"HealthCheckObservations": []}},
    ("ssm", ""): {"get_parameter": {"Parameter": {"Value": "released"}},
                  "get_parameters_by_path": {"Parameters": []}},
    ("sts", ""): {"get_caller_identity": {"Account": "1", "Arn": "a"}},
}  # fmt: skip


@pytest.mark.parametrize("asked", SOURCES, ids=lambda asked: asked.name)
def test_a_source_calls_as_often_as_it_declares(tmp_path: Path, asked: Source) -> None:
    """Issue 21: what the page says of its cost is what it does."""
    made = world(tmp_path, endpoint=None)
    made.outputs.flat = {**OUTPUTS, "data.global_cluster_id": "g"}
    counted = Counting(TABLE)
    made.clients = cast(Clients, counted)
    if asked.name == "layers":
        with pytest.raises(OperatorError, match="no engine"):
            asked.ask(made, "")
    else:
        for _ in range(2):
            # The queues' addresses are asked for the first time alone.
            counted.calls = 0
            asked.ask(made, EAST if asked.regional else "")
    assert counted.calls == asked.calls


def test_what_each_source_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 21: by the deployed names; in the lab DNS is the lab's own."""
    made = world(tmp_path, TABLE)
    by_name = {one.name: one for one in SOURCES}
    where: list[Any] = []
    monkeypatch.setattr(client, "status", lambda _: RUNNING)
    monkeypatch.setattr(client, "requests", lambda _: {"regions": {EAST: [[1, 2, 0]]}})
    monkeypatch.setattr(traffic, "now", lambda *given: where.append(given))
    assert by_name["lab"].ask(made, "") is RUNNING
    assert by_name["requests"].ask(made, "") == {EAST: [[1, 2, 0]]}
    by_name["traffic"].ask(made, "")
    by_name["traffic"].ask(replace(made, lab_endpoint=None), "")
    assert [given[2] for given in where] == ["127.0.0.1:53", None]
    assert by_name["health"].ask(made, WEST) == "not deployed"
    assert by_name["lag"].ask(made, WEST) == "not deployed"
    assert str(by_name["ready"].ask(made, WEST)) == "unknown (not deployed)"
    assert by_name["probes"].ask(made, WEST) == Probes(unknown="not deployed")


def test_recovery_is_the_document_of_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 21: the page and ``./inv recovery.status`` say the same."""
    made = world(tmp_path)
    monkeypatch.setattr(Items, "read", lambda _: "both")
    monkeypatch.setattr(standing, "as_document", lambda *given: given[:3])
    (recovery,) = [one for one in SOURCES if one.name == "recovery"]
    assert recovery.ask(made, "") == ("both", FILE, made.clients)


def test_the_same_answer_again_is_no_change(tmp_path: Path) -> None:
    """Issue 21: an open page costs what changes, not what is asked."""
    answers = iter(["released", "released", "engaged", OperatorError("no"), OperatorError("no")])

    def answer(_: str) -> str:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    asked = source("switch", answer)
    made = gatherer(tmp_path, asked)
    changes: list[str] = []
    made.changed = lambda: changes.append(made.facts().readings["switch"].value)
    for _ in range(5):
        made.ask(asked, "")
    assert changes == ["released", "engaged", None]


def test_readings_of_a_stack_on_aws(tmp_path: Path) -> None:
    """Issue 21: nothing of the lab is asked there, and its own pauses count."""
    asked = source("switch", "released")
    made = gatherer(tmp_path, asked, replace(asked, name="lab", on_aws=0), stack=AWS)
    made.ask(asked, "")
    assert made.complete
    assert made.facts().readings["switch"] == Reading("released", NOW, 48, "")
    assert isinstance(made.facts(), Facts)
