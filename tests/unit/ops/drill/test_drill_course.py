"""The course: steady before anything is broken, then watched until all has happened."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from drill_histories import EAST, LOSS_AT, WEST, recovered_course, request
from fake_clients import FakeClients, refusal
from rich.console import Console

from ops.drill import decisions, measure
from ops.drill.course import SETTLING_REAL_SECONDS, Course, said, steady_seconds
from ops.drill.decisions import Entry
from ops.drill.display import Display
from ops.drill.history import History, Seen
from ops.drill.measure import Figures
from ops.drill.scenario import Action, Scenario, Step, load
from ops.drill.watch import Standing
from ops.errors import OperatorError
from ops.recovery.items import Items

DONE = measure.figures(recovered_course(), LOSS_AT)
OPEN = replace(DONE, writes={"honest": None})


class Time:
    """The drill's time, which a pause lets pass; clock 2."""

    def __init__(self) -> None:
        self.now = 0.0
        self.standing = Standing({"writer": WEST}, [(0.0, WEST, "watching")])

    def drill_time(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds * 2


class Played:
    """One course over a world that does what it is asked."""

    def __init__(self, scenario: Scenario | None = None, figures: Figures = DONE) -> None:
        self.time, self.acted, self.seen, self.shown = Time(), [], [], []
        self.steady_from = self.refused = 0.0
        self.stages: list[str] = []
        self.course = Course(
            scenario or load(), self.time, self.time, self._act, self.seen.append,  # type: ignore[arg-type]
            lambda _: figures, lambda at: at >= self.steady_from, 10.0, 2.0, self.time.pause,
            lambda *given: self.shown.append(given),
        )  # fmt: skip

    def _act(self, step: Step, begun: Any) -> None:
        self.time.now += self.refused
        if self.refused:
            begun()
        self.acted.append((self.time.now, step.action))
        self.time.standing.stages += [(self.time.now, WEST, stage) for stage in self.stages]

    def run(self) -> Played:
        self.course.run()
        return self


def test_a_loss_comes_after_the_steady_time_and_its_phase() -> None:
    """Issue 20.4: anywhere in the minute, never before everything is served."""
    played = Played().run()
    ((at, action),) = played.acted
    assert action is Action.OUTAGE
    assert at == pytest.approx(steady_seconds(2.0) + 10, abs=2)
    assert played.course.loss_at == at
    assert [one.what for one in played.seen] == [
        "the load begins", "outage us-east-1", "the watch ends",
    ]  # fmt: skip
    assert played.time.now < at + 80, "done once a minute has passed and all has happened"


def test_a_promise_is_measured_after_a_longer_steady_time() -> None:
    """Issue 20.4: figures of another clock than 1 are held against nothing."""
    assert steady_seconds(1.0) == 20
    assert steady_seconds(20.0) == 8 * 20


def test_a_system_that_is_not_steady_is_not_broken() -> None:
    """It is waited for, and then given up with nothing touched."""
    late = Played()
    late.steady_from = 100.0
    assert late.run().acted[0][0] > 100
    never = Played()
    never.steady_from = float("inf")
    with pytest.raises(OperatorError, match="nothing was broken"):
        never.run()
    assert never.acted == []
    assert never.time.now > SETTLING_REAL_SECONDS * 2


@pytest.mark.parametrize(
    ("name", "figures", "writer"),
    [
        ("region-loss", OPEN, WEST),
        ("region-loss", replace(DONE, dns_switch=None), WEST),
        ("region-loss", replace(DONE, traffic={"honest": None}), WEST),
        ("region-loss", DONE, EAST),
        ("peering-cut", DONE, EAST),
        ("lag-above-limit", DONE, EAST),
    ],
)
def test_it_is_watched_to_the_end_while_something_is_missing(
    name: str, figures: Figures, writer: str
) -> None:
    """Nothing is called recovered early; what must not happen is watched for all the time."""
    played = Played(load(name), figures)
    played.time.standing.now["writer"] = writer
    played.run()
    assert played.time.now >= played.course.loss_at + load(name).watch_seconds


def test_a_step_waits_for_a_stage_and_the_loss_is_the_named_one() -> None:
    """H10: the controller is stopped half-way, after its call, and started so long after that."""
    played = Played(load("controller-stopped"))
    played.stages = ["called", "promoted"]
    played.run()
    assert [action for _, action in played.acted] == [
        Action.FAULT, Action.OUTAGE, Action.STOP_CONTROLLER, Action.START_CONTROLLER,
    ]  # fmt: skip
    assert played.course.loss_at == played.acted[1][0]
    assert played.acted[3][0] >= played.acted[2][0] + 240
    before = Played(load("controller-stopped"))
    before.time.standing.stages.append((1.0, WEST, "called"))
    before.time.standing.stages.append((2.0, WEST, "watching"))
    with pytest.raises(OperatorError, match="no controller was called within 600 s"):
        before.run()


def test_a_later_loss_waits_for_a_steady_state_as_well() -> None:
    """A busy machine may lose it while replication falls behind; a switchover before the loss is
    noticed by clients, and nothing is waited for."""
    late = Played(load("replication-stalled"))
    steady = late.course.steady
    late.course.steady = lambda at: steady(at) and not 100 < at < 300
    late.run()
    assert late.course.loss_at >= 300
    during = Played(load("loss-during-switchover"))
    during.course.steady = lambda at: at < 30
    during.run()
    assert len(during.acted) == 3


def test_a_stage_that_must_be_passed_is_watched_for() -> None:
    """H10: writes are regained before the next run adopts the call, and the drill shows both."""
    played = Played(load("controller-stopped"))
    played.stages = ["called"]
    played.run()
    assert played.time.now >= played.course.loss_at + load("controller-stopped").watch_seconds


def test_a_loss_that_was_refused_first_is_measured_from_its_beginning() -> None:
    """A planned change under load is asked for until nothing refuses it: what comes before isn't
    its doing."""
    played = Played(load("planned-switchover"))
    played.refused = 90.0
    played.run()
    ((at, action),) = played.acted
    assert action is Action.PLANNED
    assert played.course.loss_at == at


def test_a_step_is_said_in_words() -> None:
    """As the timeline has it."""
    assert said(Step(Action.OUTAGE, part="api", mode="hang")) == "outage us-east-1 (api hang)"
    assert said(Step(Action.SWITCHOVER)) == "switchover us-east-1"


# What it shows


def test_a_terminal_shows_who_serves_who_writes_and_errors() -> None:
    """Issue 20: live, and what comes next."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    history = History(operations=[request(95.0), request(96.0, ok=False)])
    standing = {"dns": EAST, "writer": WEST, "controller us-west-2": "suspect"}
    display = Display(console, history, lambda: standing)
    with display:
        display.show("watching", 100.0, OPEN)
        display.seen(Seen(1.0, "dns", EAST))
        shown = display._live.renderable
        display.show("watching", 100.0, None)
    printed = Console(file=io.StringIO(), width=100)
    printed.print(shown)
    text = printed.file.getvalue()  # type: ignore[attr-defined]
    for part in ("us-east-1", "us-west-2", "1 served, 1 failed", "suspect", "not yet", "120 s"):
        assert part in text, part
    done = Display(console, history, lambda: standing)
    done.show("watching", 100.0, replace(DONE, traffic={}))
    assert "not yet" in str(list(done._live.renderable.columns[1].cells))  # type: ignore[union-attr]


def test_a_pipeline_gets_a_line_for_each_change() -> None:
    """No table where there is no terminal."""
    console = Console(file=io.StringIO(), width=100)
    display = Display(console, History(), dict)
    with display:
        display.show("watching", 1.0, None)
        display.seen(Seen(12.3, "dns", WEST))
    assert console.file.getvalue() == "   12.3 s  dns: us-west-2\n"  # type: ignore[attr-defined]


# The controllers' journals


BODIES = [
    ("decision", {"stage": "suspect", "reason": "dead signs", "actions": []}),
    ("decision", {"stage": "intent", "reason": "lost", "actions": [{"name": "CallFailover"}]}),
    ("outcome", {"action": {"name": "CallFailover"}, "outcome": {"answer": "accepted"}}),
    ("outcome", {"action": {"name": "CallFailover"}, "outcome": {"answer": "refused"}}),
    ("outcome", {"action": {"name": "Send", "notice": {"text": "us-west-2 writes"}},
                 "outcome": {"ok": True}}),
    ("outcome", {"action": {"name": "Send", "notice": {"text": "lost"}}, "outcome": {"ok": False}}),
    ("opened", {}),
]  # fmt: skip
ENTRIES = [Entry(WEST, n, n, kind, body) for n, (kind, body) in enumerate(BODIES, 1)]


def test_decisions_stand_in_the_timeline() -> None:
    """RECOVERY 7: each with its reason, its actions and what became of them."""
    found = decisions.timeline(ENTRIES, 60.0)
    assert found[0] == Seen(0.0, "decision", "us-west-2: suspect: dead signs")
    assert found[1].what == "us-west-2: intent: lost → CallFailover"
    assert found[2].what == "us-west-2: CallFailover: answer accepted"
    assert found[6].what == "us-west-2: opened: "
    assert (decisions.promotions(ENTRIES), decisions.refusals(ENTRIES)) == (1, 1)
    assert decisions.notices(ENTRIES, 60.0) == [
        {"at": 240.0, "to": "topic of us-west-2", "text": "us-west-2 writes"}
    ]


def test_a_journal_is_read_page_by_page() -> None:
    """After the entry that was the last one before the drill; a silent region adds nothing."""

    def item(number: int) -> dict[str, Any]:
        kind, body = BODIES[0]
        entry = {"number": number, "minute": number, "kind": kind, "body": json.dumps(body)}
        return {"entry": {"S": json.dumps(entry)}}

    asked: list[dict[str, Any]] = []

    def query(**given: Any) -> dict[str, Any]:
        asked.append(dict(given))
        if len(asked) == 1:
            return {"Items": [item(5)], "LastEvaluatedKey": {"number": {"N": "5"}}}
        return {"Items": [item(6)]}

    items = Items(FakeClients({("dynamodb", ""): {"query": query}}), "lab", "lab")  # type: ignore[arg-type]
    found = decisions.entries(items, WEST, 4)
    assert [(one.region, one.number, one.kind) for one in found] == [
        (WEST, 5, "decision"), (WEST, 6, "decision"),
    ]  # fmt: skip
    assert asked[0]["ExpressionAttributeValues"][":after"] == {"N": "4"}
    assert asked[1]["ExclusiveStartKey"] == {"number": {"N": "5"}}
    silent = Items(FakeClients({("dynamodb", ""): {"query": refusal()}}), "lab", "lab")  # type: ignore[arg-type]
    assert decisions.entries(silent, WEST, 0) == []
