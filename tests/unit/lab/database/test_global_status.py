"""What Aurora's functions say of a global database, on two real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from test_servers import ACCOUNT, EAST, WEST, World, until

from lab.clock import Clock
from lab.database.global_status import FILE, GlobalStatus
from lab.database.measurement import Position, Sampler
from lab.database.topology import Cluster, GlobalDatabase, Topology
from lab.facts import DatabaseFacts
from lab.outage import OutageKind

REGIONS = "SELECT * FROM aurora_global_db_status() ORDER BY durability_lag_in_msec"
INSTANCES = "SELECT * FROM aurora_global_db_instance_status() ORDER BY server_id"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two servers that replicate, with the functions in them."""
    world = World(tmp_path_factory.mktemp("servers"))
    world.east.instances = {"east-1": "db.t4g.medium", "east-2": "db.t4g.medium"}
    world.west.instances = {"west-1": "db.t4g.medium"}
    world.write_and_read(1)
    yield world
    for cluster in (world.east, world.west):
        world.fleet.server(cluster).destroy()


def rows(world: World, cluster: Cluster, query: str, database: str = "app") -> list[dict[str, Any]]:
    """What a client reads at a cluster."""
    with world.fleet.server(cluster).connect(database) as connection:
        cursor = connection.execute(query.encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_both_functions_answer_in_both_regions_as_auroras(world: World) -> None:
    """Aurora user guide, ``aurora_global_db_status`` and ``aurora_global_db_instance_status``: -1
    and 1970 mark the primary region, MASTER_SESSION_ID its writer; readers of a hot standby see the
    same; a secondary that replication doesn't reach still shows what it last knew. Anybody may
    ask, in every database."""
    sampler = Sampler(world.fleet, Clock())
    status = GlobalStatus(world.fleet, NOON.timestamp)

    def look() -> None:
        sampler.sample()
        status.show(sampler)

    def level() -> bool:
        look()
        try:
            shown = rows(world, world.west, REGIONS)
        except psycopg.Error:
            return False
        return [row["durability_lag_in_msec"] for row in shown] == [-1, 0]

    until(level, 30)
    primary, secondary = rows(world, world.west, REGIONS)
    assert (primary["aws_region"], secondary["aws_region"]) == (EAST, WEST)
    assert primary["last_lag_calculation_time"] == datetime.fromtimestamp(0, UTC)
    assert secondary["last_lag_calculation_time"] == NOON
    assert primary["highest_lsn_written"] == secondary["highest_lsn_written"] > 0
    assert rows(world, world.east, REGIONS, "postgres") == [primary, secondary]
    writer, reader, remote = rows(world, world.west, INSTANCES)
    assert (writer["server_id"], writer["session_id"]) == ("east-1", "MASTER_SESSION_ID")
    assert writer["visibility_lag_in_msec"] is None
    assert (reader["server_id"], remote["aws_region"]) == ("east-2", WEST)
    assert len({reader["session_id"], remote["session_id"], "MASTER_SESSION_ID"}) == 3
    assert remote["highest_lsn_rcvd"] == secondary["highest_lsn_written"]
    with world.fleet.server(world.east).connect("app") as connection:
        connection.execute("CREATE ROLE guest")
        connection.execute("SET ROLE guest")
        assert connection.execute(REGIONS.encode()).fetchall()
    world.lost |= {(WEST, OutageKind.REPLICATION)}
    world.fleet.reconcile()
    look()
    before = rows(world, world.west, REGIONS)
    with world.fleet.server(world.east).connect("app") as connection:
        connection.execute("CREATE TABLE more (v int)")
    look()
    assert rows(world, world.west, REGIONS) == before
    (alone, *_) = rows(world, world.east, REGIONS)
    assert alone["highest_lsn_written"] > before[0]["highest_lsn_written"]


class Pretended:
    """A fleet of directories, and a sampler that has seen what the test says."""

    def __init__(self, directory: Path) -> None:
        self.topology = Topology(directory / "topology.json")
        for region in (EAST, WEST):
            arn = f"arn:aws:rds:{region}:{ACCOUNT}:cluster:c"
            self.topology.clusters[arn] = Cluster(arn, region, ACCOUNT, "c", region)
            (directory / region).mkdir()
        self.east, self.west = self.topology.clusters.values()
        arns = [self.east.arn, self.west.arn]
        self.topology.globals["g"] = GlobalDatabase("g", ACCOUNT, self.east.arn, arns)
        self.directory, self.failing = directory, False
        self.status = GlobalStatus(self, lambda: 0.0)  # type: ignore[arg-type]

    def is_ready(self, _cluster: Cluster) -> bool:
        return self.failing

    def server(self, cluster: Cluster) -> Any:
        def connect(_database: str) -> None:
            raise psycopg.OperationalError("ended")

        return SimpleNamespace(
            directory=self.directory / cluster.folder, name="a server", connect=connect,
            run_as=SimpleNamespace(own=lambda _path: None),
        )  # fmt: skip

    def show(self, written: int | None, received: int | None) -> tuple[int | None, int | None]:
        """What the last sample saw; which LSN of the primary each region then shows."""
        positions = {self.east.arn: written, self.west.arn: received}
        facts = [
            DatabaseFacts(region, "c", (), region == EAST, True, 0, 1, 0.0, 900.4, 450.6)
            for region in (EAST, WEST)
        ]
        seen = {arn: Position(at, at) for arn, at in positions.items() if at is not None}
        self.status.show(SimpleNamespace(positions=seen, facts=facts))  # type: ignore[arg-type]
        return self.shown(self.east), self.shown(self.west)

    def shown(self, cluster: Cluster) -> int | None:
        path = self.directory / cluster.folder / FILE
        if not path.exists():
            return None
        return int(json.loads(path.read_text())["regions"][0]["highest_lsn_written"])


def test_a_secondary_knows_what_replication_brings_it(tmp_path: Path) -> None:
    """docs/recovery.md 2: a change at the reader is a sign of life, so nothing may change there
    while it receives nothing: the way is cut, the writer hangs, or it is gone."""
    world = Pretended(tmp_path)
    assert world.show(None, None) == (None, None)
    assert world.show(100, 100) == (100, 100)
    assert world.show(200, 150) == (200, 200), "behind, and receiving"
    assert world.show(300, 150) == (300, 200), "it receives nothing"
    assert world.show(400, None) == (400, 200), "nothing is heard of it"
    assert world.show(None, 150) == (400, 200), "its writer is gone"
    shown = json.loads((tmp_path / WEST / FILE).read_text())["regions"][1]
    assert (shown["durability_lag_in_msec"], shown["rpo_lag_in_msec"]) == (451, 451)
    assert world.show(500, 500) == (500, 500)


def test_a_cluster_that_left_its_global_database_has_no_rows(tmp_path: Path) -> None:
    """Aurora user guide: both functions are about a global database's members."""
    world = Pretended(tmp_path)
    world.show(100, 100)
    world.topology.globals["g"].members.remove(world.west.arn)
    assert world.show(200, None) == (200, None)
    world.topology.clusters.pop(world.east.arn)
    world.show(300, 300)


def test_a_server_that_ends_meanwhile_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R6.2: a server that died, a directory that is gone and a full disk end no loop."""
    world = Pretended(tmp_path)
    world.failing = True
    assert world.show(100, 100) == (100, 100)
    (tmp_path / WEST / FILE).unlink()
    (tmp_path / WEST).rmdir()
    assert world.show(200, 200) == (200, None)

    def full(_path: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lab.database.global_status.write_private", full)
    assert world.show(300, 300) == (200, None)
