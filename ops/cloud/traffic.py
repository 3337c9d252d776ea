"""Where DNS sends clients now, asked of the zone's own servers: no resolver's cache between, and no
API of us-east-1."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dnslib import QTYPE, DNSError, DNSRecord

from lab.dns.load_balancers import LoadBalancer
from lab.dns.records import normal_name
from ops.cloud.answers import reason
from ops.cloud.roles import ROLES

DNS_PORT = 53
SECONDS = 2.0
"""Longest wait for one server's answer."""
MOST_SERVERS = 2

Addresses = Callable[[str, str], frozenset[str]]
"""(region, load balancer's DNS name) → its addresses."""


@dataclass(frozen=True)
class Traffic:
    """What a client that asks now gets."""

    region: str
    """Empty: not known, or no region's load balancer."""
    ttl: int
    """Seconds for which a client keeps an answer: so long those that asked before go elsewhere."""
    detail: str = ""
    """Why it isn't known."""

    def __str__(self) -> str:
        """As a table shows it."""
        if not self.region:
            return f"unknown ({self.detail})"
        return f"{self.region}; a client keeps the answer for {self.ttl} s"


def now(outputs: Mapping[str, Any], regions: Sequence[str], lab_dns: str | None) -> Traffic:
    """Where the deployed name leads now, by ``outputs`` (docs/names.md).

    ``lab_dns`` is ``HOST:PORT`` of the lab's server, empty where it doesn't run; None on AWS.
    """
    name = outputs.get("global.fqdn")
    if not name:
        return Traffic("", 0, "not deployed")
    balancers = {
        region: host
        for role, region in zip(ROLES, regions, strict=True)
        if (host := outputs.get(f"app.{role}.load_balancer_dns_name"))
    }
    return leads_to(name, balancers, outputs.get("global.name_servers", ()), lab_dns)


def traffic(
    name: str,
    servers: Sequence[tuple[str, int]],
    balancers: Mapping[str, str],
    addresses: Addresses,
) -> Traffic:
    """Which region's load balancer (region → DNS name) the name leads to.

    ``servers`` are (host, port), asked one after the other until one answers.
    """
    answer = asked(name, servers[:MOST_SERVERS])
    found = set(answer.addresses)
    for region, balancer in balancers.items():
        if found & addresses(region, balancer):
            return Traffic(region, answer.ttl)
    if answer.unknown:
        return Traffic("", 0, answer.unknown)
    led = f"leads to {', '.join(sorted(found))}" if found else "has no address"
    return Traffic("", 0, f"{name} {led}")


@dataclass(frozen=True)
class Answered:
    """What a zone's name server answers; ``unknown`` says why none did."""

    addresses: tuple[str, ...] = ()
    ttl: int = 0
    """Seconds, the shortest of the records'."""
    unknown: str = ""


def asked(name: str, servers: Sequence[tuple[str, int]]) -> Answered:
    """The addresses of a name, by the first of its zone's servers (host, port) that answers."""
    unknown = "no name servers"
    for host, port in servers:
        try:
            packet = DNSRecord.question(name, "A").send(
                socket.gethostbyname(host), port, timeout=SECONDS
            )
            answer = DNSRecord.parse(packet)
        except (OSError, DNSError) as error:
            unknown = f"{host}: {reason(error)}"
            continue
        records = [record for record in answer.rr if record.rtype == QTYPE.A]
        ttl = min((record.ttl for record in records), default=0)
        return Answered(tuple(str(record.rdata) for record in records), ttl)
    return Answered(unknown=unknown)


def leads_to(
    name: str,
    balancers: Mapping[str, str],
    name_servers: Sequence[str],
    lab_dns: str | None,
) -> Traffic:
    """The same for a stack; ``lab_dns`` is the lab's own server (127.0.0.1:PORT), None on AWS."""
    if lab_dns is None:
        servers = [(server, DNS_PORT) for server in name_servers]
        return traffic(name, servers, balancers, resolved)
    host, _, port = lab_dns.partition(":")
    return traffic(name, [(host, int(port))] if port else [], balancers, in_the_lab)


def resolved(_region: str, balancer: str) -> frozenset[str]:
    """A load balancer's addresses on AWS."""
    try:
        return frozenset(socket.gethostbyname_ex(balancer)[2])
    except OSError:
        return frozenset()


def in_the_lab(region: str, balancer: str) -> frozenset[str]:
    """The address that stands for a load balancer in the lab's answers."""
    return frozenset({LoadBalancer(normal_name(balancer), region, "", healthy=True).address})
