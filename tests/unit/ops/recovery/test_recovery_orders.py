"""``./inv recovery.freeze``, ``thaw``, ``hold`` and ``acknowledge``: both items, safe twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from fake_clients import refusal
from recovery_tables import EAST, WEST, Table, Tables, lost

from ops.cloud.clients import Clients
from ops.errors import ExitCode, OperatorError
from ops.recovery import items as room
from ops.recovery import orders
from ops.recovery.items import Items
from recovery.model import Freeze, Hold, Incident, Stage, State, Tail

MINUTE = 40_000_000
"""Later than this machine's clock, as a lab's schedule may be."""
WATCHING = State(version=3, last_minute=MINUTE, armed=True)
PROMOTED = replace(
    WATCHING, epoch=2, stage=Stage.READY, armed=False,
    incident=Incident(began=5, path=None, loss_bound_seconds=60, promoted=7),
)  # fmt: skip


def items(east: Table, west: Table) -> Items:
    """Both items of the environment ``test``."""
    return Items(cast(Clients, Tables(east, west)), "test", "dev")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries; none is taken."""
    seen: list[float] = []
    monkeypatch.setattr(room.time, "sleep", seen.append)
    monkeypatch.setattr("getpass.getuser", lambda: "operator")
    return seen


def test_a_freeze_stops_both_controllers_for_a_day_and_a_thaw_ends_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """H30: with its reason and who ordered it, by the schedule's minute; twice is the same."""
    east, west = Table(WATCHING), Table(WATCHING)
    for _ in range(2):
        orders.freeze(items(east, west), "maintenance", as_json=False)
    frozen = Freeze("maintenance", "operator", MINUTE, MINUTE + 1440)
    assert (east.state.freeze, west.state.freeze) == (frozen, frozen)
    assert east.state.version == 5
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "us-east-1: frozen by operator: maintenance"
    for _ in range(2):
        orders.thaw(items(east, west), as_json=True)
    assert (east.state.freeze, west.state.freeze) == (None, None)
    assert json.loads(capsys.readouterr().out.partition("}\n{")[0].rstrip("\n}") + "}}") == {
        EAST: {"stands": "not frozen"}, WEST: {"stands": "not frozen"},
    }  # fmt: skip


def test_a_hold_announces_work_for_an_hour_at_most(capsys: pytest.CaptureFixture[str]) -> None:
    """H16: both controllers hold the database-only path."""
    east, west = Table(WATCHING), Table(WATCHING)
    orders.hold(items(east, west), 30, "an upgrade", as_json=False)
    held = Hold("an upgrade", MINUTE, MINUTE + 30)
    assert (east.state.hold, west.state.hold) == (held, held)
    assert "us-west-2: held for 30 minutes: an upgrade" in capsys.readouterr().out


REFUSED: list[tuple[Callable[[Items], Any], str]] = [
    (lambda both: orders.hold(both, 0, "x", False), "1 to 60 minutes are allowed, not 0"),
    (lambda both: orders.hold(both, 61, "x", False), "1 to 60 minutes are allowed, not 61"),
    (lambda both: orders.freeze(both, " ", False), "a reason is needed"),
    (lambda both: orders.acknowledge(both, False), "there is nothing to acknowledge"),
]


@pytest.mark.parametrize(("order", "why"), REFUSED)
def test_a_refused_order_touches_nothing(order: Callable[[Items], Any], why: str) -> None:
    """Bad input: one line and code 2."""
    east, west = Table(WATCHING), Table(WATCHING)
    with pytest.raises(OperatorError, match=why) as caught:
        order(items(east, west))
    assert caught.value.code is ExitCode.BAD_INPUT
    assert (east.state, west.state) == (WATCHING, WATCHING)


def test_acknowledging_lets_both_guard_by_the_larger_epoch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """H8, H34: the promoted region keeps its incident, the other one begins to watch anew."""
    east, west = Table(WATCHING), Table(PROMOTED)
    orders.acknowledge(items(east, west), as_json=False)
    assert west.state.incident is not None
    assert west.state.incident.acknowledged
    assert (east.state.epoch, west.state.epoch) == (2, 2)
    assert "us-east-1: watching, epoch 2" in capsys.readouterr().out
    with pytest.raises(OperatorError, match="nothing to acknowledge"):
        orders.acknowledge(items(east, west), as_json=False)


def test_a_split_is_reconciled_before_it_is_acknowledged() -> None:
    """H20: the pure refusal is the command's own line."""
    incident = replace(PROMOTED.incident or Incident(0, None, 0), split=True, tail=Tail.OPEN)
    split = replace(PROMOTED, stage=Stage.SPLIT, incident=incident)
    with pytest.raises(OperatorError, match=r"split: ./inv recovery.reconcile first"):
        orders.acknowledge(items(Table(WATCHING), Table(split)), as_json=False)


def test_acknowledging_needs_both_regions() -> None:
    """Both must agree on the epoch, or none would be armed."""
    both = items(Table(fault=lost()), Table(PROMOTED))
    with pytest.raises(OperatorError, match=r"us-east-1 doesn't answer .*EndpointConnection"):
        orders.acknowledge(both, as_json=False)
    both = items(Table(PROMOTED), Table(fault=lost()))
    with pytest.raises(OperatorError, match="us-west-2 doesn't answer"):
        orders.acknowledge(both, as_json=False)


@pytest.mark.parametrize("as_json", [True, False])
def test_a_lost_region_is_settled_by_the_next_order(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """recovery.md 2: what it missed is there once it answers, whatever is ordered then."""
    east, west = Table(WATCHING, fault=lost()), Table(WATCHING)
    orders.freeze(items(east, west), "x", as_json=as_json)
    said = capsys.readouterr().out
    assert "EndpointConnectionError" in said
    assert ("settled by the next order" in said) is not as_json
    assert west.state.freeze is not None
    east.fault = None
    orders.hold(items(east, west), 5, "y", as_json=as_json)
    assert east.state.freeze == west.state.freeze
    assert east.state.hold == west.state.hold


def test_a_region_that_is_lost_between_reading_and_writing_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The other region has the order."""
    east, west = Table(WATCHING), Table(WATCHING)
    east.unwritable = refusal("InternalServerError", "PutItem")
    orders.freeze(items(east, west), "x", as_json=False)
    assert "us-east-1: not known" in capsys.readouterr().out
    assert west.state.freeze is not None


def test_an_order_meets_a_run_and_is_written_after_it(pauses: list[float]) -> None:
    """H9: the version decides; the run's own change is kept."""
    east, west = Table(WATCHING), Table(WATCHING)
    west.overtaken = 2
    orders.freeze(items(east, west), "x", as_json=False)
    assert west.state.freeze is not None
    assert (west.state.runs, west.state.version) == (99, 6)
    assert pauses == [1.0, 1.0]
    west.overtaken = 9
    with pytest.raises(OperatorError, match=r"us-west-2 was written by others 5 times"):
        orders.thaw(items(east, west), as_json=False)


def test_an_item_that_vanishes_meanwhile_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A region that is lost between two tries."""
    east, west = Table(WATCHING), Table(WATCHING)
    west.overtaken = 1
    write = west.put_item

    def put_item(**given: Any) -> dict[str, Any]:
        west.fault = lost()
        return write(**given)

    west.put_item = put_item  # type: ignore[method-assign]
    orders.freeze(items(east, west), "x", as_json=False)
    assert "us-west-2: not known" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fault", "why", "code"),
    [
        (refusal("ResourceNotFoundException"), "./inv up --layer global", ExitCode.BAD_INPUT),
        (lost(), "no recovery table answers", ExitCode.FAILED),
    ],
)
def test_without_any_table_one_line_says_what_to_do(
    fault: Exception, why: str, code: ExitCode
) -> None:
    """Bad input: no table yet; or nobody answers."""
    with pytest.raises(OperatorError, match=why) as caught:
        orders.freeze(items(Table(fault=fault), Table(fault=fault)), "x", as_json=False)
    assert caught.value.code is code
