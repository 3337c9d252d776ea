"""A deployment announces itself to the controllers, and never fails by that."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import cast

import pytest
from fake_clients import refusal
from recovery_tables import Table, Tables, lost

from ops.cloud.clients import Clients
from ops.recovery import holding
from ops.recovery.holding import MINUTES, REASON, held
from ops.recovery.items import Items
from recovery.model import Hold, State

MINUTE = 40_000_000
WATCHING = State(version=3, last_minute=MINUTE, armed=True)


def items(east: Table, west: Table) -> Items:
    """Both items of the environment ``test``."""
    return Items(cast(Clients, Tables(east, west)), "test", "dev")


def test_both_controllers_hold_while_a_deployment_runs() -> None:
    """H16: taken before the first change and released after the last, also after a failure."""
    east, west = Table(WATCHING), Table(WATCHING)
    lines: list[str] = []
    with pytest.raises(KeyboardInterrupt), held(items(east, west), lines.append):
        assert west.state.hold == east.state.hold == Hold(REASON, MINUTE, MINUTE + MINUTES)
        raise KeyboardInterrupt
    assert (east.state.hold, west.state.hold, lines) == (None, None, [])


def test_a_long_deployment_renews_its_hold_within_the_first_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """H30: a deployment that hangs is recovered from; one that was killed holds a quarter."""
    east, west = Table(WATCHING), Table(WATCHING)
    minutes = iter(range(MINUTE, MINUTE + 60, 10))
    monkeypatch.setattr(holding, "minute_of", lambda _: next(minutes, MINUTE + 59))
    with held(items(east, west), lambda _: None, seconds=0.01):
        deadline = time.monotonic() + 30
        while west.state.hold != Hold(REASON, MINUTE, MINUTE + 60):
            assert time.monotonic() < deadline, west.state.hold
            time.sleep(0.01)


def test_a_hold_of_others_stays() -> None:
    """A person's announcement outlives the deployment in it."""
    theirs = Hold("an upgrade", MINUTE - 5, MINUTE + 55)
    east, west = (Table(replace(WATCHING, hold=theirs)) for _ in range(2))
    with held(items(east, west), lambda _: None):
        assert west.state.hold == theirs
    assert east.state.hold == west.state.hold == theirs


def test_without_a_table_nothing_is_announced_and_nothing_said() -> None:
    """The first deployment makes it."""
    missing = Table(fault=refusal("ResourceNotFoundException"))
    lines: list[str] = []
    with held(items(missing, missing), lines.append):
        pass
    assert lines == []


def test_a_table_that_cannot_be_reached_is_a_line() -> None:
    """A deployment never fails by it."""
    silent = Table(fault=lost())
    lines: list[str] = []
    with held(items(silent, silent), lines.append):
        pass
    (line,) = lines
    assert line.startswith("the recovery controllers don't know of this deployment: no recovery")
