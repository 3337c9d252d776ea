"""The lab's database behind RDS's API: replication, role changes, outages, refusals, restarts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import psycopg
import pytest
from botocore.exceptions import ClientError
from lab_database_world import DATABASE, EAST, PASSWORD, WEST, World, other, until

from lab import client as lab_client
from lab.database import network

ROWS = 10_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A lab with a global database; writer in us-east-1."""
    world = World(tmp_path_factory.mktemp("lab-database"))
    try:
        world.start()
        world.build_network()
        world.build_database()
        with world.connect(world.global_endpoint) as connection:
            connection.execute("CREATE TABLE records (id bigint PRIMARY KEY)")
        for region in (EAST, WEST):
            world.reader_endpoint(region)
        yield world
    finally:
        lab_client.stop(world.state_dir)


@pytest.fixture
def home(world: World) -> World:
    """The world with no outage, us-east-1 writing and us-west-2 following."""
    until(lambda: world.described()["Status"] == "available")
    if world.writer() != EAST:
        switch_over(world, EAST)
    with world.connect(world.global_endpoint) as connection:
        connection.execute("TRUNCATE records")
    until(lambda: world.count(WEST) == 0)
    return world


def switch_over(world: World, region: str) -> None:
    """The planned change, to its end."""
    world.aws("rds", region).switchover_global_cluster(
        GlobalClusterIdentifier=world.global_id, TargetDbClusterIdentifier=world.arn(region)
    )
    until(lambda: world.writer() == region and world.described()["Status"] == "available")


def fail_over(world: World, region: str) -> None:
    """The unplanned one, asked for in the region that is left."""
    world.aws("rds", region).failover_global_cluster(
        GlobalClusterIdentifier=world.global_id,
        TargetDbClusterIdentifier=world.arn(region),
        AllowDataLoss=True,
    )
    until(lambda: world.writer() == region and world.described()["Status"] == "available")


@contextmanager
def writing(world: World, source: str) -> Iterator[dict[int, float]]:
    """Writes row after row through the global writer endpoint, with a new connection when one is
    lost. Yields what was acknowledged: id → when (monotonic)."""
    acknowledged: dict[int, float] = {}
    stop = threading.Event()
    host = world.global_endpoint

    def write() -> None:
        number = 0
        while not stop.is_set():
            try:
                with world.connect(host, source) as connection:
                    while not stop.is_set():
                        number += 1
                        connection.execute("INSERT INTO records VALUES (%s)", (number,))
                        acknowledged[number] = time.monotonic()
            except psycopg.Error:
                time.sleep(0.02)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        thread.join(20)


def rows(world: World, region: str) -> set[int]:
    """The ids at a region's reader endpoint."""
    with world.connect(world.reader_endpoint(region), region) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM records")}


def test_ten_thousand_rows_written_in_a_are_all_readable_in_b(home: World) -> None:
    """R1.2: what the writer endpoint took is at the other region's reader endpoint, which is
    read-only (25006)."""
    with (
        home.connect(home.global_endpoint) as connection,
        connection.cursor() as cursor,
        cursor.copy("COPY records FROM STDIN") as copy,
    ):
        for number in range(ROWS):
            copy.write_row((number,))
    until(lambda: home.count(WEST) == ROWS, 5)
    assert rows(home, WEST) == set(range(ROWS))
    with (
        home.connect(home.reader_endpoint(WEST), WEST) as reader,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as refused,
    ):
        reader.execute("INSERT INTO records VALUES (-1)")
    assert refused.value.sqlstate == "25006"


def test_replication_lag_stays_below_a_second(home: World) -> None:
    """R1.2: 100 rows, each timed from its acknowledgement to its being readable in us-west-2;
    the 99th percentile is at most 1 s."""
    lags = []
    with (
        home.connect(home.global_endpoint) as writer,
        home.connect(home.reader_endpoint(WEST), WEST) as reader,
    ):
        for number in range(100):
            writer.execute("INSERT INTO records VALUES (%s)", (number,))
            acknowledged = time.monotonic()
            while not reader.execute("SELECT 1 FROM records WHERE id = %s", (number,)).fetchone():
                time.sleep(0.002)
            lags.append(time.monotonic() - acknowledged)
    assert sorted(lags)[98] <= 1.0


def test_a_switchover_under_writes_loses_no_row(home: World) -> None:
    """Trap 7: a planned switchover keeps every acknowledged row; the old writer follows."""
    with writing(home, EAST) as acknowledged:
        until(lambda: len(acknowledged) > 200)
        switch_over(home, WEST)
        before = len(acknowledged)
        until(lambda: len(acknowledged) > before + 200)
    assert acknowledged.keys() <= rows(home, WEST)
    until(lambda: acknowledged.keys() <= rows(home, EAST))


def test_a_lost_region_is_failed_over_and_rejoins(home: World) -> None:
    """N3, traps 7 and 9: with us-east-1 dead (API too) the planned call is refused; the other
    promotes us-west-2 and loses at most what was acknowledged in the last second before the kill.
    When us-east-1 is back it rejoins as a reader by pg_rewind, and a second failover brings the
    writer home."""
    with writing(home, WEST) as acknowledged:
        until(lambda: len(acknowledged) > 300)
        killed = time.monotonic()
        lab_client.outage(home.state_dir, EAST)
        with pytest.raises(ClientError, match="InvalidGlobalClusterStateFault"):
            switch_over(home, WEST)
        fail_over(home, WEST)
        before = len(acknowledged)
        until(lambda: len(acknowledged) > before + 200)
    lost = acknowledged.keys() - rows(home, WEST)
    assert all(killed - acknowledged[number] < 1.0 for number in lost), len(lost)
    assert len(lost) < 300
    assert home.count(EAST) == -1, "the lost region answers"

    lab_client.restore(home.state_dir, EAST)
    expected = rows(home, WEST)
    until(lambda: home.count(EAST) == len(expected))
    assert rows(home, EAST) == expected, "what was lost is lost on both sides"
    until(lambda: "us-east-1: reader up, rejoined by rewind" in home.database_detail())

    lab_client.outage(home.state_dir, WEST, "database")
    fail_over(home, EAST)
    lab_client.restore(home.state_dir, WEST)
    until(lambda: home.count(WEST) == len(expected))
    until(lambda: "us-west-2: reader up, rejoined by rewind" in home.database_detail())


def test_a_dead_server_is_restarted_without_an_outage(home: World) -> None:
    """A crash of the writer's process is noticed, told in the status and mended; rows stay."""
    with home.connect(home.global_endpoint) as connection:
        connection.execute("INSERT INTO records VALUES (1)")
    server = next(
        process
        for process in psutil.process_iter(["cmdline"])
        if str(home.state_dir / "database" / "servers" / "us-east-1-1" / "data")
        in (process.info["cmdline"] or ())
        and "postgres" in process.info["cmdline"][0]
    )
    server.kill()
    until(lambda: "us-east-1: writer up" in home.database_detail())
    until(lambda: "restarted" in home.database_detail())
    until(lambda: home.count(EAST) == 1)
    with home.connect(home.global_endpoint) as connection:
        connection.execute("INSERT INTO records VALUES (2)")
    until(lambda: home.count(WEST) == 2)


def test_roles_and_rows_outlive_a_stopped_and_a_killed_lab(home: World) -> None:
    """N7's ground: after lab.down and after SIGKILL of the lab the writer is where it was, with
    its rows and the master's password; no server outlives the lab."""
    switch_over(home, WEST)
    with home.connect(home.global_endpoint) as connection:
        connection.execute("INSERT INTO records VALUES (1)")
    until(lambda: home.count(EAST) == 1)
    lab_client.stop(home.state_dir)
    assert not servers(home)
    home.start()
    assert home.writer() == WEST
    until(lambda: home.count(EAST) == 1)

    with home.connect(home.global_endpoint) as connection:
        connection.execute("INSERT INTO records VALUES (2)")
    psutil.Process(lab_client.status(home.state_dir).pid).kill()
    until(lambda: not servers(home), what="servers end with the lab")
    home.start()
    assert home.writer() == WEST
    with home.connect(home.global_endpoint) as connection:
        connection.execute("INSERT INTO records VALUES (3)")
    assert rows(home, WEST) == {1, 2, 3}
    until(lambda: rows(home, EAST) == {1, 2, 3})


def servers(world: World) -> list[psutil.Process]:
    """PostgreSQL processes of this lab."""
    place = str(world.state_dir / "database")
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(place in word for word in process.info["cmdline"] or ())
    ]


def test_the_master_password_follows_modify_db_cluster(home: World) -> None:
    """Trap 3: the cluster's password is the one that RDS was last told; it is in no file."""
    new = "Another-Password-of-32-characters"
    rds = home.aws("rds", EAST)
    rds.modify_db_cluster(
        DBClusterIdentifier=home.cluster_id(EAST), MasterUserPassword=new, ApplyImmediately=True
    )
    try:
        with home.connect(home.global_endpoint, password=new):
            pass
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            home.connect(home.global_endpoint).__enter__()
        kept = (home.state_dir / "database" / "topology.json").read_text()
        assert new not in kept
        assert "SCRAM-SHA-256$" in kept
    finally:
        rds.modify_db_cluster(
            DBClusterIdentifier=home.cluster_id(EAST),
            MasterUserPassword=PASSWORD,
            ApplyImmediately=True,
        )


def test_the_master_may_make_users_but_is_no_superuser(home: World) -> None:
    """The application's migration makes its own user as RDS's master; like there it reads no
    password hashes."""
    with home.connect(home.global_endpoint) as connection:
        connection.execute("CREATE ROLE api LOGIN PASSWORD 'x'")
        connection.execute("GRANT SELECT ON records TO api")
        connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO api")
        connection.execute("DROP OWNED BY api")
        connection.execute("DROP ROLE api")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT rolpassword FROM pg_authid")
        limit = connection.execute("SHOW max_connections").fetchone()
    assert limit == ("1802",), "LEAST(16 GiB / 9531392, 5000), the class's default"


REFUSALS = [
    ("a burstable class", "InvalidParameterCombination", "not supported by global databases"),
    ("a user name", "InvalidParameterCombination", "Cannot specify user name for cross region"),
    ("the writer's last instance", "InvalidDBClusterStateFault", "last instance of the master"),
    ("a writer as target", "InvalidGlobalClusterStateFault", "already the primary"),
    ("an unknown target", "DBClusterNotFoundFault", "not found"),
    ("two ways at once", "InvalidParameterCombination", "cannot both be specified"),
]


@pytest.mark.parametrize(("what", "code", "words"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_what_aws_refuses_is_refused(world: World, what: str, code: str, words: str) -> None:
    """Traps 1, 2, 3, 5 and 7, with AWS's codes and words (terraform-provider-aws 26234, 27736)."""
    writer = world.writer()
    rds = world.aws("rds", writer)
    target = {"GlobalClusterIdentifier": world.global_id}
    calls = {
        "a burstable class": lambda: rds.create_db_instance(
            DBInstanceIdentifier="burstable",
            DBClusterIdentifier=world.cluster_id(writer),
            Engine="aurora-postgresql",
            DBInstanceClass="db.t4g.medium",
        ),
        "a user name": lambda: world.aws("rds", other(writer)).create_db_cluster(
            DBClusterIdentifier="third",
            Engine="aurora-postgresql",
            GlobalClusterIdentifier=world.global_id,
            MasterUsername="clinic",
        ),
        "the writer's last instance": lambda: rds.delete_db_instance(
            DBInstanceIdentifier=f"aurora-instance-1-{writer}-t", SkipFinalSnapshot=True
        ),
        "a writer as target": lambda: rds.failover_global_cluster(
            **target, TargetDbClusterIdentifier=world.arn(writer), AllowDataLoss=True
        ),
        "an unknown target": lambda: rds.switchover_global_cluster(
            **target, TargetDbClusterIdentifier=f"{world.arn(writer)}-unknown"
        ),
        "two ways at once": lambda: rds.failover_global_cluster(
            **target,
            TargetDbClusterIdentifier=world.arn(other(writer)),
            AllowDataLoss=True,
            Switchover=True,
        ),
    }
    with pytest.raises(ClientError, match=words) as refused:
        calls[what]()
    assert refused.value.response["Error"]["Code"] == code


def test_answers_carry_names_and_roles_as_aws_gives_them(home: World) -> None:
    """Traps 2 and 9: hosts in AWS's forms; a secondary has no writer endpoint and names its
    source."""
    described = home.described()
    assert described["Endpoint"].startswith(f"{home.global_id}.global-")
    assert described["Endpoint"].endswith(".global.rds.amazonaws.com")
    clusters = {
        region: home.aws("rds", region).describe_db_clusters()["DBClusters"][0]
        for region in (EAST, WEST)
    }
    assert clusters[EAST]["Endpoint"].startswith(f"{home.cluster_id(EAST)}.cluster-c")
    assert clusters[WEST]["ReaderEndpoint"].endswith(f".{WEST}.rds.amazonaws.com")
    assert "Endpoint" not in clusters[WEST]
    assert clusters[WEST]["ReplicationSourceIdentifier"] == home.arn(EAST)
    instance = home.aws("rds", WEST).describe_db_instances()["DBInstances"][0]
    assert instance["Endpoint"]["Port"] == 5432
    assert network.resolve(home.state_dir, WEST, instance["Endpoint"]["Address"]).action == "allow"


def test_a_removed_secondary_stands_alone_and_everything_can_be_deleted(world: World) -> None:
    """Trap 1: in the order secondary instance, secondary, primary instance, primary, global; a
    removed secondary writes for itself; nothing is left on disk. Must be the module's last."""
    writer = world.writer()
    left = other(writer)
    host = world.reader_endpoint(left)
    world.aws("rds", left).remove_from_global_cluster(
        GlobalClusterIdentifier=world.global_id, DbClusterIdentifier=world.arn(left)
    )
    with world.connect(host, left) as connection:
        connection.execute("INSERT INTO records VALUES (-7)")
    for region in (left, writer):
        rds = world.aws("rds", region)
        rds.delete_db_instance(
            DBInstanceIdentifier=f"aurora-instance-1-{region}-t", SkipFinalSnapshot=True
        )
        if region == writer:
            rds.remove_from_global_cluster(
                GlobalClusterIdentifier=world.global_id, DbClusterIdentifier=world.arn(region)
            )
        rds.delete_db_cluster(DBClusterIdentifier=world.cluster_id(region), SkipFinalSnapshot=True)
    world.aws("rds", EAST).delete_global_cluster(GlobalClusterIdentifier=world.global_id)
    assert not servers(world)
    folders = [p for p in (world.state_dir / "database" / "servers").iterdir() if p.is_dir()]
    assert folders == []
    assert network.resolve(world.state_dir, EAST, host).action == "unknown"
