"""Hosted zones and record sets, as Route 53's API lists them."""

from dataclasses import dataclass
from typing import Any, Literal

from lab.api import AwsCaller
from lab.outage import REGIONS


@dataclass(frozen=True)
class Alias:
    """An alias target: a load balancer, or another name of the same zone."""

    name: str
    """Lower case, ends with a dot; ``dualstack.`` removed."""
    zone_id: str
    evaluate_target_health: bool


@dataclass(frozen=True)
class RecordSet:
    """One record set. ``values`` is empty for an alias."""

    name: str
    """Lower case, ends with a dot; ``*`` for a wildcard label."""
    type: str
    ttl: int = 300
    values: tuple[str, ...] = ()
    alias: Alias | None = None
    identifier: str = ""
    """Empty for simple routing."""
    failover: Literal["PRIMARY", "SECONDARY", ""] = ""
    health_check_id: str = ""
    unsupported: str = ""
    """A routing policy that the lab doesn't do, such as ``weighted``."""


@dataclass(frozen=True)
class Zone:
    """One public hosted zone."""

    id: str
    name: str
    """Lower case, ends with a dot."""
    records: tuple[RecordSet, ...]


_UNSUPPORTED = {
    "Weight": "weighted",
    "GeoLocation": "geolocation",
    "GeoProximityLocation": "geoproximity",
    "CidrRoutingConfig": "IP-based",
    "MultiValueAnswer": "multivalue",
}


def normal_name(name: str) -> str:
    """Lower case, with the final dot, and Route 53's octal escape of ``*`` undone."""
    return name.lower().replace("\\052", "*").rstrip(".") + "."


def record_set(listed: dict[str, Any]) -> RecordSet:
    """From one item of ListResourceRecordSets."""
    target = listed.get("AliasTarget")
    alias = None
    if target:
        name = normal_name(target["DNSName"]).removeprefix("dualstack.")
        alias = Alias(name, target["HostedZoneId"], bool(target["EvaluateTargetHealth"]))
    unsupported = next((label for key, label in _UNSUPPORTED.items() if key in listed), "")
    if "Region" in listed:
        unsupported = "latency"
    return RecordSet(
        name=normal_name(listed["Name"]),
        type=listed["Type"],
        ttl=int(listed.get("TTL", 300)),
        values=tuple(item["Value"] for item in listed.get("ResourceRecords", ())),
        alias=alias,
        identifier=listed.get("SetIdentifier", ""),
        failover=listed.get("Failover", ""),
        health_check_id=listed.get("HealthCheckId", ""),
        unsupported=unsupported,
    )


async def deployed_zones(aws: AwsCaller) -> list[Zone]:
    """Every public zone with its records."""
    zones = []
    for zone in await aws.every("route53", REGIONS[0], "ListHostedZones", "HostedZones"):
        if zone.get("Config", {}).get("PrivateZone"):
            continue
        listed = await aws.every(
            "route53",
            REGIONS[0],
            "ListResourceRecordSets",
            "ResourceRecordSets",
            HostedZoneId=zone["Id"].rpartition("/")[2],
        )
        zones.append(
            Zone(
                zone["Id"].rpartition("/")[2],
                normal_name(zone["Name"]),
                tuple(record_set(item) for item in listed),
            )
        )
    return zones
