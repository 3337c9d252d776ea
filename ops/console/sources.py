"""What is asked, how often, and what AWS takes for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab import client
from ops.cloud import (
    account,
    alarms,
    minutes,
    parameters,
    probes,
    queues,
    readiness,
    regions,
    switch,
    traffic,
)
from ops.cloud.clients import Clients
from ops.cloud.roles import role_of
from ops.console.drills import Drills
from ops.console.facts import Asked, Layer
from ops.console.outputs import Outputs
from ops.recorded_drift import read
from ops.recovery import standing
from ops.recovery.items import Items
from ops.stack_file import StackFile
from ops.workspace import Workspace

MILLION = 1_000_000
HOUR_SECONDS = 3600


@dataclass
class World:
    """Whom to ask."""

    space: Workspace
    file: StackFile
    clients: Clients
    outputs: Outputs
    drills: Drills
    lab_endpoint: str | None = None
    lab_dns: str = ""
    """``HOST:PORT`` of the lab's DNS server, as its status last said."""

    @property
    def suffix(self) -> str:
        """The environment's."""
        return self.file.settings.suffix

    def role(self, region: str) -> str:
        """``primary`` or ``secondary``."""
        return role_of(region, self.clients.regions)

    def balancer(self, region: str) -> str | None:
        """The load balancer's DNS name."""
        return self.outputs.flat.get(f"app.{self.role(region)}.load_balancer_dns_name")


Ask = Callable[[World, str], Any]
"""(whom, region or nothing) → the answer; whatever it raises is the reason why none is known."""


@dataclass(frozen=True)
class Source:
    """One thing that is asked again and again."""

    name: str
    ask: Ask
    in_lab: float
    """Seconds between two answers in the lab; 0: not asked there."""
    on_aws: float
    """The same on AWS."""
    regional: bool = False
    """Whether each region is asked."""
    calls: int = 0
    """AWS API calls each time, of one region where it is regional."""
    units: int = 0
    """What AWS counts for them, where that isn't calls (metrics)."""
    dollars: float = field(default=0.0)
    """Of a million units; list prices of us-east-1."""

    def seconds(self, is_lab: bool) -> float:
        """Between two answers."""
        return self.in_lab if is_lab else self.on_aws

    @property
    def calls_a_minute(self) -> float:
        """On AWS, both regions together."""
        return self._times(60) * self.calls

    @property
    def dollars_an_hour(self) -> float:
        """On AWS."""
        return self._times(HOUR_SECONDS) * (self.units or self.calls) * self.dollars / MILLION

    def _times(self, seconds: float) -> float:
        return seconds / self.on_aws * (2 if self.regional else 1) if self.on_aws else 0.0


def _layers(world: World, _: str) -> tuple[Layer, ...]:
    return world.outputs.layers()


def _lab(world: World, _: str) -> client.Status:
    found = client.status(world.space.lab_state)
    world.lab_dns = found.dns
    return found


def _requests(world: World, _: str) -> Any:
    return client.requests(world.space.lab_state).get("regions", {})


def _traffic(world: World, _: str) -> traffic.Traffic:
    dns = world.lab_dns if world.lab_endpoint else None
    return traffic.now(world.outputs.flat, world.clients.regions, dns)


def _ready(world: World, region: str) -> readiness.Readiness:
    host = world.balancer(region)
    return readiness.readiness(
        host,
        world.clients,
        region,
        world.suffix,
        world.lab_endpoint,
        world.file.settings.server_name,
    )


def _lag(world: World, region: str) -> str:
    name = world.outputs.flat.get(f"data.{world.role(region)}.cluster_identifier")
    return regions.replication_lag(name, world.clients, region) if name else "not deployed"


def _alarms(world: World, region: str) -> alarms.RegionAlarms:
    return alarms.of_region(world.clients, region, world.suffix)


def _recovery(world: World, _: str) -> dict[str, Any]:
    items = Items.of(world.clients, world.file)
    return standing.as_document(items.read(), world.file, world.clients, items)


def _minutes(world: World, region: str) -> minutes.Minutes:
    flat = world.outputs.flat
    return minutes.minutes(flat, world.role(region), world.clients, region, world.suffix)


def _probes(world: World, region: str) -> probes.Probes:
    identity = world.outputs.flat.get(f"global.{world.role(region)}.health_check_id")
    return probes.probes(world.clients, identity)


SOURCES = (
    Source("layers", _layers, 5, 300),
    Source("lab", _lab, 1, 0),
    Source("requests", _requests, 1, 0),
    Source("traffic", _traffic, 1, 5),
    Source("health", lambda world, region: regions.health(world.balancer(region),
           world.lab_endpoint), 3, 10, regional=True),
    Source("ready", _ready, 5, 30, regional=True, calls=1, dollars=5.0),
    Source("database", lambda world, region: regions.database(world.outputs.flat,
           world.role(region), world.clients, region), 5, 15, regional=True, calls=1),
    Source("lag", _lag, 10, 60, regional=True, calls=1, dollars=10.0),
    Source("switch", lambda world, _: switch.switch(world.clients, world.suffix), 5, 15, calls=1),
    Source("recovery", _recovery, 5, 20, calls=3, dollars=0.25),
    Source("probes", _probes, 5, 30, regional=True, calls=1),
    Source("events", lambda world, region: queues.events(world.clients, region, world.suffix),
           10, 90, regional=True, calls=4, dollars=0.4),
    Source("minutes", _minutes, 15, 60, regional=True, calls=1, units=6, dollars=10.0),
    Source("parameters", lambda world, _: parameters.parameters(world.clients, world.suffix),
           30, 60, calls=2),
    Source("alarms", _alarms, 10, 30, regional=True, calls=1, dollars=10.0),
    Source("caller", lambda world, _: account.caller(world.clients), 0, 300, calls=1),
    Source("drills", lambda world, _: world.drills.read(), 5, 5),
    Source("drift", lambda world, _: read(world.space, world.file.stack), 5, 5),
)  # fmt: skip
"""In the order in which they are first asked."""


def asked() -> tuple[Asked, ...]:
    """What is asked of AWS's APIs, the most calls first."""
    found = (Asked(one.name, one.calls_a_minute, one.dollars_an_hour) for one in SOURCES)
    calls = [one for one in found if one.calls_a_minute]
    return tuple(sorted(calls, key=lambda one: -one.calls_a_minute))
