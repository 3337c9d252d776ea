"""What Route 53 answers: a pure function of zones, health and load balancers.

Sources: Route 53 developer guide, "How Amazon Route 53 chooses records when health checking is
configured", "Values specific for failover alias records", "Choosing between alias and non-alias
records"; RFC 1034 and RFC 4592 for names that don't exist and wildcards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from lab.dns.records import Alias, RecordSet, Zone

ALIAS_TTL = 60
"""Seconds; Route 53 answers an alias to a load balancer with the load balancer's own TTL."""
LONGEST_CHAIN = 8

Code = Literal["NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL"]


class World(Protocol):
    """What the answer depends on beside the records."""

    def check_healthy(self, health_check_id: str) -> bool:
        """Whether a health check is healthy now."""
        ...

    def load_balancer_healthy(self, name: str) -> bool:
        """Whether a load balancer has a healthy target."""
        ...

    def load_balancer_addresses(self, name: str) -> Sequence[str]:
        """IPv4 addresses of a load balancer; empty for one that doesn't exist."""
        ...


@dataclass(frozen=True)
class Resource:
    """One resource record of an answer; ``ttl`` in seconds."""

    name: str
    type: str
    ttl: int
    value: str


@dataclass(frozen=True)
class Answer:
    """``records`` is empty with NOERROR where the name exists without that type."""

    code: Code
    records: tuple[Resource, ...] = ()
    zone: Zone | None = None
    chosen: tuple[RecordSet, ...] = ()
    """The record sets that were followed, first to last."""
    reason: str = ""


def answer(zones: Sequence[Zone], name: str, kind: str, world: World) -> Answer:
    """Answers the question ``name`` (lower case, with final dot) of type ``kind``."""
    zone = _zone_of(zones, name)
    if zone is None:
        return Answer("REFUSED", reason=f"no zone of this lab holds {name}")
    return _in_zone(zone, name, name, kind, world, 0)


def healthy(zone: Zone, record: RecordSet, world: World, depth: int = 0) -> bool:
    """Whether a record set may be chosen.

    A record with neither a health check nor target evaluation counts as healthy; with both, both
    must be.
    """
    if record.health_check_id and not world.check_healthy(record.health_check_id):
        return False
    alias = record.alias
    if alias is None or not alias.evaluate_target_health or depth > LONGEST_CHAIN:
        return True
    if alias.zone_id != zone.id:
        return world.load_balancer_healthy(alias.name)
    targets = _candidates(zone, alias.name, record.type)
    return any(healthy(zone, target, world, depth + 1) for target in targets)


def _zone_of(zones: Sequence[Zone], name: str) -> Zone | None:
    holding = [zone for zone in zones if name == zone.name or name.endswith("." + zone.name)]
    return max(holding, key=lambda zone: len(zone.name), default=None)


def _in_zone(zone: Zone, owner: str, name: str, kind: str, world: World, depth: int) -> Answer:
    """Answers for ``name``; the records are named ``owner`` (they differ behind an alias)."""
    if depth > LONGEST_CHAIN:
        return Answer("SERVFAIL", zone=zone, reason=f"{name} leads in a circle")
    matching = _at_name(zone, name)
    if not matching:
        below = any(record.name.endswith("." + name) for record in zone.records)
        return Answer("NOERROR" if below else "NXDOMAIN", zone=zone)
    if kind == "ANY":
        kind = matching[0].type  # one of the name's types is answer enough (RFC 8482, section 4.1)
    candidates = [record for record in matching if record.type == kind]
    candidates = candidates or [record for record in matching if record.type == "CNAME"]
    if not candidates:
        return Answer("NOERROR", zone=zone)
    unsupported = next((record for record in candidates if record.unsupported), None)
    if unsupported:
        reason = f"the lab doesn't do {unsupported.unsupported} routing ({name})"
        return Answer("SERVFAIL", zone=zone, reason=reason)
    record = _choose(zone, candidates, world)
    if record.alias:
        found = _behind_alias(zone, owner, record.alias, kind, world, depth)
    else:
        found = _own_values(zone, owner, record, kind, world, depth)
    return Answer(found.code, found.records, zone, (record, *found.chosen), found.reason)


def _own_values(
    zone: Zone, owner: str, record: RecordSet, kind: str, world: World, depth: int
) -> Answer:
    own = tuple(Resource(owner, record.type, record.ttl, value) for value in record.values)
    target = record.values[0].lower().rstrip(".") + "."
    inside = target == zone.name or target.endswith("." + zone.name)
    if record.type != "CNAME" or kind == "CNAME" or not inside:
        return Answer("NOERROR", own)
    rest = _in_zone(zone, target, target, kind, world, depth + 1)
    if rest.code == "SERVFAIL":
        return rest
    return Answer(rest.code, own + rest.records, chosen=rest.chosen, reason=rest.reason)


def _behind_alias(
    zone: Zone, owner: str, alias: Alias, kind: str, world: World, depth: int
) -> Answer:
    if alias.zone_id == zone.id:
        return _in_zone(zone, owner, alias.name, kind, world, depth + 1)
    if kind != "A":
        return Answer("NOERROR")  # the lab's load balancers are ipv4
    addresses = world.load_balancer_addresses(alias.name)
    return Answer("NOERROR", tuple(Resource(owner, "A", ALIAS_TTL, ip) for ip in addresses))


def _choose(zone: Zone, candidates: list[RecordSet], world: World) -> RecordSet:
    """The record set that routing picks; candidates share name and type.

    Failover: a healthy primary, else a healthy secondary, else the primary ("when both are
    unhealthy, Route 53 responds with the primary record").
    """
    primary = next((record for record in candidates if record.failover == "PRIMARY"), None)
    secondary = next((record for record in candidates if record.failover == "SECONDARY"), None)
    if primary and (secondary is None or healthy(zone, primary, world)):
        return primary
    if secondary and (primary is None or healthy(zone, secondary, world)):
        return secondary
    return primary or candidates[0]


def _candidates(zone: Zone, name: str, kind: str) -> list[RecordSet]:
    return [record for record in _at_name(zone, name) if record.type in (kind, "CNAME")]


def _at_name(zone: Zone, name: str) -> list[RecordSet]:
    """The record sets of a name, or of the wildcard that stands in for it (RFC 4592)."""
    exact = [record for record in zone.records if record.name == name]
    if exact or any(record.name.endswith("." + name) for record in zone.records):
        return exact
    parent = name
    while parent != zone.name and "." in parent.rstrip("."):
        parent = parent.partition(".")[2]
        wild = [record for record in zone.records if record.name == f"*.{parent}"]
        if wild:
            return wild
        if any(
            record.name == parent or record.name.endswith("." + parent) for record in zone.records
        ):
            return []
    return []
