"""The load: an even schedule with a bounded number of workers, and clients as users are."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from dnslib import QTYPE, RR, A, DNSRecord
from drill_histories import EAST, WEST, written
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.drill import site
from ops.drill.asking import Asking, body_of, digest_of, outcome_of
from ops.drill.history import Kind, Operation, Outcome
from ops.drill.load import Load
from ops.drill.measure import HONEST
from ops.drill.schedule import (
    ATTEMPTS,
    POPULATIONS,
    Due,
    Population,
    follow_up,
    ramped,
    scaled,
    schedule,
)
from ops.drill.site import Answer, Cache, Connections, Site

DUE = Due(1.0, 0, Kind.WRITE, HONEST, 0, 7)
LAB = Site(
    "app.example", {EAST: "alb-east", WEST: "alb-west"}, (("127.0.0.1", 1),), "http://127.0.0.1:1"
)


# The schedule


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_the_schedule_is_even_numbered_and_repeatable(seed: int) -> None:
    """Open loop: nothing in it depends on an answer; a seed repeats it."""
    found = list(islice(schedule(POPULATIONS, seed), 200))
    assert found == list(islice(schedule(POPULATIONS, seed), 200))
    assert [one.at for one in found] == sorted(one.at for one in found)
    writes = [one.number for one in found if one.kind is Kind.WRITE]
    assert writes == list(range(len(writes)))
    assert {one.population for one in found} == {"honest", "cached", "pinned"}


def test_a_population_without_a_rate_asks_nothing() -> None:
    """A rate of 0 leaves its requests out."""
    only = Population("reader", None, 1, 2.0, 0.0)
    assert {one.kind for one in islice(schedule((only,), 1), 20)} == {Kind.READ}


def test_rates_are_scaled() -> None:
    """A slow machine measures the same with fewer requests."""
    half = scaled(POPULATIONS, 0.5)
    assert [one.reads * 2 for one in half] == [one.reads for one in POPULATIONS]
    assert [one.writes * 2 for one in half] == [one.writes for one in POPULATIONS]


def test_the_load_begins_slowly() -> None:
    """Half the requests of the ramp's time, and from then on as many as planned."""
    assert ramped(0.0) == 0.0
    assert ramped(7.5) == pytest.approx(15.0)
    assert ramped(3.0, 6.0) == pytest.approx(6.0)
    assert ramped(20.0) - ramped(10.0) == pytest.approx(10.0)
    assert ramped(2.0) - ramped(1.0) > ramped(7.0) - ramped(6.0)


def test_what_a_client_does_next() -> None:
    """An unanswered write is tried again under its number; each third record is read back, in one
    region or the other; nothing follows a read, a refusal or the last attempt."""
    regions = (EAST, WEST)
    unknown = written(7, outcome=Outcome.UNKNOWN, status=0)
    again = follow_up(unknown, DUE, 5.0, regions)
    assert again is not None
    assert (again.kind, again.number, again.attempt, again.at) == (Kind.WRITE, 7, 2, 15.0)
    assert follow_up(unknown, replace(DUE, attempt=ATTEMPTS), 5.0, regions) is None
    assert follow_up(written(7), DUE, 5.0, regions) is None
    for number, region in ((3, WEST), (6, EAST)):
        back = follow_up(written(number), replace(DUE, number=number), 5.0, regions)
        assert back is not None
        assert (back.kind, back.population, back.record) == (
            Kind.READ_BACK, region, f"id-{number}",
        )  # fmt: skip
    assert follow_up(written(6, kind=Kind.READ), DUE, 5.0, regions) is None


class Slow:
    """Asking that takes its time; what is made is kept."""

    def __init__(self, outcome: Outcome = Outcome.OK, seconds: float = 0.0) -> None:
        self.outcome, self.seconds = outcome, seconds
        self.made: list[Due] = []
        self.lock = threading.Lock()

    def make(self, due: Due, now: Any, clock: float) -> Operation:
        with self.lock:
            self.made.append(due)
        time.sleep(self.seconds)
        return written(due.number, now(), outcome=self.outcome, attempt=due.attempt)


def test_the_schedule_goes_on_whatever_hangs() -> None:
    """Three requests that take a second each are begun, though none has ended."""
    plan = (replace(DUE, at=0.01 * n, order=n, number=n) for n in range(10**6))
    slow = Slow(seconds=0.2)
    load = Load(plan, slow, (EAST, WEST), 10.0)  # type: ignore[arg-type]
    load.start()
    end = time.monotonic() + 20
    while len(slow.made) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    assert load.drill_time() > 0
    load.stop()
    load.stop()
    made = len(slow.made)
    assert made >= 3
    time.sleep(0.05)
    assert len(slow.made) == made


def test_a_follow_up_is_made_between_what_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unanswered write comes again, though the next planned request is far away."""
    monkeypatch.setattr("ops.drill.schedule.AGAIN_SECONDS", 0.05)
    plan = iter([replace(DUE, at=0.0), *(replace(DUE, at=1e6, order=n) for n in range(1, 9))])
    slow = Slow(Outcome.UNKNOWN)
    load = Load(plan, slow, (EAST, WEST), 1.0)  # type: ignore[arg-type]
    load.start()
    end = time.monotonic() + 20
    while len(slow.made) < ATTEMPTS and time.monotonic() < end:
        time.sleep(0.01)
    load.stop()
    assert [one.attempt for one in slow.made] == [1, 2]


def test_a_load_that_never_began_can_be_stopped() -> None:
    """Whatever fails before, nothing is left running."""
    Load(iter([DUE]), Slow(), (EAST, WEST), 1.0).stop()  # type: ignore[arg-type]


# What is asked


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        (Kind.WRITE, 201, Outcome.OK), (Kind.READ, 200, Outcome.OK),
        (Kind.READ_BACK, 404, Outcome.ABSENT), (Kind.READ, 404, Outcome.REFUSED),
        (Kind.WRITE, 422, Outcome.REFUSED), (Kind.WRITE, 408, Outcome.UNKNOWN),
        (Kind.WRITE, 429, Outcome.UNKNOWN), (Kind.WRITE, 503, Outcome.UNKNOWN),
        (Kind.WRITE, 0, Outcome.UNKNOWN),
    ],
)  # fmt: skip
def test_what_a_client_knows(kind: Kind, status: int, expected: Outcome) -> None:
    """N11: what isn't certain is indeterminate, not lost and not done."""
    assert outcome_of(kind, status) is expected


def test_each_tenth_record_carries_an_attachment() -> None:
    """The same bytes at each attempt, and their digest is known beforehand."""
    assert body_of("d", 10) == body_of("d", 10)
    assert "attachment" in body_of("d", 10)
    assert "attachment" not in body_of("d", 11)
    assert (len(digest_of("d", 10)), digest_of("d", 11)) == (64, "")


class Wire:
    """Connections that answer from a table, and remember what was asked."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers, self.asked = answers, []
        self.closed = 0

    def ask_address(self, address: str, method: str, path: str, **given: Any) -> Answer:
        self.asked.append((address, method, path, given))
        return self.answers[method]

    def ask_region(self, region: str, method: str, path: str, **given: Any) -> Answer:
        self.asked.append((region, method, path, given))
        return self.answers["BACK"]

    def close(self) -> None:
        self.closed += 1


def test_an_operation_carries_what_was_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes under their number's key; who answered is the address's region. What an object must
    hold is what was sent, whatever the answer says of it."""
    stored = {"id": "r", "eventId": "e", "attachment": {"key": "attachments/k", "sha256": "s"}}
    wire = Wire({"POST": Answer(201, stored), "GET": Answer(200), "BACK": Answer(404)})
    monkeypatch.setattr("ops.drill.asking.Connections", lambda _: wire)
    monkeypatch.setattr(Site, "resolve", lambda _: ("127.1.0.1", 60.0))
    monkeypatch.setattr(Site, "region_of", lambda *_: EAST)
    kept: list[Operation] = []
    asking = Asking("d", LAB, POPULATIONS, lambda: 0.0, kept.append)
    times = iter([2.0, 2.5, 3.0, 3.5, 4.0, 4.5])
    wrote = asking.make(replace(DUE, number=10), lambda: next(times), 2.0)
    assert (wrote.due, wrote.began, wrote.ended, wrote.region) == (2.0, 2.0, 2.5, EAST)
    assert (wrote.record, wrote.event, wrote.object, wrote.digest) == (
        "r", "e", "attachments/k", digest_of("d", 10),
    )  # fmt: skip
    assert wire.asked[0][3]["headers"] == {"Idempotency-Key": "d:10"}
    read = asking.make(replace(DUE, kind=Kind.READ, number=-1), lambda: next(times), 2.0)
    assert (read.outcome, read.record) == (Outcome.OK, "")
    back = asking.make(
        replace(DUE, kind=Kind.READ_BACK, population=WEST, record="r"), lambda: next(times), 2.0
    )
    assert (back.outcome, back.region) == (Outcome.ABSENT, WEST)
    wire.answers["BACK"] = Answer(200, stored)
    again = replace(DUE, kind=Kind.READ_BACK, population=WEST, record="r")
    shown = asking.make(again, lambda: 5.0, 2.0)
    assert (shown.outcome, shown.record, shown.event) == (Outcome.OK, "r", "e")
    assert kept == [wrote, read, back, shown]
    asking.close()
    assert wire.closed == sum(one.clients for one in POPULATIONS) + 1


def test_no_answer_has_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the client that keeps its address only for its connection asks DNS again."""
    silent = Answer(0, detail="ReadTimeoutError", broken=True)
    wire = Wire({"GET": silent, "BACK": silent})
    monkeypatch.setattr("ops.drill.asking.Connections", lambda _: wire)
    resolved: list[int] = []
    monkeypatch.setattr(Site, "resolve", lambda _: resolved.append(1) or ("127.1.0.1", 60.0))
    asking = Asking("d", LAB, POPULATIONS, lambda: 0.0, lambda _: None)
    for name, expected in (("pinned", 2), ("honest", 3), ("honest", 3)):
        due = replace(DUE, kind=Kind.READ, population=name)
        for _ in range(2 if name == "pinned" else 1):
            assert asking.make(due, lambda: 1.0, 1.0).region == ""
        assert len(resolved) == expected
    back = asking.make(replace(DUE, kind=Kind.READ_BACK, population=WEST), lambda: 1.0, 1.0)
    assert (back.region, back.detail) == ("", "ReadTimeoutError")


# DNS and connections


@pytest.mark.parametrize(
    ("hold", "asked_again"), [(None, [0, 60]), (300.0, [0, 300]), (float("inf"), [0])]
)
def test_how_long_an_answer_is_kept(hold: float | None, asked_again: list[int]) -> None:
    """Issue 20.2: honest TTL, a 300 s cache, and a connection that is kept for ever."""
    moments: list[int] = []
    now = [0.0]
    cache = Cache(lambda: moments.append(int(now[0])) or ("127.1.0.1", 60.0), lambda: now[0], hold)
    for moment in range(400):
        now[0] = float(moment)
        assert cache.address() == "127.1.0.1"
    assert moments[: len(asked_again)] == asked_again
    assert len(moments) == len(range(0, 400, 60)) if hold is None else len(asked_again)


def _packet(*addresses: str) -> bytes:
    reply = DNSRecord.question("app.example").reply()
    for address in addresses:
        reply.add_answer(RR("app.example", QTYPE.A, rdata=A(address), ttl=60))
    return bytes(reply.pack())


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([_packet("127.1.0.1")], ("127.1.0.1", 60.0)),
        ([OSError("no"), _packet("127.2.0.1")], ("127.2.0.1", 60.0)),
        ([_packet()], ("", 0.0)),
        ([OSError("no"), OSError("no")], ("", 0.0)),
    ],
)
def test_a_name_is_asked_of_the_zones_servers(
    monkeypatch: pytest.MonkeyPatch, answers: list[Any], expected: tuple[str, float]
) -> None:
    """The next one where one is silent; none where none answers."""
    left = list(answers)

    def send(*_: Any, **__: Any) -> bytes:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(DNSRecord, "send", send)
    monkeypatch.setattr(socket, "gethostbyname", lambda host: host)
    assert replace(LAB, servers=(("a", 1), ("b", 1))).resolve() == expected


def test_an_address_stands_for_a_region() -> None:
    """In the lab by its block, on AWS by the load balancer's own addresses."""
    known = lambda region, _: frozenset({"10.1.1.1" if region == EAST else "10.2.2.2"})  # noqa: E731
    assert LAB.region_of("10.2.2.2", known) == WEST
    assert LAB.region_of("192.0.2.1", known) == ""
    assert LAB.region_of("192.0.2.1") == ""


class Pool:
    """A pool of urllib3 that answers or breaks."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked, self.closed = answer, [], 0

    def request(self, method: str, path: str, **given: Any) -> Any:
        self.asked.append((method, path, given))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.closed += 1


class Response:
    """An answer of urllib3."""

    def __init__(self, status: int, data: bytes) -> None:
        self.status, self.data = status, data


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Response(200, b'{"a": 1}'), Answer(200, {"a": 1})),
        (Response(502, b"<html>"), Answer(502)),
        (Response(200, b"[]"), Answer(200)),
        (OSError("reset"), Answer(0, detail="OSError", broken=True)),
    ],
)
def test_an_answer_is_what_came(
    monkeypatch: pytest.MonkeyPatch, given: Any, expected: Answer
) -> None:
    """A JSON object or nothing; a broken connection is no status."""
    pool = Pool(given)
    monkeypatch.setattr(Connections, "_made", lambda *_: pool)
    connections = Connections(LAB)
    assert connections.ask_region(EAST, "GET", "/health") == expected
    assert pool.asked[0][2]["headers"] == {"Host": "alb-east"}
    connections.close()
    assert pool.closed == 1


def test_an_address_of_the_lab_is_its_load_balancer(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the Host header; the address is looked up once; on AWS the name stays."""
    pool = Pool(Response(201, b"{}"))
    monkeypatch.setattr(Connections, "_made", lambda *_: pool)
    regions: list[str] = []
    monkeypatch.setattr(Site, "region_of", lambda _, address: regions.append(address) or WEST)
    connections = Connections(LAB)
    for _ in range(2):
        connections.ask_address("127.2.0.1", "POST", "/records", body={"a": 1}, headers={"X": "y"})
    assert regions == ["127.2.0.1"]
    sent = pool.asked[0][2]
    assert sent["headers"] == {"Host": "alb-west", "X": "y", "Content-Type": "application/json"}
    assert sent["body"] == '{"a": 1}'
    aws = Connections(replace(LAB, lab_endpoint=None))
    aws.ask_address("192.0.2.1", "GET", "/")
    assert pool.asked[-1][2]["headers"] == {"Host": "app.example"}
    assert aws.ask_address("", "GET", "/") == Answer(0, detail="no address", broken=True)
    Connections(replace(LAB, secure=True)).ask_region(WEST, "GET", "/")
    assert pool.asked[-1][2]["headers"] == {"Host": "alb-west:443"}


@pytest.mark.parametrize(
    ("changes", "scheme", "port"),
    [({}, "http", 1), ({"lab_endpoint": None}, "http", 80),
     ({"lab_endpoint": None, "secure": True}, "https", 443)],
)  # fmt: skip
def test_where_a_connection_goes(changes: dict[str, Any], scheme: str, port: int) -> None:
    """The lab's endpoint, or the load balancer's listener; a certificate is the site's name's."""
    made = Connections(replace(LAB, **changes))._pool("192.0.2.1")
    assert (made.scheme, made.port) == (scheme, port)
    if scheme == "https":
        assert made.assert_hostname == "app.example"
    assert site.REQUEST_SECONDS == 5.0
