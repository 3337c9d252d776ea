"""The DNS server's wire format, without a socket."""

import pytest
from dnslib import CLASS, EDNS0, OPCODE, QTYPE, RCODE, DNSRecord

from lab.dns.answers import Answer, Resource
from lab.dns.records import RecordSet, Zone
from lab.dns.server import DnsServer

ZONE = "clinic.net."
START_OF_AUTHORITY = "ns-1.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 300"


def zone(soa: str = START_OF_AUTHORITY, ttl: int = 900) -> Zone:
    return Zone("Z", ZONE, (RecordSet(ZONE, "SOA", ttl, (soa,)),))


def asked(question: DNSRecord, answer: Answer, *, stream: bool = False) -> DNSRecord:
    reply = DnsServer(lambda _name, _kind: answer).reply(bytes(question.pack()), stream=stream)
    assert reply is not None
    return DNSRecord.parse(reply)


FOUND = Answer("NOERROR", (Resource(f"app.{ZONE}", "A", 60, "192.0.2.1"),), zone())
LONG = Answer(
    "NOERROR",
    tuple(Resource(f"app.{ZONE}", "TXT", 60, f'"{number:0200}"') for number in range(10)),
    zone(),
)
QUESTION = DNSRecord.question(f"app.{ZONE}", "A")


def with_edns(size: int) -> DNSRecord:
    question = DNSRecord.question(f"app.{ZONE}", "A")
    question.add_ar(EDNS0(udp_len=size))
    return question


def test_an_answer_is_authoritative_and_promises_no_recursion():
    """R3.1: aa set, ra and ad clear, the question repeated."""
    question = DNSRecord.question(f"app.{ZONE}", "A")
    question.header.ad = 1
    reply = asked(question, FOUND)
    header = reply.header
    assert (header.qr, header.aa, header.ra, header.ad, header.rcode) == (1, 1, 0, 0, 0)
    assert str(reply.q.qname) == f"app.{ZONE}"
    assert [(str(rr.rdata), rr.ttl) for rr in reply.rr] == [("192.0.2.1", 60)]


@pytest.mark.parametrize("answer", [FOUND, Answer("NXDOMAIN", zone=zone()), Answer("REFUSED")])
def test_a_question_with_edns_is_answered_with_edns(answer):
    """RFC 6891, section 7: an OPT record comes back, and only to who sent one."""
    assert [rr.rtype for rr in asked(with_edns(1232), answer).ar] == [QTYPE.OPT]
    assert asked(QUESTION, answer).ar == []


def test_an_unknown_version_of_edns_is_badvers():
    """RFC 6891, section 6.1.3: BADVERS (16), its upper bits in the OPT record, no answer."""
    question = DNSRecord.question(f"app.{ZONE}", "A")
    question.add_ar(EDNS0(udp_len=1232, version=1))
    reply = asked(question, FOUND)
    (option,) = reply.ar
    assert (option.edns_rcode << 4) + reply.header.rcode == 16
    assert option.edns_ver == 0
    assert reply.rr == []


@pytest.mark.parametrize(
    ("question", "stream", "truncated"),
    [
        (QUESTION, False, True),
        (with_edns(100), False, True),
        (with_edns(4096), False, False),
        (QUESTION, True, False),
    ],
)
def test_a_reply_that_is_too_long_for_the_client_is_marked(question, stream, truncated):
    """RFC 1035 and 6891: 512 bytes over UDP, or what EDNS offers; all of it over TCP."""
    reply = asked(question, LONG, stream=stream)
    assert (reply.header.tc, len(reply.rr)) == ((1, 0) if truncated else (0, 10))
    assert len(reply.questions) == 1


@pytest.mark.parametrize(
    ("opcode", "kind", "code"),
    [
        (OPCODE.STATUS, CLASS.IN, RCODE.NOTIMP),
        (OPCODE.QUERY, CLASS.CH, RCODE.REFUSED),
        (OPCODE.QUERY, CLASS.IN, RCODE.NOERROR),
    ],
)
def test_only_questions_of_the_internet_are_answered(opcode, kind, code):
    """RFC 1035: other operations aren't implemented, other classes have no zone here."""
    question = DNSRecord.question(f"app.{ZONE}", "A")
    question.header.opcode, question.q.qclass = opcode, kind
    reply = asked(question, FOUND)
    assert reply.header.rcode == code
    assert bool(reply.rr) == (code == RCODE.NOERROR)


@pytest.mark.parametrize(("ttl", "last", "kept"), [(900, 300, 300), (60, 86400, 60)])
def test_an_absence_is_kept_for_the_lesser_of_the_two_times(ttl, last, kept):
    """RFC 2308, section 5: the SOA's own TTL or its last field."""
    soa = START_OF_AUTHORITY.rsplit(" ", 1)[0] + f" {last}"
    reply = asked(QUESTION, Answer("NXDOMAIN", zone=zone(soa, ttl)))
    assert reply.header.rcode == RCODE.NXDOMAIN
    assert [(QTYPE[rr.rtype], rr.ttl) for rr in reply.auth] == [("SOA", kept)]


def test_a_zone_without_soa_still_says_that_it_has_nothing():
    """R3.1: an empty answer is distinguished from a referral of another server by its authority."""
    reply = asked(QUESTION, Answer("NOERROR", zone=Zone("Z", ZONE, ())))
    assert [QTYPE[rr.rtype] for rr in reply.auth] == ["NS"]


def test_a_record_that_cannot_be_read_is_a_server_failure():
    """Silence would make a client wait; a failure is answered at once."""
    broken = Answer("NOERROR", (Resource(f"app.{ZONE}", "A", 60, "not an address"),), zone())
    reply = asked(QUESTION, broken)
    assert (reply.header.rcode, reply.rr) == (RCODE.SERVFAIL, [])


@pytest.mark.parametrize(
    "packet",
    [b"", b"\x00", b"\xff" * 40, bytes(QUESTION.reply().pack()), bytes(DNSRecord().pack())],
    # The packets hold random numbers, and test processes must name their tests alike.
    ids=["empty", "a byte", "noise", "a reply", "no question"],
)
def test_what_is_no_question_gets_no_reply(packet):
    """An answer to an answer would go round for ever."""
    assert DnsServer(lambda _name, _kind: FOUND).reply(packet) is None
