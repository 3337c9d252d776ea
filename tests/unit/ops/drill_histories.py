"""Histories and documents for the tests of the drill's pure parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ops.drill import measure
from ops.drill.checker import DataVerdict, check
from ops.drill.document import About, Course, build
from ops.drill.findings import Finding
from ops.drill.history import Found, History, Kind, Operation, Outcome, Reading, Seen, What, as_line
from ops.drill.judge import Facts, Judgement, Verdict, judge
from ops.drill.measure import HONEST
from ops.drill.scenario import Scenario, load
from tapstack.budget import recovery_budget

EAST, WEST = "us-east-1", "us-west-2"
BUDGET = recovery_budget(30, 3)
LOSS_AT = 100.0


def written(number: int, at: float = 10.0, **changes: Any) -> Operation:
    """An acknowledged write with an object and an event."""
    made = Operation(
        Kind.WRITE, HONEST, number, 1, at, at, at + 0.1, Outcome.OK, 201, EAST,
        f"id-{number}", f"event-{number}", f"object-{number}", f"digest-{number}",
    )  # fmt: skip
    return replace(made, **changes)


def request(at: float, ok: bool = True, region: str = EAST, **changes: Any) -> Operation:
    """A read of the feed."""
    outcome, status = (Outcome.OK, 200) if ok else (Outcome.UNKNOWN, 0)
    made = Operation(
        Kind.READ, HONEST, -1, 1, at, at, at + 0.05, outcome, status, region if ok else ""
    )
    return replace(made, **changes)


def whole(numbers: Iterable[int], regions: Iterable[str] = (EAST, WEST)) -> History:
    """A history in which everything was written once and found everywhere."""
    history = History()
    numbers, regions = list(numbers), list(regions)
    for number in numbers:
        history.add(written(number, at=10.0 + number))
    for region in regions:
        for number in numbers:
            history.add(Found(region, What.ROW, f"id-{number}", number))
            history.add(Found(region, What.OBJECT, f"object-{number}", -1, f"digest-{number}"))
            history.add(Found(region, What.EVENT, f"event-{number}"))
        for what in What:
            history.add(Reading(region, what, True))
    return history


def without(history: History, region: str, key: str) -> History:
    """The same, but one region lacks one thing."""
    history.found = [
        one for one in history.found if (one.region, one.key) != (region, key)
    ]  # fmt: skip
    return history


def recovered_course(traffic: float = 120.0, writes: float = 260.0) -> History:
    """A request and a write a second for ten minutes, a loss at 100 s."""
    history = History()
    for tick in range(600):
        at = float(tick)
        since = at - LOSS_AT
        home = since < 0
        history.add(request(at, home or since >= traffic, EAST if home else WEST))
        ok = home or since >= writes
        history.add(
            written(tick, at, region=EAST if home else WEST)
            if ok
            else written(
                tick,
                at,
                outcome=Outcome.UNKNOWN,
                status=503,
                record="",
                event="",
                object="",
                digest="",
            )
        )
        if ok:
            history.add(Found(WEST, What.ROW, f"id-{tick}", tick))
            history.add(Found(WEST, What.OBJECT, f"object-{tick}", -1, f"digest-{tick}"))
            history.add(Found(WEST, What.EVENT, f"event-{tick}"))
    for what in What:
        history.add(Reading(WEST, what, True))
    for at, source, what in (
        (1.0, "dns", EAST), (1.0, "writer", EAST), (1.0, "controller", "us-west-2: watching"),
        (1.0, "health", "us-east-1: healthy"), (190.0, "health", "us-east-1: unhealthy"),
        (170.0, "controller", "us-west-2: suspect"), (200.0, "dns", WEST),
        (350.0, "controller", "us-west-2: called"), (352.0, "writer", WEST),
        (1.0, "drill", "the load begins"),
    ):  # fmt: skip
        history.add(Seen(at, source, what))
    return history


FACTS = Facts(
    writer=WEST, promotions=1, stages=frozenset({"watching", "suspect"}), steady=True,
    late_seconds=0.004, clock=1.0, home=EAST,
)  # fmt: skip


def document(
    history: History | None = None,
    scenario: Scenario | None = None,
    clock: float = 1.0,
    name: str = "20261128T004500Z-region-loss-7",
    started: float = 1_795_826_700.0,
    findings: tuple[Finding, ...] = (),
    facts: Facts = FACTS,
) -> dict[str, Any]:
    """A drill's document, made as the drill makes it."""
    lines = lines_of(history) if history else recovered_lines()
    history = history or recovered_course()
    scenario = scenario or load()
    figures = measure.figures(history, LOSS_AT)
    data: DataVerdict = check(history, loss_at=LOSS_AT, bound_seconds=5.0)
    facts = replace(facts, clock=clock)
    judgement: Judgement = judge(scenario, figures, data, facts, BUDGET)
    assert judgement.verdict in Verdict
    return build(
        About(
            name, "lab", "lab", clock, 7, "0" * 40, "f" * 64, {"PostgreSQL": "16.8"},
            (("A. Reader", "observer"),), "An Owner",
        ),
        scenario,
        Course(
            started, started + 600, LOSS_AT, 5.0, {"writer": EAST}, {"writer": WEST},
            "us-west-2 writes", ({"at": 360.0, "to": "topic", "text": "us-west-2 writes"},),
        ),
        history, figures, data, facts, judgement, BUDGET, (f"{name}.jsonl", lines), findings,
    )  # fmt: skip


@cache
def recovered_lines() -> bytes:
    """The file of :func:`recovered_course`, which most drills of the tests have."""
    return lines_of(recovered_course())


def lines_of(history: History) -> bytes:
    """The history's file."""
    return "".join(f"{as_line(entry)}\n" for entry in history.entries()).encode()


def keyed(path: Path, monkeypatch: Any) -> Path:
    """A signing key of the test's own."""
    monkeypatch.setenv("WARM_STANDBY_SIGNING_KEY", str(path / "keys" / "signing.key"))
    return path / "keys" / "signing.key"
