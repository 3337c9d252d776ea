"""A drill's result in the recovery items and as metrics: what makes ``prod`` automatic."""

from __future__ import annotations

import time
from typing import Any

import pytest
from drill_histories import EAST, WEST
from fake_clients import refusal
from recovery_tables import Measured, Table, lost

from ops.drill import result
from ops.drill.scenario import load
from ops.recovery.items import Items
from recovery.mode import effective_mode
from recovery.model import Drill, Mode, Settings, State
from recovery.observation import Switch, Validation

NOW = int(time.time()) // 60
PROVEN = Validation(NOW, True, True, True, True, "16.8")
PROD = Settings(WEST, EAST, Switch.ENGAGED, environment="prod", accepted_by="A. Owner")
PASSED = {"verdict": "passed", "traffic_rto_seconds": 140.0, "write_rto_seconds": 200.0}


@pytest.fixture
def account() -> Measured:
    """Both tables; us-west-2's controller is armed."""
    return Measured(
        Table(State(validation=PROVEN)), Table(State(validation=PROVEN, armed=True))
    )  # fmt: skip


def items(account: Measured) -> Items:
    """The items of that account."""
    clients: Any = account
    return Items(clients, "x", "prod")


def record(account: Measured, document: dict[str, Any], scenario: str = "region-loss") -> list[str]:
    """What is reported when a drill's result is written."""
    said: list[str] = []
    clients: Any = account
    result.record(items(account), clients, "x", load(scenario), document, said.append)
    return said


def mode(account: Measured, minute: int = NOW) -> Mode:
    """The effective mode of us-west-2's controller in ``prod``."""
    return effective_mode(account.tables[WEST].state, PROD, minute).mode


def test_prod_becomes_automatic_by_a_passed_drill(account: Measured) -> None:
    """RECOVERY 3: notify before it, automatic while it runs and for 90 days after it passed."""
    assert mode(account) is Mode.NOTIFY
    with result.running(items(account), load(), pytest.fail):
        assert mode(account) is Mode.AUTOMATIC
        assert record(account, PASSED) == []
    for table in account.tables.values():
        drill = table.state.drill
        assert drill is not None
        assert (drill.passed, drill.running_until) == (True, 0)
        assert drill.ended >= NOW
    assert mode(account) is Mode.AUTOMATIC
    late = NOW + 91 * 24 * 60
    reasons = effective_mode(account.tables[WEST].state, PROD, late).reasons
    assert "no drill passed in the last 90 days" in reasons


def test_a_drill_that_was_killed_ends_by_itself(account: Measured) -> None:
    """The mark is for the drill's longest time, and no result comes of it."""
    with result.running(items(account), load(), pytest.fail):
        ends = int(time.time()) // 60 + result.minutes_of(load())
        assert mode(account, ends - 2) is Mode.AUTOMATIC
        assert mode(account, ends + 2) is Mode.NOTIFY
    assert account.tables[EAST].state.drill is account.tables[WEST].state.drill is None


def test_a_failed_drill_takes_automatic_away(account: Measured) -> None:
    """The newest result counts."""
    record(account, PASSED)
    assert record(account, {**PASSED, "verdict": "failed"}) == []
    assert mode(account) is Mode.NOTIFY
    assert len(account.put) == 4


@pytest.mark.parametrize(
    ("document", "scenario", "metrics"),
    [
        ({**PASSED, "verdict": "void"}, "region-loss", 0),
        ({**PASSED, "verdict": "failed"}, "peering-cut", 2),
        (PASSED, "planned-switchover", 2),
        ({**PASSED, "traffic_rto_seconds": None, "write_rto_seconds": None}, "peering-cut", 0),
    ],
)
def test_what_proves_nothing_leaves_the_result_that_stands(
    account: Measured, document: dict[str, Any], scenario: str, metrics: int
) -> None:
    """A void drill, and one that promotes nobody; another clock has no figures."""
    record(account, PASSED)
    account.put.clear()
    before = account.tables[WEST].state.drill
    with result.running(items(account), load(scenario), pytest.fail):
        record(account, document, scenario)
    assert account.tables[WEST].state.drill == before
    assert len(account.put) == metrics


def test_the_metrics_are_where_the_controller_is_armed(account: Measured) -> None:
    """NAMES: seconds, by the environment's suffix."""
    record(account, PASSED)
    assert account.put == [
        (WEST, "DrillTrafficRto", 140.0, "x"), (WEST, "DrillWriteRto", 200.0, "x"),
    ]  # fmt: skip
    other = Measured(Table(State(armed=True)), Table(State()))
    record(other, PASSED)
    assert {region for region, *_ in other.put} == {EAST}
    nowhere = Measured(Table(State()), Table(State()))
    record(nowhere, PASSED)
    assert {region for region, *_ in nowhere.put} == {WEST}


def test_what_can_not_be_written_is_reported_and_stops_nothing() -> None:
    """The evidence is written already; each place by itself."""
    denied = Measured(Table(State()), Table(State()), refusal("AccessDenied"))
    assert record(denied, PASSED) == [
        "DrillTrafficRto isn't written in us-west-2: AccessDenied",
        "DrillWriteRto isn't written in us-west-2: AccessDenied",
    ]
    assert denied.tables[EAST].state.drill is not None
    one = Measured(Table(State(), lost()), Table(State(armed=True)))
    (line,) = record(one, PASSED)
    assert line.startswith("the drill isn't written into the recovery items of us-east-1:")
    assert one.tables[WEST].state.drill == Drill(True, one.tables[WEST].state.drill.ended)  # type: ignore[union-attr]
    both = Measured(Table(State(), lost()), Table(State(), lost()))
    (line,) = record(both, PASSED)
    assert line.startswith("the drill isn't written into the recovery items: no recovery")


def test_what_does_not_answer_is_for_readiness_to_refuse() -> None:
    """The mark is reported as missing, and the drill isn't begun by that alone."""
    both = Measured(Table(State(), lost()), Table(State(), lost()))
    said: list[str] = []
    with result.running(items(both), load(), said.append):
        assert len(said) == 1
    assert len(said) == 2
    assert "no recovery table answers" in said[0]


def test_an_item_that_others_write_all_the_time_is_reported(
    account: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line; the mark ends by itself."""
    monkeypatch.setattr("ops.recovery.items.PAUSE_SECONDS", 0.0)
    said: list[str] = []
    with result.running(items(account), load(), said.append):
        account.tables[WEST].overtaken = 99
    (line,) = said
    assert "was written by others 5 times" in line
