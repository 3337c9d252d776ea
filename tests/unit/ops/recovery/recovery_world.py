"""Both regions of the recovery's simulator as commands reach them: real decisions and runs over a
simulated truth, DynamoDB in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, cast

from botocore.exceptions import EndpointConnectionError
from fake_clients import refusal
from recovery_tables import Table, Tables
from simulator.play import SETTLED, sides
from simulator.ports import Side
from simulator.truth import EAST, WEST, Truth, other
from watched_driver import stack_file

from ops.cloud.clients import Clients
from ops.cloud.traffic import Traffic
from ops.recovery.place import Place, World
from recovery.act import Ports, Run, run
from recovery.environment import Environment
from recovery.model import Settings, State
from recovery.observation import Switch
from recovery.parameters import RecoveryParameters
from recovery.ports import UnavailableError
from recovery.stored import StateTable


def settings_of(region: str) -> Settings:
    """A region's controller's."""
    if region == WEST:
        return SETTLED
    return replace(SETTLED, region=EAST, peer=WEST, switch=Switch.RELEASED)


def environment_of(region: str) -> Environment:
    """What the function's environment would say."""
    names = {
        name: f"{name}-{region}"
        for name in Environment.__dataclass_fields__
        if name not in ("settings", "name_servers")
    }
    return Environment(
        settings=settings_of(region), name_servers=(), **{**names, "cluster_arn": arn(region)}
    )


def arn(region: str) -> str:
    """A member's."""
    return f"arn:aws:rds:{region}:1:cluster:aurora-{region}"


@dataclass
class SimulatedRds:
    """A region's RDS over the truth. ``refuses`` is raised by the switchover; ``gives_up``: it is
    accepted and comes to nothing."""

    truth: Truth
    region: str
    refuses: Exception | None = None
    gives_up: bool = False
    seconds: int = 5
    called: list[dict[str, Any]] = field(default_factory=list)

    def _reach(self) -> None:
        if {f"{self.region} lost", f"{self.region} api"} & self.truth.on:
            raise EndpointConnectionError(endpoint_url=f"https://rds.{self.region}")

    def describe_db_clusters(self, **_: Any) -> dict[str, Any]:
        """The region's member; one that doesn't write names what it follows."""
        self._reach()
        reads = self.truth.writer != self.region and f"{self.region} unfenced" not in self.truth.on
        found: dict[str, Any] = {
            "Status": "available", "DBClusterMembers": [{"IsClusterWriter": True}],
        }  # fmt: skip
        if reads or {"nobody writes", "both read"} & self.truth.on:
            found["ReplicationSourceIdentifier"] = arn(other(self.region))
        return {"DBClusters": [found]}

    def describe_global_clusters(self, **_: Any) -> dict[str, Any]:
        """Both members."""
        self._reach()
        if "global throttled" in self.truth.on:
            raise refusal("Throttling")
        state = "switching-over" if "switchover" in self.truth.on else ""
        connected = "connected" if self.truth.demoted_since < 0 else "pending-resync"
        members = [
            {
                "DBClusterArn": arn(region),
                "IsWriter": region == self.truth.writer and "nobody writes" not in self.truth.on,
                "SynchronizationStatus": connected,
            }
            for region in (EAST, WEST)
        ]
        return {
            "GlobalClusters": [
                {"GlobalClusterMembers": members, "FailoverState": {"Status": state}}
            ]
        }

    def switchover_global_cluster(self, **given: Any) -> dict[str, Any]:
        """Accepted where the writer is; done after ``seconds``."""
        self.called.append(given)
        if self.refuses is not None:
            raise self.refuses
        assert self.region == self.truth.writer, "called in the current primary's region"
        if not self.gives_up:
            self.truth.on.add("switchover")
        return {}


class SimulatedParameters:
    """The switch."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth

    def position(self) -> Switch:
        """As it stands."""
        if "switch unreadable" in self.truth.on:
            raise UnavailableError("ThrottlingException")
        return Switch(self.truth.switch)


@dataclass(frozen=True)
class Both(World):
    """The environment, and what tests look at."""

    truth: Truth = field(default_factory=Truth)
    sides: dict[str, Side] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    rds: dict[str, SimulatedRds] = field(default_factory=dict)
    reported: list[str] = field(default_factory=list)

    def ports(self, region: str) -> Ports:
        """A region's, over the table that commands read."""
        table = StateTable(cast(Any, self.tables[region]), f"table-{region}")
        return replace(self.sides[region].ports(), table=table)

    def place(self, region: str) -> Place:
        """A region that answers."""
        if self.truth.lost(region) or f"{region} api" in self.truth.on:
            raise UnavailableError(f"function-recovery-{region}: no connection")
        parameters = cast(RecoveryParameters, SimulatedParameters(self.truth))
        return Place(environment_of(region), self.ports(region), parameters, self.rds[region])

    def traffic(self, one: Place, other: Place) -> Traffic:
        """The switch decides, as long as the primary's load balancer is healthy."""
        del one, other
        if "dns stuck" in self.truth.on:
            return Traffic(WEST, 60)
        return Traffic(WEST if self.truth.switch == "engaged" else EAST, 60)

    def state(self, region: str) -> State:
        """A region's item."""
        return self.tables[region].state

    def controllers(self, minutes: int) -> None:
        """Scheduled runs of both."""
        for _ in range(minutes):
            for region in (EAST, WEST):
                if self.truth.computes(region):
                    this = Run(f"{region}-{self.truth.minute}", self.truth.minute)
                    run(self.ports(region), settings_of(region), this)
            self.truth.advance(60)

    def lose(self, region: str) -> None:
        """A whole region, its table with it."""
        self.truth.on.add(f"{region} lost")
        self.tables[region].fault = EndpointConnectionError(endpoint_url=f"https://{region}")

    def restore(self, region: str) -> None:
        """It is back, resynchronised."""
        self.truth.on.discard(f"{region} lost")
        self.tables[region].fault = None
        self.truth.rejoin()


def world(*, armed: bool = True) -> Both:
    """A healthy environment; ``armed``: its controllers have run for five minutes."""
    truth = Truth(promotion_seconds=20)
    tables = {EAST: Table(State(epoch=1)), WEST: Table(State(epoch=1))}
    both = Both(
        file=stack_file("dev"),
        clients=cast(Clients, Tables(tables[EAST], tables[WEST])),
        sleep=lambda seconds: _pass(truth, seconds),
        now=lambda: float(truth.now),
        truth=truth,
        sides=sides(truth, json=True),
        tables=tables,
        rds={region: SimulatedRds(truth, region) for region in (EAST, WEST)},
    )
    if armed:
        both.controllers(5)
    return both


def _pass(truth: Truth, seconds: float) -> None:
    """Time passes, and a switchover that runs ends after a while."""
    truth.advance(ceil(seconds))
    if "switchover" in truth.on and "never ends" not in truth.on:
        truth.on.discard("switchover")
        truth.writer = other(truth.writer)
