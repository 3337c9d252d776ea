"""Whether the zones are places for what the programs put there: asked before a database is made.

Zone *names* are each account's own: ``us-east-1a`` may be any of the region's zones, and some of
those lack services. AWS says so only when the thing is made, in the middle of a deployment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ops.cloud.clients import Clients
from ops.doctor.finding import Finding, State, missing, ok
from ops.errors import bad_input
from tapstack.settings import Settings

UNSERVED: Mapping[str, str] = {"use1-az3": "functions in a VPC"}
"""Zone id → what isn't offered there (AWS Lambda refuses subnets in it)."""


@dataclass(frozen=True)
class Zones:
    """What one region says."""

    region: str
    key: str
    """The configuration key that chooses them."""
    wanted: tuple[str, ...]
    ids: Mapping[str, str]
    """Available zones: name → id."""
    ordered: frozenset[str]
    """Names of zones where the database's class and version can be ordered."""
    database: str
    """That class and version, in words."""


def ask(clients: Clients, settings: Settings, region: str) -> Zones:
    """Asks the region."""
    primary = region == clients.regions[0]
    ec2, rds = clients.get("ec2", region), clients.get("rds", region)
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    name, version = settings.data.instance_class, settings.data.engine_version
    answer: dict[str, Any] = rds.describe_orderable_db_instance_options(
        Engine="aurora-postgresql", EngineVersion=version, DBInstanceClass=name
    )
    return Zones(
        region,
        "TapStack:primaryZones" if primary else "TapStack:standbyZones",
        settings.stack.primary_zones if primary else settings.stack.standby_zones,
        {x["ZoneName"]: x.get("ZoneId", "") for x in zones if x["State"] == "available"},
        frozenset(
            zone["Name"]
            for option in answer["OrderableDBInstanceOptions"]
            for zone in option["AvailabilityZones"]
        ),
        f"{name} with Aurora PostgreSQL {version}",
    )


def judge(zones: Zones) -> Iterator[Finding]:
    """The findings, pure: the zones as such, then the database in them."""
    what = f"zones of {zones.region}"
    served = sorted(name for name, ident in zones.ids.items() if ident not in UNSERVED)
    choice = f"choose three of {', '.join(served)} for {zones.key}"
    lacking = [zone for zone in zones.wanted if zone not in zones.ids]
    unserved = [zone for zone in zones.wanted if zones.ids.get(zone) in UNSERVED]
    if lacking:
        yield missing(what, f"{', '.join(lacking)} aren't the account's", choice)
    elif unserved:
        ident = zones.ids[unserved[0]]
        yield missing(what, f"{unserved[0]} is {ident}, without {UNSERVED[ident]}", choice)
    else:
        yield ok(what, ", ".join(f"{zone} ({zones.ids[zone]})" for zone in zones.wanted))
    what = f"classes in {zones.region}"
    without = [zone for zone in zones.wanted if zone not in zones.ordered]
    if not zones.ordered:
        yield missing(
            what,
            f"{zones.database} can't be ordered",
            "choose another data:instanceClass or data:engineVersion",
        )
    elif without:
        yield missing(
            what,
            f"{zones.database} isn't offered in {', '.join(without)}",
            f"choose three of {', '.join(sorted(zones.ordered))} for {zones.key}",
        )
    else:
        yield ok(what, zones.database)


def check(clients: Clients, settings: Settings) -> None:
    """Refuses a deployment that would fail at its zones, before anything is made (trap 51)."""
    for region in clients.regions:
        for finding in judge(ask(clients, settings, region)):
            if finding.state is State.MISSING:
                raise bad_input(
                    f"{finding.what}: {finding.detail}; nothing was touched: {finding.remedy}"
                )
