"""What to do next, decided from what was seen: the worst first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ops.cloud.alarms import NO_DATA, RED, Alarm, RegionAlarms
from ops.cloud.queues import Events
from ops.cloud.readiness import Readiness
from ops.cloud.regions import RegionStatus
from ops.cloud.traffic import Traffic
from ops.deploy.standing import Standing, next_step

EAST, WEST = "us-east-1", "us-west-2"
READY = Readiness(200)
PRIMARY = RegionStatus(EAST, "primary", "200 healthy", "writer, available", "", READY, Events())
STANDBY = RegionStatus(WEST, "secondary", "200 healthy", "reader, available", "9 ms", READY)
WELL = Standing(
    " --stack dev", (), (PRIMARY, STANDBY), Traffic(EAST, 60), "released",
    (RegionAlarms(EAST), RegionAlarms(WEST)),
)  # fmt: skip
DARK = "no answer (no connection)"


def failing(reason: str) -> Readiness:
    return Readiness(503, {"writer": reason})


def both(first: RegionStatus, second: RegionStatus = STANDBY, **more: object) -> Standing:
    return replace(WELL, regions=(first, second), **more)  # type: ignore[arg-type]


def red(purpose: str, state: str = RED) -> tuple[RegionAlarms, RegionAlarms]:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    return RegionAlarms(EAST), RegionAlarms(WEST, (Alarm(WEST, purpose, state, at, ""),))


def test_everything_is_healthy() -> None:
    """Issue 17.8: then there is nothing to do."""
    assert (WELL.writes, WELL.writer, WELL.red) == (True, EAST, 0)
    assert next_step(WELL) == "nothing: both regions are as they should be"


DEAD = replace(PRIMARY, ready=failing("unreachable"))


@pytest.mark.parametrize(
    ("standing", "writes", "says"),
    [
        # Health answers, the database is dead: what was green and exited 0.
        (both(DEAD, replace(STANDBY, ready=failing("unreachable"))), False,
         "the database in us-east-1 doesn't answer (health answers); if that lasts"),
        (both(replace(DEAD, health=DARK), replace(STANDBY, ready=failing("unreachable")),
              traffic=Traffic(WEST, 60)), False, "us-east-1 is dark as well); if that lasts"),
        (both(replace(DEAD, database="reader, available"),
              replace(STANDBY, ready=failing("unreachable"), database="writer, available")), False,
         "the database in us-west-2 doesn't answer, and it writes"),
        (both(replace(PRIMARY, ready=failing("credentials_refused"))), False,
         "refuses the application's user"),
        (both(replace(PRIMARY, ready=failing("demoted"))), False, "look again in a minute"),
        (both(replace(PRIMARY, ready=failing("tls_refused"))), False,
         "writes fail in us-east-1 (not ready: writer tls_refused): look into its function's log"),
        # Traffic hasn't moved yet.
        (both(replace(PRIMARY, health=DARK)), False,
         "moves by itself within three minutes; if us-east-1 is lost"),
        (both(replace(PRIMARY, health=DARK), replace(STANDBY, health=DARK)), False,
         "look into its function's log"),
        (both(replace(PRIMARY, health=DARK), replace(STANDBY, health=DARK),
              traffic=Traffic("", 0, "no answer")), False, "both regions are dark"),
        # Where clients are sent isn't known: any region that writes will do.
        (both(DEAD, traffic=Traffic("", 0, "x")), True, "nothing: both regions"),
        (both(replace(PRIMARY, ready=failing("unreachable")),
              replace(STANDBY, ready=Readiness(0, detail="x")), traffic=Traffic("", 0, "x")), False,
         "the database in us-east-1 doesn't answer"),
        # Nobody may say.
        (both(replace(PRIMARY, ready=Readiness(404, detail="no token is deployed"))), None,
         "whether writes succeed is not known: unknown (no token is deployed)"),
    ],
)  # fmt: skip
def test_writes_that_fail_come_first(standing: Standing, writes: bool | None, says: str) -> None:
    """Issue 17.8: by what ``/ready`` says where clients are sent, whatever ``/health`` answers;
    alarms and dead letters change nothing of it."""
    assert standing.writes is writes
    assert says in next_step(standing)
    if writes is False:
        assert next_step(replace(standing, alarms=red("target-5xx"))) == next_step(standing)


LETTERS = Events(0, 3)
MOVED = Traffic(WEST, 60)


@pytest.mark.parametrize(
    ("standing", "says"),
    [
        (replace(WELL, missing_layers=["app", "global"]),
         "run ./inv deploy-all --stack dev: app, global isn't deployed"),
        (both(replace(PRIMARY, health=DARK), traffic=MOVED), "mend the application in us-east-1"),
        (both(PRIMARY, replace(STANDBY, health=DARK)),
         "mend us-west-2, whose application no answer (no connection): there is nowhere"),
        (replace(WELL, alarms=red("rds-cpu")), "alarm rds-cpu in us-west-2 is red: ./inv alarms"),
        (both(PRIMARY, replace(STANDBY, events=LETTERS)), "run ./inv events.redrive --stack dev"),
        (both(replace(PRIMARY, database="reader, available"),
              replace(STANDBY, database="writer, available"), traffic=MOVED),
         "us-west-2 writes; returning is a person's decision: ./inv failback --stack dev"),
        (replace(WELL, switch="engaged", traffic=MOVED), "the switch still keeps traffic"),
        (replace(WELL, alarms=red("rds-cpu", NO_DATA)), "nothing: both regions"),
    ],
)  # fmt: skip
def test_then_traffic_alarms_dead_letters_and_what_is_left_to_tidy(
    standing: Standing, says: str
) -> None:
    """Issue 17.8: one sentence, the most urgent thing."""
    assert says in next_step(standing)


def test_nothing_that_is_deployed_takes_no_writes() -> None:
    """Issue 17.8: an empty stack is no failure."""
    empty = replace(PRIMARY, health="not deployed", database="not deployed")
    standing = both(empty, replace(empty, region=WEST), missing_layers=["network"])
    assert (standing.writes, standing.writer) == (None, "")
    assert next_step(standing).startswith("run ./inv deploy-all")
