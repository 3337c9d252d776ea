"""What probes find becomes signals; all probes are bounded; TXT records are asked for by hand."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

import pytest
from dnslib import QTYPE, RR, TXT, A, DNSRecord
from hypothesis import given, settings
from hypothesis import strategies as st
from watch import MEMBER, READER, VALID

from recovery import signs, txt_query
from recovery.observation import (
    ALIVE,
    DEAD,
    UNKNOWN,
    Event,
    Observation,
    Reader,
    Ready,
    Switch,
    Value,
    Witness,
)
from recovery.observe import Probes, observe

NAME = "witness.app.warm-standby-lab.test"
MARKS = Reader(1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("tries", "value"),
    [
        (("committed",), Value.ALIVE),
        (("timeout", "committed"), Value.ALIVE),
        (("28P01", "committed"), Value.ALIVE),
        (("timeout", "timeout"), Value.DEAD),
        (("refused", "unreachable"), Value.DEAD),
        (("57P01", "57P03"), Value.DEAD),
        (("57P02", "refused"), Value.DEAD),
        (("28P01", "28P01"), Value.UNKNOWN),
        (("timeout", "53300"), Value.UNKNOWN),
        (("tls", "timeout"), Value.UNKNOWN),
        (("dns",), Value.UNKNOWN),
        ((), Value.UNKNOWN),
    ],
)
def test_sql_is_dead_only_where_nothing_answered(tries: tuple[str, ...], value: Value) -> None:
    """H7, H28: a commit is life, silence in both tries death, and every answer unknown."""
    assert signs.sql(tries).value is value


def test_a_signal_says_why() -> None:
    """The reason is the answer that made it unknown, or the last silence."""
    assert signs.sql(("timeout", "53300")).reason == "53300"
    assert signs.sql(("refused", "timeout")).reason == "timeout"
    assert signs.sql(()).reason == "not tried"
    assert signs.application(503).reason == "503"
    assert signs.own_load_balancer(502).reason == "502"
    assert signs.reader("28P01").reason == "28P01"


@pytest.mark.parametrize(
    ("status", "fault", "peer", "own"),
    [
        (200, "", Value.ALIVE, Value.ALIVE),
        (500, "", Value.DEAD, Value.ALIVE),
        (502, "", Value.DEAD, Value.ALIVE),
        (404, "", Value.UNKNOWN, Value.ALIVE),
        (301, "", Value.UNKNOWN, Value.ALIVE),
        (None, "timeout", Value.DEAD, Value.DEAD),
        (None, "refused", Value.DEAD, Value.DEAD),
        (None, "tls", Value.UNKNOWN, Value.UNKNOWN),
        (None, "", Value.UNKNOWN, Value.UNKNOWN),
    ],
)
def test_http(status: int | None, fault: str, peer: Value, own: Value) -> None:
    """H27: the own load balancer lives by any status, the other application by 200 alone."""
    assert signs.application(status, fault).value is peer
    assert signs.own_load_balancer(status, fault).value is own


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (200, "", Ready.READY),
        (503, "unreachable", Ready.UNREACHABLE),
        (503, "credentials_refused", Ready.CREDENTIALS_REFUSED),
        (503, "no_answer", Ready.NO_ANSWER),
        (503, "", Ready.NO_ANSWER),
        (500, "unreachable", Ready.NO_ANSWER),
        (404, "", Ready.NO_ANSWER),
        (None, "", Ready.NO_ANSWER),
    ],
)
def test_ready(status: int | None, code: str, said: Ready) -> None:
    """Only the application's own codes are statements about its writer."""
    assert signs.ready(status, code) is said


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([("secondary",), ("secondary",)], Witness.SECONDARY),
        ([("primary",), ("primary",)], Witness.PRIMARY),
        ([("secondary",), None], Witness.SECONDARY),
        ([None, ("primary",)], Witness.PRIMARY),
        ([("secondary",), ("primary",)], Witness.UNKNOWN),
        ([None, None], Witness.UNKNOWN),
        ([], Witness.UNKNOWN),
        ([()], Witness.UNKNOWN),
        ([("unknown",)], Witness.UNKNOWN),
        ([("Secondary",)], Witness.UNKNOWN),
        ([("primary", "secondary")], Witness.UNKNOWN),
    ],
)
def test_witness(answers: list[tuple[str, ...] | None], said: Witness) -> None:
    """recovery.md 2: anything but the two values is unknown, and so is a disagreement."""
    assert signs.witness(answers) is said


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        ("", Value.ALIVE),
        ("timeout", Value.DEAD),
        ("57P03", Value.DEAD),
        ("28P01", Value.UNKNOWN),
        ("tls", Value.UNKNOWN),
    ],
)
def test_reader(fault: str, value: Value) -> None:
    """H32: a reader that refuses us is unknown."""
    assert signs.reader(fault).value is value


def probes(**changes: Any) -> Probes:
    """Probes that all answer, with what differs."""
    answers: dict[str, Any] = {
        "own_load_balancer": lambda: ALIVE,
        "peer_application": lambda: DEAD,
        "ready": lambda: Ready.UNREACHABLE,
        "witness": lambda: Witness.SECONDARY,
        "writer_sql": lambda: DEAD,
        "reader": lambda: (ALIVE, MARKS),
        "own_cluster": lambda: READER,
        "global_cluster": lambda: MEMBER,
        "validation": lambda: VALID,
        "events": lambda: (Event("RDS-EVENT-0391", 4),),
        "own_writer": lambda: ALIVE,
        "old_writer": lambda: ALIVE,
        "switch": lambda: Switch.ENGAGED,
    }
    return Probes(**{**answers, **changes})


NOTHING_KNOWN: dict[str, Any] = {
    "own_load_balancer": UNKNOWN,
    "peer_application": UNKNOWN,
    "ready": Ready.NO_ANSWER,
    "witness": Witness.UNKNOWN,
    "writer_sql": UNKNOWN,
    "own_cluster": None,
    "global_cluster": None,
    "validation": None,
    "events": (),
    "own_writer": UNKNOWN,
    "old_writer": UNKNOWN,
    "switch": None,
}


def complete() -> Observation:
    """What ``probes`` find."""
    return observe(probes(), 7)


def test_every_probe_finds_its_place() -> None:
    """Thirteen answers make one observation of the given minute."""
    seen = complete()
    assert (seen.minute, seen.own_reader, seen.reader) == (7, ALIVE, MARKS)
    for name in NOTHING_KNOWN:
        assert getattr(seen, name) == getattr(probes(), name)()


@pytest.mark.parametrize("name", [field.name for field in fields(Probes)])
def test_a_probe_that_fails_is_unknown_and_disturbs_no_other(name: str) -> None:
    """recovery.md 2: a failure is data."""

    def failing() -> Any:
        raise RuntimeError(name)

    seen = observe(probes(**{name: failing}), 7)
    if name == "reader":
        assert seen == replace(complete(), own_reader=UNKNOWN, reader=None)
    else:
        assert seen == replace(complete(), **{name: NOTHING_KNOWN[name]})


def test_a_probe_that_hangs_is_not_waited_for() -> None:
    """All probes share one bound; the others' answers count."""
    hung = threading.Event()
    begun = time.monotonic()
    seen = observe(probes(writer_sql=lambda: (hung.wait(20), DEAD)[1]), 7, seconds=0.3)
    assert time.monotonic() - begun < 10
    hung.set()
    assert seen == replace(complete(), writer_sql=UNKNOWN)


def answer(*records: RR, asked: bytes | None = None) -> bytes:
    """A server's answer to our question."""
    reply = DNSRecord.parse(asked or txt_query.question(NAME, 9)).reply()
    for record in records:
        reply.add_answer(record)
    return bytes(reply.pack())


def txt(*parts: str) -> RR:
    """A TXT record."""
    return RR(NAME, QTYPE.TXT, rdata=TXT(list(parts)), ttl=10)


def test_a_question_is_one_that_others_understand() -> None:
    """One question, type TXT, class IN, no recursion."""
    asked = DNSRecord.parse(txt_query.question(NAME + ".", 9))
    assert (str(asked.q.qname), asked.q.qtype, asked.header.id) == (NAME + ".", QTYPE.TXT, 9)
    assert asked.header.rd == 0


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".test"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """Each part has 1 to 63 characters."""
    with pytest.raises(txt_query.TxtError, match="no domain name"):
        txt_query.question(name, 1)


def test_answers_are_read() -> None:
    """Strings are joined, other types skipped, several records kept."""
    asked = txt_query.question(NAME, 9)
    assert txt_query.texts(answer(txt("second", "ary")), asked) == ("secondary",)
    other = RR(NAME, QTYPE.A, rdata=A("127.0.0.1"))
    assert txt_query.texts(answer(other, txt("a"), txt("b")), asked) == ("a", "b")
    assert txt_query.texts(answer(), asked) == ()
    named = RR("other.test", QTYPE.TXT, rdata=TXT("c"))
    assert txt_query.texts(answer(named), asked) == ("c",)


def changed(data: bytes, at: int, value: int) -> bytes:
    """One byte exchanged."""
    return data[:at] + bytes([value]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda good: changed(good, 1, 8), "isn't one to this question"),
        (lambda good: changed(good, 2, 0), "isn't one to this question"),
        (lambda good: changed(good, 5, 2), "isn't one to this question"),
        (lambda good: changed(good, 14, 65), "isn't one to this question"),
        (lambda good: changed(good, 3, 3), "answers with code 3"),
        (lambda good: changed(good, 2, 0x86), "answers with code 0"),
        (lambda good: good[:-1], "cut off"),
        (lambda good: changed(good, -10, 99), "cut off"),
        (lambda good: changed(good, 7, 2), "malformed"),
        (lambda good: changed(good, -1, 0xFF), "malformed"),
        (lambda good: good[:5], "malformed"),
        (lambda good: b"", "malformed"),
    ],
)
def test_what_is_no_answer_is_an_error(wrong: Any, said: str) -> None:
    """Strays, forgeries, errors, truncated and malformed answers: unknown, never a witness."""
    asked = txt_query.question(NAME, 9)
    with pytest.raises(txt_query.TxtError, match=said):
        txt_query.texts(wrong(answer(txt("secondary"))), asked)


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_no_datagram_breaks_the_reader(data: bytes) -> None:
    """Whatever arrives is texts or a ``TxtError``."""
    asked = txt_query.question(NAME, 9)
    try:
        txt_query.texts(asked[:2] + data, asked)
    except txt_query.TxtError:
        return


@contextmanager
def server(reply: bool) -> Iterator[int]:
    """A name server on this machine that answers one question, or none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind(("127.0.0.1", 0))
        channel.settimeout(10)

        def serve() -> None:
            asked, client = channel.recvfrom(4096)
            if reply:
                channel.sendto(answer(txt("primary"), asked=asked), client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield channel.getsockname()[1]
        thread.join()


def test_a_server_is_asked_and_waited_for_no_longer_than_allowed() -> None:
    """UDP, one datagram; silence is an error in time."""
    with server(reply=True) as port:
        assert txt_query.ask("127.0.0.1", NAME, 9, 10, port) == ("primary",)
    with server(reply=False) as port, pytest.raises(txt_query.TxtError, match="doesn't answer"):
        txt_query.ask("127.0.0.1", NAME, 9, 0.2, port)


def test_a_name_in_an_answer_may_be_written_out() -> None:
    """A server needn't compress; a name that points elsewhere in the message is skipped as well."""
    asked = txt_query.question(NAME, 9)
    packed = answer(txt("secondary"))
    start = len(asked)
    written = asked[12:-4]
    assert txt_query.texts(packed[:start] + written + packed[start + 2 :], asked) == ("secondary",)
