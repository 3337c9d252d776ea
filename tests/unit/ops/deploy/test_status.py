"""``./inv status``: both regions, layers and the budget."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from lab_answers import RUNNING, STOPPED
from test_standing import DARK, DEAD, PRIMARY, STANDBY, WELL, both, red
from watched_driver import Watched, watched

from lab import client
from ops.cloud import alarms, regions, switch, traffic
from ops.cloud.alarms import RegionAlarms
from ops.cloud.traffic import Traffic
from ops.deploy import status
from ops.deploy.standing import Standing
from ops.errors import ExitCode


@pytest.fixture
def driver(tmp_path: Path) -> Watched:
    """Two layers of four are deployed."""
    return watched(tmp_path, FakeEngine("network", "app"))


def seen(monkeypatch: pytest.MonkeyPatch, standing: Standing) -> None:
    """That is what is seen."""
    monkeypatch.setattr(
        status, "look", lambda _, missing: replace(standing, missing_layers=missing)
    )


def test_status_shows_layers_and_regions(
    driver: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """R3, R1, N4, N6: which layers stand with which contract, each region's health, who writes,
    how far the other is behind, and the budget piece by piece."""
    seen(monkeypatch, both(PRIMARY, replace(STANDBY, health="answers 503")))
    assert status.show(driver, as_json=True) is ExitCode.OK
    printed = json.loads(capsys.readouterr().out)
    assert [layer["deployed"] for layer in printed["layers"]] == [True, False, True, False]
    assert [layer["contract"] for layer in printed["layers"]] == [1, None, 1, None]
    assert printed["regions"][0]["database"] == "writer, available"
    assert printed["regions"][1]["replication_lag"] == "9 ms"
    assert (printed["writes"], printed["writer"]) == (True, "us-east-1")
    assert printed["traffic"] == {"region": "us-east-1", "ttl": 60, "detail": ""}
    budget = printed["budget"]
    assert budget["write_rto_seconds"] == sum(piece["seconds"] for piece in budget["writes"])
    status.show(driver, as_json=False)
    assert "network  yes" in driver.out
    assert "200 healthy" in driver.out
    assert "9 ms" in driver.out
    total = budget["write_rto_seconds"]
    assert re.search(rf"^RTO of writes +{total} s +objective 900 s$", driver.out, re.MULTILINE)
    assert re.search(r"^  promotion of .* database +480 s +\+ *$", driver.out, re.MULTILINE)
    assert driver.out.endswith(
        "next: run ./inv deploy-all --stack dev: data, global isn't deployed\n"
    )


def test_status_fails_when_writes_fail(
    driver: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 17.8: with the database dead it was green and exited 0; the alarms that are red, and a
    region that can't say, are named."""
    unknown = RegionAlarms("us-east-1", unknown="no connection")
    dead = both(DEAD, alarms=(unknown, red("rds-rpo-lag")[1]))
    seen(monkeypatch, dead)
    assert status.show(driver, as_json=False) is ExitCode.DIFFERENCE
    assert re.search(r"^writes +FAIL *$", driver.out, re.MULTILINE)
    assert re.search(r"^DNS +us-east-1; a client keeps the answer for 60 s", driver.out, re.M)
    assert re.search(r"^alarms +1 red, us-east-1 unknown \(no connection\)", driver.out, re.M)
    assert status.show(driver, as_json=True) is ExitCode.DIFFERENCE
    listed = json.loads(capsys.readouterr().out)["alarms"]
    assert [region["unknown"] for region in listed] == ["no connection", ""]
    assert [alarm["alarm"] for alarm in listed[1]["red"]] == ["rds-rpo-lag"]


def test_watching_goes_on_until_it_is_interrupted(
    driver: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 17.8: Ctrl-C ends it, and the exit code is the last look's."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        seen(monkeypatch, both(DEAD))
        if len(pauses) == 2:
            raise KeyboardInterrupt

    seen(monkeypatch, WELL)
    assert status.watch(driver, pause) is ExitCode.DIFFERENCE
    assert pauses == [status.WATCH_SECONDS] * 2
    assert driver.out.count("next: ") == 2


OUTPUTS = {
    "global.fqdn": "app.x",
    "global.name_servers": ["ns-1.aws", "ns-2.aws"],
    "app.primary.load_balancer_dns_name": "east.elb",
    "app.secondary.load_balancer_dns_name": "west.elb",
}


@pytest.mark.parametrize(
    ("endpoint", "lab", "servers"),
    [
        (None, STOPPED, [("ns-1.aws", 53), ("ns-2.aws", 53)]),
        ("http://127.0.0.1:1", RUNNING, [("127.0.0.1", 53)]),
        ("http://127.0.0.1:1", STOPPED, []),
    ],
)
def test_everything_is_asked_at_once(
    driver: Watched, monkeypatch: pytest.MonkeyPatch, endpoint: str | None, lab: Any, servers: Any
) -> None:
    """Issue 17.8: DNS by the zone's own servers, in the lab by the lab's."""
    asked: list[Any] = []

    def where(name: str, given: Any, balancers: Any, addresses: Any) -> Traffic:
        asked.append((name, given, balancers, addresses))
        return WELL.traffic

    driver.lab_endpoint = endpoint
    monkeypatch.setattr(client, "status", lambda _: lab)
    monkeypatch.setattr(Watched, "outputs", lambda _: OUTPUTS)
    monkeypatch.setattr(traffic, "traffic", where)
    monkeypatch.setattr(regions, "regions", lambda *_: [PRIMARY, STANDBY])
    monkeypatch.setattr(switch, "switch", lambda *_: "released")
    monkeypatch.setattr(alarms, "alarms", lambda *_: WELL.alarms)
    found = status.look(driver, ["data"])
    assert found == replace(WELL, flags="", missing_layers=["data"], regions=[PRIMARY, STANDBY])
    addresses = traffic.in_the_lab if endpoint else traffic.resolved
    balancers = {"us-east-1": "east.elb", "us-west-2": "west.elb"}
    assert asked == [("app.x", servers, balancers, addresses)]


def test_dns_before_it_is_deployed(driver: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 17.8: said so, and nothing is asked."""
    monkeypatch.setattr(Watched, "outputs", lambda _: {})
    for module, name, answer in (
        (regions, "regions", [replace(PRIMARY, health=DARK), STANDBY]),
        (switch, "switch", "released"),
        (alarms, "alarms", WELL.alarms),
    ):
        monkeypatch.setattr(module, name, lambda *_, a=answer: a)
    assert str(status.look(driver, ()).traffic) == "unknown (not deployed)"
