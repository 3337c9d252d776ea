"""The DNS semantics that the lab answers with, row by row from AWS's documentation.

DG = Route 53 developer guide. "choosing" = "How Amazon Route 53 chooses records when health
checking is configured"; "alias" = "Choosing between alias and non-alias records"; "failover" =
"Active-active and active-passive failover" and "Values specific for failover alias records".
"""

from dataclasses import dataclass, field

import pytest

from lab.dns.answers import ALIAS_TTL, answer
from lab.dns.records import Alias, RecordSet, Zone, normal_name, record_set

EAST = "alb-east.us-east-1.elb.amazonaws.com."
WEST = "alb-west.us-west-2.elb.amazonaws.com."
ADDRESSES = {EAST: ["127.1.0.1"], WEST: ["127.2.0.1"]}
ZONE = "example-clinic.net."


@dataclass
class FakeWorld:
    """Health by name; what isn't named is healthy."""

    sick: set[str] = field(default_factory=set)

    def check_healthy(self, health_check_id: str) -> bool:
        return health_check_id not in self.sick

    def load_balancer_healthy(self, name: str) -> bool:
        return name not in self.sick

    def load_balancer_addresses(self, name: str) -> list[str]:
        return ADDRESSES.get(name, [])


def alias_to(
    target: str, failover: str = "", check: str = "", evaluate: bool = True, name: str = "app"
) -> RecordSet:
    zone_id = "Z-LB" if target in ADDRESSES or "elb" in target else "Z-OWN"
    return RecordSet(
        name=f"{name}.{ZONE}",
        type="A",
        alias=Alias(target, zone_id, evaluate),
        identifier=failover.lower(),
        failover=failover,  # type: ignore[arg-type]
        health_check_id=check,
    )


def plain(name: str, value: str, kind: str = "A", failover: str = "", check: str = "") -> RecordSet:
    return RecordSet(
        name=name,
        type=kind,
        ttl=300,
        values=(value,),
        identifier=failover.lower(),
        failover=failover,  # type: ignore[arg-type]
        health_check_id=check,
    )


SOA = plain(
    ZONE, "ns-1.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400", "SOA"
)
NS = plain(ZONE, "ns-1.awsdns-00.com.", "NS")
PAIR = (alias_to(EAST, "PRIMARY", "east"), alias_to(WEST, "SECONDARY", "west"))
NO_EVALUATION = (
    alias_to(EAST, "PRIMARY", "east", evaluate=False),
    alias_to(WEST, "SECONDARY", "west", evaluate=False),
)
NO_SECOND_CHECK = (PAIR[0], alias_to(WEST, "SECONDARY", evaluate=False))
TARGETS_ONLY = (alias_to(EAST, "PRIMARY"), alias_to(WEST, "SECONDARY"))
PLAIN_PAIR = (
    plain(f"app.{ZONE}", "192.0.2.1", failover="PRIMARY", check="east"),
    plain(f"app.{ZONE}", "192.0.2.2", failover="SECONDARY", check="west"),
)
NESTED = (
    alias_to(f"east.{ZONE}", "PRIMARY"),
    alias_to(f"west.{ZONE}", "SECONDARY"),
    alias_to(EAST, check="east", name="east"),
    alias_to(WEST, check="west", name="west"),
)
E, W = "127.1.0.1", "127.2.0.1"

FAILOVER_ROWS = [
    # records, what is sick, the address answered, source
    (PAIR, set(), E, "DG failover: primary while healthy"),
    (PAIR, {"east"}, W, "DG failover: secondary when the primary's check fails"),
    (PAIR, {"west"}, E, "DG failover: the secondary's health doesn't matter to a healthy primary"),
    (PAIR, {"east", "west"}, E, "DG failover: both unhealthy, the primary is answered"),
    (PAIR, {EAST}, W, "DG alias: evaluate target health moves traffic without a check"),
    (PAIR, {WEST}, E, "DG failover"),
    (PAIR, {EAST, WEST}, E, "DG failover: both unhealthy by targets, primary"),
    (PAIR, {EAST, "west"}, E, "DG failover: both unhealthy by mixed reasons, primary"),
    (PAIR, {"east", WEST}, E, "DG failover: both unhealthy by mixed reasons, primary"),
    (PAIR, {"east", EAST}, W, "DG choosing: unhealthy for two reasons is unhealthy"),
    (PAIR, {"west", WEST}, E, "DG choosing"),
    (PAIR, {"east", EAST, "west", WEST}, E, "DG failover: everything unhealthy, primary"),
    (NO_EVALUATION, set(), E, "DG failover"),
    (NO_EVALUATION, {"east"}, W, "DG failover"),
    (NO_EVALUATION, {EAST}, E, "DG alias: without evaluation the target's health is not asked"),
    (NO_EVALUATION, {"east", WEST}, W, "DG alias: nor for the secondary"),
    (NO_EVALUATION, {"east", "west"}, E, "DG failover"),
    (NO_SECOND_CHECK, {"east"}, W, "DG choosing: a record without a check counts as healthy"),
    (NO_SECOND_CHECK, {"east", WEST}, W, "DG choosing: always, also when its target is dead"),
    (TARGETS_ONLY, set(), E, "DG alias"),
    (TARGETS_ONLY, {EAST}, W, "DG alias: targets alone decide"),
    (TARGETS_ONLY, {EAST, WEST}, E, "DG failover"),
    (PAIR[:1], {"east", EAST}, E, "DG choosing: no healthy record, all are considered healthy"),
    (PAIR[1:], {"west", WEST}, W, "DG choosing: a lone secondary is answered"),
    (PAIR[1:], set(), W, "DG choosing: a lone secondary is answered"),
    (PLAIN_PAIR, set(), "192.0.2.1", "DG failover: non-alias records"),
    (PLAIN_PAIR, {"east"}, "192.0.2.2", "DG failover: non-alias records"),
    (PLAIN_PAIR, {"east", "west"}, "192.0.2.1", "DG failover: non-alias records"),
    (NESTED, set(), E, "DG choosing: alias to a record of the same zone"),
    (NESTED, {"east"}, W, "DG choosing: health of the referenced record counts"),
    (NESTED, {EAST}, W, "DG choosing: so does its target's"),
    (NESTED, {"east", WEST}, E, "DG choosing: both branches unhealthy, primary"),
]


@pytest.mark.parametrize(("records", "sick", "address", "source"), FAILOVER_ROWS)
def test_failover_answers(records, sick, address, source):
    """R3.2, traps 12 and 13: which record is answered, for every combination of health."""
    zone = Zone("Z-OWN", ZONE, (SOA, NS, *records))
    found = answer([zone], f"app.{ZONE}", "A", FakeWorld(sick))
    assert [record.value for record in found.records] == [address], source
    assert found.code == "NOERROR"


NAMES = Zone(
    "Z-OWN",
    ZONE,
    (
        SOA,
        NS,
        *PAIR,
        plain(f"www.{ZONE}", f"app.{ZONE}", "CNAME"),
        plain(f"out.{ZONE}", "elsewhere.test.", "CNAME"),
        plain(f"*.wild.{ZONE}", "192.0.2.9"),
        plain(f"taken.wild.{ZONE}", '"text"', "TXT"),
        plain(f"deep.below.{ZONE}", "192.0.2.7"),
        plain(f"ring-a.{ZONE}", f"ring-b.{ZONE}", "CNAME"),
        plain(f"ring-b.{ZONE}", f"ring-a.{ZONE}", "CNAME"),
        RecordSet(f"heavy.{ZONE}", "A", values=("192.0.2.8",), unsupported="weighted"),
        alias_to("gone.us-east-1.elb.amazonaws.com.", name="gone"),
    ),
)

NAME_ROWS = [
    # question, type, code, values answered, source
    (f"app.{ZONE}", "A", "NOERROR", [E], "DG alias"),
    (f"app.{ZONE}", "AAAA", "NOERROR", [], "RFC 2308: a name without that type is no error"),
    (f"app.{ZONE}", "TXT", "NOERROR", [], "RFC 2308"),
    (f"nothing.{ZONE}", "A", "NXDOMAIN", [], "RFC 1034: a name that doesn't exist"),
    (f"below.{ZONE}", "A", "NOERROR", [], "RFC 4592: an empty non-terminal exists"),
    (f"deep.below.{ZONE}", "A", "NOERROR", ["192.0.2.7"], "RFC 1034"),
    (f"www.{ZONE}", "A", "NOERROR", [f"app.{ZONE}", E], "RFC 1034: CNAME followed in the zone"),
    (f"www.{ZONE}", "CNAME", "NOERROR", [f"app.{ZONE}"], "RFC 1034: CNAME asked for itself"),
    (f"out.{ZONE}", "A", "NOERROR", ["elsewhere.test."], "RFC 1034: not followed outside"),
    (f"any.wild.{ZONE}", "A", "NOERROR", ["192.0.2.9"], "DG 'Using an asterisk': wildcard"),
    (f"a.b.wild.{ZONE}", "A", "NOERROR", ["192.0.2.9"], "RFC 4592: several labels deep"),
    (f"taken.wild.{ZONE}", "A", "NOERROR", [], "RFC 4592: an existing name hides the wildcard"),
    (f"x.taken.wild.{ZONE}", "A", "NXDOMAIN", [], "RFC 4592: so do names below it"),
    (ZONE, "SOA", "NOERROR", [SOA.values[0]], "DG 'SOA and NS records that Route 53 creates'"),
    (ZONE, "NS", "NOERROR", ["ns-1.awsdns-00.com."], "DG 'SOA and NS records'"),
    (ZONE, "A", "NOERROR", [], "RFC 2308"),
    ("clinic.test.", "A", "REFUSED", [], "DG: a name server answers for its own zones only"),
    (ZONE, "ANY", "NOERROR", [SOA.values[0]], "RFC 8482: one of the name's types"),
    (f"nothing.{ZONE}", "ANY", "NXDOMAIN", [], "RFC 1034"),
    (f"ring-a.{ZONE}", "A", "SERVFAIL", [], "RFC 1034: a CNAME circle"),
    (f"heavy.{ZONE}", "A", "SERVFAIL", [], "the lab refuses routing that it doesn't do"),
    (f"gone.{ZONE}", "A", "NOERROR", [], "DG alias: a target that is gone"),
]


@pytest.mark.parametrize(("name", "kind", "code", "values", "source"), NAME_ROWS)
def test_names(name, kind, code, values, source):
    """R3.1: names, types and codes as an authoritative server answers them."""
    found = answer([NAMES], name, kind, FakeWorld())
    assert (found.code, [record.value for record in found.records]) == (code, values), source


def test_an_alias_to_a_load_balancer_is_answered_with_its_own_ttl():
    """Trap 15, R3.2: 60 s, whatever the record set says; the owner's name stays the question's."""
    found = answer([NAMES], f"app.{ZONE}", "A", FakeWorld())
    assert [(record.name, record.ttl) for record in found.records] == [(f"app.{ZONE}", ALIAS_TTL)]


def test_the_longest_zone_answers():
    """R3.1: of two zones that hold a name, the more specific one is asked."""
    inner = Zone("Z-IN", f"east.{ZONE}", (plain(f"app.east.{ZONE}", "192.0.2.5"),))
    found = answer([NAMES, inner], f"app.east.{ZONE}", "A", FakeWorld())
    assert found.zone == inner
    assert [record.value for record in found.records] == ["192.0.2.5"]


def test_records_are_read_as_the_api_lists_them():
    """R3.2: names normalised, dualstack prefix and octal escape undone, other policies noted."""
    listed = {
        "Name": "\\052.App.Example-Clinic.net.",
        "Type": "A",
        "SetIdentifier": "one",
        "Failover": "PRIMARY",
        "HealthCheckId": "check",
        "AliasTarget": {
            "DNSName": f"dualstack.{EAST}",
            "HostedZoneId": "Z-LB",
            "EvaluateTargetHealth": True,
        },
    }
    record = record_set(listed)
    assert record.name == f"*.app.{ZONE}"
    assert record.alias == Alias(EAST, "Z-LB", True)
    assert (record.failover, record.health_check_id, record.unsupported) == ("PRIMARY", "check", "")
    assert record_set({"Name": "a.", "Type": "A", "Weight": 1}).unsupported == "weighted"
    assert record_set({"Name": "a.", "Type": "A", "Region": "us-east-1"}).unsupported == "latency"
    assert normal_name("APP.example-clinic.NET") == f"app.{ZONE}"
