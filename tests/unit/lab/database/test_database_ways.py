"""What outages and faults mean for connections and servers."""

from __future__ import annotations

import asyncio
import inspect
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.session import get_session

from lab.api import ApiRefusal, ApiResponse
from lab.clock import Clock
from lab.context import LabContext
from lab.database.conditions import ALONE_SECONDS, AWAY_SECONDS, Conditions
from lab.database.links import Links
from lab.database.measurement import Sampler
from lab.database.rds import RdsSemantics
from lab.database.snapshots import Snapshots
from lab.database.topology import Cluster, GlobalDatabase, Topology
from lab.database.watch import NETWORK_CHANGES, Watch
from lab.database.ways import Ways
from lab.outage import SLOW_SECONDS, Mode, OutageKind, Outages

EAST, WEST = "us-east-1", "us-west-2"
ACCOUNT = "000000000000"


class Deployed:
    """What is deployed, read; ``obstacle`` is what stands in the way."""

    def __init__(self) -> None:
        self.obstacle, self.reads = "", 0
        self.error: ApiRefusal | None = None
        self.known, self.settled = True, True

    def valid(self) -> Any:
        return SimpleNamespace(obstacle=lambda *_: self.obstacle) if self.known else None

    async def snapshot(self) -> Any:
        if self.error:
            raise self.error
        return SimpleNamespace(obstacle=lambda *_: self.obstacle)

    def changed(self) -> None:
        self.known = False

    def is_settled(self, _seconds: float) -> bool:
        return self.settled

    async def reread(self) -> None:
        self.reads += 1
        self.known = True


class World:
    """A global database that us-east-1 writes, with an instance in each region."""

    def __init__(self, directory: Path) -> None:
        clock = Clock(100)
        self.lab = LabContext(directory, 1, "", clock, Outages(directory, clock.now))
        self.topology = Topology(directory / "topology.json")
        for region in (EAST, WEST):
            arn = f"arn:aws:rds:{region}:{ACCOUNT}:cluster:c"
            made = Cluster(arn, region, ACCOUNT, "c", region, "16.8", instances={"i": "db"})
            self.topology.clusters[arn] = made
        self.east, self.west = self.topology.clusters.values()
        members = list(self.topology.clusters)
        self.topology.globals["g"] = GlobalDatabase("g", ACCOUNT, self.east.arn, members)
        self.ready = True
        fleet: Any = SimpleNamespace(
            topology=self.topology,
            is_ready=lambda _cluster: self.ready,
            server=lambda _cluster: SimpleNamespace(port=5, alive=True),
        )
        self.deployed = Deployed()
        self.links = Links()
        self.ways = Ways(self.lab, fleet, self.deployed, self.links)  # type: ignore[arg-type]
        self.asked = 0

        async def parameters(_cluster: Cluster) -> dict[str, str]:
            self.asked += 1
            return {"rds.force_ssl": "1"}

        self.ways._read_parameters = parameters  # type: ignore[method-assign]
        self.snapshots = Snapshots(directory / "snapshots", self.topology, clock)
        self.conditions = Conditions(self.lab, self.topology, self.snapshots)

    def way(self, source: str = EAST, host: str = "") -> Any:
        return asyncio.run(
            self.ways.decide(source, None, host or self.topology.globals["g"].endpoint)
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("part", "mode", "own", "across"),
    [
        ("database", "down", "drop", "drop"),
        ("database", "hang", "hang", "hang"),
        ("database", "slow", "allow", "allow"),
        ("peering", "down", "allow", "drop"),
        ("peering", "hang", "allow", "hang"),
        ("peering", "slow", "allow", "allow"),
        ("replication", "down", "allow", "allow"),
        ("api", "hang", "allow", "allow"),
    ],
)
def test_how_a_connection_ends_in_an_outage(
    world: World, part: str, mode: str, own: str, across: str
) -> None:
    """Issue 16.1: by what is lost and how, from the writer's own region and from the other."""
    assert world.way().action == world.way(WEST).action == "allow"
    world.lab.outages.begin(EAST, [OutageKind(part)], Mode(mode))
    assert (world.way(EAST).action, world.way(WEST).action) == (own, across)
    assert world.asked == 1, "parameter groups are read once"
    world.ways.forget()
    world.way()
    assert world.asked <= 2


def test_what_else_ends_a_connection(world: World) -> None:
    """Traps 8 and 21: no such name, nothing deployed that leads there, a server that is down."""
    assert world.way(host="nowhere").action == "unknown"
    world.deployed.obstacle = "no route"
    world.deployed.known = False
    assert (world.way().action, world.way().reason) == ("drop", "no route")
    world.deployed.error = ApiRefusal("No", "no")
    assert world.way().reason == "what is deployed around the database can't be read"
    world.deployed.error, world.deployed.obstacle = None, ""
    world.ready = False
    assert world.way().action == "refuse"


def test_a_long_way_and_slow_parts_are_late(world: World) -> None:
    """Issue 16.7: half a round trip each way in lab time, across the regions alone; a slow part
    adds its 3 s, half on each way."""
    assert world.links.delay(EAST, WEST) == 0
    world.lab.round_trip_ms = 65
    assert world.links.delay(EAST, EAST) == 0
    assert world.links.delay(EAST, WEST) == pytest.approx(0.0325 / 100)
    assert world.conditions.lag(world.west.arn) == pytest.approx(0.0325)
    world.lab.outages.begin(WEST, [OutageKind.PEERING], Mode.SLOW)
    late = 0.0325 + SLOW_SECONDS / 2
    assert world.links.delay(EAST, WEST) == pytest.approx(late / 100)
    world.lab.outages.begin(WEST, [OutageKind.DATABASE], Mode.SLOW)
    assert world.links.delay(WEST, WEST) == pytest.approx(SLOW_SECONDS / 200)


def test_links_are_cut_by_outages(world: World) -> None:
    """Issue 16.1: a peering that is down or hangs, a database that hangs."""

    async def passes(source: str, region: str) -> bool:
        try:
            await asyncio.wait_for(world.links.passes(source, region), 0.02)
        except TimeoutError:
            return False
        return True

    async def seen() -> list[bool]:
        world.ways.set_links()
        return [await passes(*pair) for pair in ((EAST, WEST), (EAST, EAST), (WEST, WEST))]

    async def scene() -> None:
        assert await seen() == [True, True, True]
        world.lab.outages.begin(EAST, [OutageKind.PEERING], Mode.HANG)
        assert await seen() == [False, True, True]
        world.lab.outages.end(EAST)
        world.lab.outages.begin(WEST, [OutageKind.DATABASE], Mode.HANG)
        assert await seen() == [False, True, False]

    asyncio.run(scene())


def test_servers_feel_outages_and_faults(world: World, tmp_path: Path) -> None:
    """Issue 16.1 and 16.2: what hangs runs on and replicates nothing; lag, fencing and snapshots
    as asked for."""
    conditions, lab = world.conditions, world.lab
    assert conditions.lag(world.east.arn) == float("inf"), "it follows nobody"
    assert conditions.lag("unknown") == float("inf")
    lab.outages.begin(EAST, [OutageKind.DATABASE], Mode.HANG)
    assert not conditions.has_lost(EAST, OutageKind.DATABASE)
    assert conditions.has_lost(EAST, OutageKind.REPLICATION)
    lab.outages.begin(WEST, [OutageKind.REPLICATION], Mode.SLOW)
    assert conditions.lag(world.west.arn) == 60
    lab.faults.set("replication-lag", 90)
    assert conditions.lag(world.west.arn) == 90
    assert not conditions.fence_fails()
    lab.faults.set("fence-timeout")
    assert conditions.fence_fails()
    lab.faults.set("snapshot-fails")
    data = tmp_path / "data"
    data.mkdir()
    conditions.keep_volume(world.east, data)
    assert world.topology.snapshots == []
    lab.faults.set("snapshot-fails", "off")
    conditions.keep_volume(world.east, data)
    assert len(world.topology.snapshots) == 1
    other = Cluster("a", EAST, ACCOUNT, "d", "d")
    world.topology.clusters["a"] = other
    world.topology.globals["g"].members.append("a")
    assert conditions.lag("a") == 0, "inside a region"


def test_a_lost_instance_keeps_its_writer_away(world: World) -> None:
    """Issue 16.1: a minute with a second instance, ten without; the reader isn't touched."""
    conditions, faults = world.conditions, world.lab.faults
    for instances, lasts in (({"i": "db"}, ALONE_SECONDS), ({"i": "a", "j": "b"}, AWAY_SECONDS)):
        world.east.instances = instances
        faults.set("instance-loss", EAST)
        conditions.lose_instances()
        conditions.lose_instances()
        assert conditions.is_away(world.east)
        assert not conditions.is_away(world.west)
        assert world.east.away_until == pytest.approx(world.lab.clock.now() + lasts, abs=20)
        faults.set("instance-loss", "off")
        conditions.lose_instances()
        assert not conditions.is_away(world.east)


def test_what_is_changed_around_the_database_is_read_again(world: World) -> None:
    """Traps 8 and 21: after a change, once it has settled, and now and then."""
    watch = Watch(world.lab, world.topology, world.deployed, world.ways)  # type: ignore[arg-type]
    watch.start()
    (hook,) = [entry[2] for entry in world.lab.hooks if entry[0] == "lambda"]

    async def change() -> None:
        async def answered(_request: Any) -> ApiResponse:
            return ApiResponse({})

        await hook(SimpleNamespace(), answered)  # type: ignore[arg-type]

    asyncio.run(change())
    assert not world.deployed.known
    world.deployed.settled = False
    asyncio.run(watch.reread())
    assert world.deployed.reads == 0
    world.deployed.settled = True
    for _ in range(2):
        asyncio.run(watch.reread())
    assert world.deployed.reads == 1
    for cluster in world.topology.clusters.values():
        cluster.instances = {}
    world.deployed.known = False
    asyncio.run(watch.reread())
    assert world.deployed.reads == 1, "nobody connects"
    watch.stop()
    assert world.lab.hooks == []


def test_whatever_makes_or_changes_a_cluster_is_noted() -> None:
    """Traps 8 and 21: a cluster that was restored beside is reached at once, not when what is
    deployed is read again on its own."""
    handled = set(re.findall(r'"(\w+)": self\._', inspect.getsource(RdsSemantics)))
    rds: Any = get_session().get_service_model("rds")
    changing = {
        name
        for name in handled & set(rds.operation_names)
        if name.startswith(("Create", "Restore", "Modify", "Delete"))
        and "DBCluster" in getattr(rds.operation_model(name).output_shape, "members", ())
    }
    assert {"CreateDBCluster", "RestoreDBClusterToPointInTime"} <= changing
    assert changing <= NETWORK_CHANGES["rds"]


@pytest.mark.parametrize("factor", [1, 10, 50])
def test_lag_is_measured_in_lab_time(world: World, factor: float) -> None:
    """Issue 16.4: what lasts 4 s on the machine is 40 s at clock 10; what PostgreSQL reports of
    itself is counted so as well, and the machine's own slowness isn't taken for lag."""
    real = [1000.0]
    clock = Clock(factor, lambda: real[0])
    fleet: Any = SimpleNamespace(
        topology=world.topology,
        server=lambda cluster: SimpleNamespace(
            alive=True, port=cluster.region, process=lambda: None
        ),
    )
    sampler = Sampler(fleet, clock)
    standby = {"position": "0/64", "report": 5.0}
    written = ["0/64"]

    def ask(server: Any, query: str, *_parameters: str) -> list[Any]:
        if "pg_stat_replication" in query:
            at, report = standby["position"], standby["report"]
            return [(world.west.slot, at, at, report, report, 7)]
        return [(3, written[0] if server.port == EAST else None)]

    sampler._ask = ask  # type: ignore[method-assign]

    def lag() -> float | None:
        sampler.sample()
        (found,) = [facts for facts in sampler.facts if facts.region == WEST]
        assert found.rpo_lag_ms == found.replication_lag_ms
        return found.replication_lag_ms

    assert lag() == 0
    written[0] = "0/C8"
    real[0] += 0.5
    lag()
    real[0] += 0.4
    assert lag() == pytest.approx(5.0 * factor), "less than a second: as PostgreSQL reports it"
    real[0] += 3.1
    assert lag() == pytest.approx(4000.0 * factor)
