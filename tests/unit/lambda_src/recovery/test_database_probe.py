"""The probe function's answers become signals; a call of it is made once and shared."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from recovery import database_answers
from recovery.database_probe import DatabaseProbe
from recovery.model import Verified
from recovery.observation import ALIVE, READS, Reader, Value
from recovery.ports import UnavailableError

READER: dict[str, Any] = {
    "value": "alive",
    "tries": [],
    "now": "2026-01-02T03:04:05.250Z",
    "epoch": 3,
    "heartbeat_at": "2026-01-02T03:04:01.000Z",
    "newest_record": {"sequence": "7", "created_at": "2026-01-02T03:03:00.000Z"},
    "primary_lsn": "123456",
    "global_status": [],
}
BEAT = int(datetime(2026, 1, 2, 3, 4, 1, tzinfo=UTC).timestamp())


def tries(*reasons: str, value: str = "dead", **more: Any) -> dict[str, Any]:
    """A part that failed."""
    return {"value": value, "tries": [{"reason": reason, **more} for reason in reasons]}


def test_a_committed_row_makes_the_writer_alive_whatever_failed_before() -> None:
    """H7: alive by a commit in either try."""
    part = {"value": "alive", "tries": [{"reason": "unreachable"}], "epoch": 1}
    assert database_answers.writer({"writer_sql": part}) == ALIVE


@pytest.mark.parametrize(
    ("part", "value", "reason"),
    [
        (tries("unreachable", "unreachable"), Value.DEAD, "unreachable"),
        (tries("unreachable", "unreachable", sqlstate="57P01"), Value.DEAD, "unreachable"),
        (tries("unreachable", "failed", value="unknown"), Value.UNKNOWN, "failed"),
        (tries("credentials_refused", sqlstate="28P01", value="unknown"), Value.UNKNOWN, "28P01"),
    ],
)
def test_a_writer_is_dead_only_where_no_server_answered(
    part: dict[str, Any], value: Value, reason: str
) -> None:
    """H28: the probe's reasons keep their meaning; an SQLSTATE says more than its word."""
    signal = database_answers.writer({"writer_sql": part})
    assert (signal.value, signal.reason) == (value, reason)


def test_the_reader_has_marks_of_the_writers_life() -> None:
    """recovery.md 2: heartbeat, newest record, position, epoch, and the age by its own clock."""
    signal, reader = database_answers.reader({"own_reader": READER}, "us-west-2")
    assert signal == ALIVE
    assert reader == Reader(
        heartbeat=BEAT, newest_record=BEAT - 61, lsn=123456, lag_seconds=5, epoch=3
    )


def test_a_readers_lag_is_the_larger_of_the_heartbeats_age_and_of_auroras() -> None:
    """Aurora's own lag counts for the own region alone; an empty database has no newest record."""
    status = [
        {"region": "us-east-1", "durability_lag_ms": -1},
        {"region": "us-west-2", "durability_lag_ms": 61_200},
    ]
    part = {**READER, "global_status": status, "newest_record": None, "primary_lsn": None}
    _, reader = database_answers.reader({"own_reader": part}, "us-west-2")
    assert reader == Reader(heartbeat=BEAT, newest_record=0, lsn=0, lag_seconds=62, epoch=3)


def test_without_a_heartbeat_nobody_knows_how_old_the_reader_is() -> None:
    """Where pg_cron isn't loaded the reader answers, and is never silent (H32)."""
    part = {**READER, "heartbeat_at": None}
    assert database_answers.reader({"own_reader": part}, "us-west-2") == (ALIVE, None)


def test_a_reader_that_does_not_answer_or_refuses() -> None:
    """H5, H32: silence is dead, an answer of any other kind unknown."""
    signal, reader = database_answers.reader({"own_reader": tries("unreachable")}, "us-west-2")
    assert (signal.value, reader) == (Value.DEAD, None)
    refused = tries("credentials_refused", value="unknown")
    signal, _ = database_answers.reader({"own_reader": refused}, "us-west-2")
    assert signal.value is Value.UNKNOWN


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ({"value": "alive", "tries": [], "writes": True}, Value.ALIVE),
        ({"value": "alive", "tries": [], "writes": False}, Value.DEAD),
        (tries("unreachable"), Value.DEAD),
        (tries("name_unresolved", value="unknown"), Value.UNKNOWN),
    ],
)
def test_the_old_writer_is_alive_while_it_takes_writes(part: dict[str, Any], value: Value) -> None:
    """H20: two writers are a split; a demoted one that reads is none."""
    assert database_answers.old_writer({"peer_cluster": part}).value is value
    assert database_answers.own_writer({"own_cluster": part}).value is value
    answers_as_reader = part.get("writes") is False
    assert (database_answers.old_writer({"peer_cluster": part}) == READS) is answers_as_reader


class Function:
    """A function that answers with what it was given, and remembers what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    def invoke(self, **arguments: Any) -> dict[str, Any]:
        """Returns the next answer, or raises it."""
        assert arguments["FunctionName"] == "function-probe"
        self.asked.append(json.loads(arguments["Payload"]))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        body, failed = answer if isinstance(answer, tuple) else (answer, None)
        failure = {"FunctionError": failed} if failed else {}
        return {"Payload": io.BytesIO(json.dumps(body).encode()), **failure}


def probe(*answers: Any) -> tuple[Function, DatabaseProbe]:
    """The port and the function behind it; the clock stands at 2026-01-02T03:04:05Z."""
    function = Function(*answers)
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
    return function, DatabaseProbe(function, "function-probe", lambda: moment)


def test_all_who_ask_in_one_observation_share_one_call() -> None:
    """Three probes side by side, one invocation; the next observation asks anew."""
    function, database = probe({"n": 1}, {"n": 2})
    with ThreadPoolExecutor(3) as pool:
        answer = database.observe()
        assert [future.result() for future in [pool.submit(answer) for _ in range(3)]] == [
            {"n": 1}
        ] * 3
    assert database.observe()() == {"n": 2}
    assert function.asked == [{"action": "observe"}] * 2


def test_a_failed_call_fails_for_all_and_is_not_repeated() -> None:
    """A probe that hangs once must not be asked three times in a run."""
    function, database = probe(TimeoutError())
    answer = database.observe()
    for _ in range(2):
        with pytest.raises(UnavailableError, match="function-probe: TimeoutError"):
            answer()
    assert len(function.asked) == 1


def test_verifying_is_data_also_where_it_fails() -> None:
    """H22: where the endpoint leads, or why nobody knows."""
    good = {"wrote": True, "endpoint": "us-west-2", "detail": ""}
    _, database = probe(good, ({"errorMessage": "Task timed out"}, "Unhandled"), ([], None))
    assert database.verify() == Verified(True, "us-west-2", "")
    assert database.verify() == Verified(False, "", "function-probe: Task timed out")
    assert database.verify() == Verified(False, "", "function-probe: no answer")


def test_the_epoch_grows_from_the_moment_of_the_call_on() -> None:
    """The feed reads again from a minute before the promotion was asked for."""
    function, database = probe({"epoch": 2}, ValueError())
    database.grow_epoch(2, 3)
    assert function.asked == [
        {"action": "grow_epoch", "epoch": 2, "promoted_at": "2026-01-02T03:00:05+00:00"}
    ]
    with pytest.raises(UnavailableError, match="ValueError"):
        database.grow_epoch(2, 3)
