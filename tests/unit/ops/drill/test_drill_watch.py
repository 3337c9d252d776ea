"""What the drill observes beside the clients: changes alone, and what isn't known is said."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from drill_histories import EAST, WEST
from fake_clients import FakeClients, refusal

from ops.drill import watch
from ops.drill.history import Seen
from ops.drill.site import Answer, Connections, Site
from ops.drill.watch import System, Watcher
from recovery.codec import to_json
from recovery.model import Stage, State

SITE = Site("app.example", {EAST: "alb-east", WEST: "alb-west"}, ())


def members(writer: str, **more: Any) -> dict[str, Any]:
    """DescribeGlobalClusters with this writer."""
    found = [
        {"DBClusterArn": f"arn:aws:rds:{one}:1:cluster:c", "IsWriter": one == writer, **more}
        for one in (EAST, WEST)
    ]
    return {"GlobalClusters": [{"GlobalClusterMembers": found}]}


def system(answers: dict[str, Any] | None = None) -> System:
    """A system whose regions answer these."""
    state = State(stage=Stage.SUSPECT)
    item = {"Item": {"body": {"S": json.dumps(to_json(state))}}}
    table = {
        ("rds", ""): {"describe_global_clusters": members(EAST)},
        ("ssm", ""): {"get_parameter": {"Parameter": {"Value": "released"}}},
        ("dynamodb", ""): {"get_item": item},
    }
    for key, value in (answers or {}).items():
        table["rds", key] = {"describe_global_clusters": value}
    return System(SITE, FakeClients(table), "lab", "g")  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _answering(monkeypatch: pytest.MonkeyPatch) -> None:
    """us-east-1's application answers, us-west-2's doesn't; DNS answers us-east-1."""
    monkeypatch.setattr(
        Connections, "ask_region", lambda _, region, *__, **___: Answer(200 * (region == EAST))
    )
    monkeypatch.setattr(Site, "resolve", lambda _: ("192.0.2.1", 60.0))
    monkeypatch.setattr(Site, "region_of", lambda *_: EAST)


def test_everything_is_looked_at() -> None:
    """DNS, writer, switch, and of each region health and controller."""
    assert system().steady() == {
        "dns": EAST, "writer": EAST, "switch": "released",
        f"health {EAST}": "healthy", f"health {WEST}": "unhealthy",
        f"controller {EAST}": "suspect", f"controller {WEST}": "suspect",
    }  # fmt: skip


def test_the_writer_is_asked_of_whoever_answers() -> None:
    """The standby first, for an outage takes the other; nobody's answer is unknown."""
    lost = EndpointConnectionError(endpoint_url="https://x")
    assert system({WEST: members(WEST), EAST: lost}).writer() == WEST
    assert system({WEST: lost, EAST: members(EAST)}).writer() == EAST
    assert system({WEST: lost, EAST: lost}).writer() == watch.UNKNOWN
    assert system({WEST: members("nobody")}).writer() == watch.UNKNOWN


def test_databases_follow_or_not() -> None:
    """A member that resynchronises, a change under way and silence aren't synchronised."""
    pending = members(EAST, SynchronizationStatus="pending-resync")
    busy = members(EAST)
    busy["GlobalClusters"][0]["FailoverState"] = {"Status": "pending"}
    for answer, expected in (
        (members(EAST), True), (pending, False), (busy, False), (refusal("Throttling"), False),
    ):  # fmt: skip
        assert system({WEST: answer}).synchronised() is expected


def test_what_is_not_known_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither DNS nor a controller that doesn't answer is taken for something."""
    monkeypatch.setattr(Site, "resolve", lambda _: ("", 0.0))
    assert system().dns() == watch.UNKNOWN
    silent = System(
        SITE, FakeClients({("dynamodb", ""): {"get_item": refusal("Throttling")}}), "lab", "g"  # type: ignore[arg-type]
    )  # fmt: skip
    assert silent.state(EAST) is None
    assert silent.looks()["controller", EAST]() == watch.UNKNOWN


def test_only_changes_are_recorded() -> None:
    """A look that says the same says nothing; stages are remembered for steps that wait."""
    said = iter(["watching", "watching", "suspect"])
    kept: list[Seen] = []
    watcher = Watcher({("controller", WEST): lambda: next(said)}, kept.append, lambda: 5.0)
    for _ in range(3):
        watcher.look(("controller", WEST))
    assert kept == [
        Seen(5.0, "controller", f"{WEST}: watching"), Seen(5.0, "controller", f"{WEST}: suspect"),
    ]  # fmt: skip
    assert watcher.standing.now == {f"controller {WEST}": "suspect"}
    assert watcher.standing.stages_since(0.0) == {"watching", "suspect"}


def test_each_source_is_followed_until_the_end() -> None:
    """A source that hangs keeps no other waiting; the end is the end."""
    kept: list[Seen] = []
    watcher = Watcher({("dns", ""): lambda: EAST}, kept.append, lambda: 1.0, {"dns": 0.01})
    watcher.start()
    end = time.monotonic() + 20
    while not kept and time.monotonic() < end:
        time.sleep(0.01)
    watcher.stop()
    watcher.stop()
    assert kept == [Seen(1.0, "dns", EAST)]
    Watcher({("dns", ""): lambda: EAST}, kept.append, lambda: 1.0).stop()
