"""The lab's database behind RDS's API: replication, role changes, outages, refusals, restarts."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
    world = World(tmp_path_factory.mktemp("lab-database"), clock=10)
    try:
        world.begin()
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
    """The planned change, to its end; asked for in the region that writes."""
    world.aws("rds", other(region)).switchover_global_cluster(
        GlobalClusterIdentifier=world.global_id, TargetDbClusterIdentifier=world.arn(region)
    )
    until(lambda: world.writer() == region and world.described()["Status"] == "available")
    until(lambda: leads_to(world) == region)


def leads_to(world: World) -> str:
    """The region that the global writer endpoint leads to."""
    return network.resolve(world.state_dir, EAST, world.global_endpoint).region


def fail_over(world: World, region: str) -> None:
    """The unplanned one, asked for in the region that is left."""
    world.aws("rds", region).failover_global_cluster(
        GlobalClusterIdentifier=world.global_id,
        TargetDbClusterIdentifier=world.arn(region),
        AllowDataLoss=True,
    )
    until(lambda: world.writer() == region and world.described()["Status"] == "available")
    until(lambda: leads_to(world) == region)


def synchronised(world: World) -> bool:
    """Whether both members follow, by ``describe_global_clusters``."""
    members = world.described()["GlobalClusterMembers"]
    return all(member["SynchronizationStatus"] == "connected" for member in members)


@contextmanager
def writing(world: World, source: str) -> Iterator[dict[int, float]]:
    """Writes row after row through the global writer endpoint, with a new connection when one is
    lost or silent for a second. Yields what was acknowledged: id → when (monotonic)."""
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
                        watch = threading.Timer(1.0, hang_up, [connection.fileno()])
                        watch.start()
                        try:
                            connection.execute("INSERT INTO records VALUES (%s)", (number,))
                        finally:
                            watch.cancel()
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


def hang_up(descriptor: int) -> None:
    """Ends a connection from this side: a cut network says nothing."""
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        connection.shutdown(socket.SHUT_RDWR)


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


@pytest.mark.long
def test_a_lost_region_is_failed_over_and_rejoins(home: World) -> None:
    """N3, traps 7 and 9: with us-east-1 dead (API too) the planned call is refused; the other
    promotes us-west-2 and loses at most what was acknowledged in the last second before the kill.
    When us-east-1 is back it rejoins as a reader on a new volume, and a second failover brings the
    writer home. In every run a lost region's database is promoted (``test_recovery``), and what is
    lost with it, fenced or not, is held in ``test_lab_unkind``."""
    with writing(home, WEST) as acknowledged:
        until(lambda: len(acknowledged) > 300)
        killed = time.monotonic()
        status = lab_client.outage(home.state_dir, EAST)
        assert "us-east-1: writer down" in status.parts["database"]["detail"], "the state before"
        with pytest.raises(ClientError, match="ServiceUnavailable"):
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
    # On a new volume; on a busy machine its stream may be late, and the copy is then made again.
    until(lambda: "us-east-1: reader up, rejoined by " in home.database_detail())
    assert "rejoined by rewind" not in home.database_detail()
    until(lambda: synchronised(home))

    lab_client.outage(home.state_dir, WEST, "database")
    fail_over(home, EAST)
    lab_client.restore(home.state_dir, WEST)
    until(lambda: home.count(WEST) == len(expected))
    until(lambda: "us-west-2: reader up, rejoined by " in home.database_detail())
    assert "rejoined by rewind" not in home.database_detail()
    until(lambda: synchronised(home))


def test_a_dead_server_is_restarted_without_an_outage(home: World) -> None:
    """A crash of the writer's process is noticed, shown in the status and mended; rows stay."""
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
    """Trap 3: the cluster's password is the one that RDS was last given; it is in no file."""
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
        connection.execute("REVOKE SELECT ON records FROM api")
        connection.execute(f"REVOKE CONNECT ON DATABASE {DATABASE} FROM api")
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


@contextmanager
def removed(world: World, obstacle: str) -> Iterator[None]:
    """The world without one piece of the way from us-west-2 to the writer in us-east-1."""
    east, west = world.aws("ec2", EAST), world.aws("ec2", WEST)
    group = world.ids[EAST]["database"]["group"]
    if obstacle == "the rule for the peer":
        rule = {"GroupId": group, "IpPermissions": [world.from_peer(EAST)]}
        east.revoke_security_group_ingress(**rule)
        yield
        east.authorize_security_group_ingress(**rule)
        return
    there = obstacle == "the route there"
    ec2, region, name = (west, WEST, "function") if there else (east, EAST, "database")
    route = world.route(region, name)
    ec2.delete_route(**{k: v for k, v in route.items() if k != "VpcPeeringConnectionId"})
    yield
    ec2.create_route(**route)


@pytest.mark.parametrize("obstacle", ["the route there", "the route back", "the rule for the peer"])
def test_what_is_missing_between_the_regions_shows_as_silence(
    home: World, functions: World, obstacle: str
) -> None:
    """Traps 8 and 21: without a route either way, or the peer's rule, a connection from us-west-2
    gets no answer, as in AWS; the writer's own region is not touched; mended, it works again."""
    host = home.global_endpoint
    with removed(home, obstacle):
        way = network.resolve(home.state_dir, WEST, host)
        assert way.action == "drop"
        assert ("no route" if "route" in obstacle else "no ingress rule") in way.reason
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            home.connect(host, WEST, connect_timeout=2).__enter__()
        assert network.resolve(home.state_dir, EAST, host).action == "allow"
    until(lambda: network.resolve(home.state_dir, WEST, host).action == "allow")


def test_force_ssl_refuses_what_is_not_encrypted(home: World) -> None:
    """rds.force_ssl=1 of the deployed parameter group: PostgreSQL's own refusal; set to 0, plain
    connections pass."""
    host = home.global_endpoint
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba.conf entry .* no encryption"):
        home.connect(host, sslmode="disable").__enter__()
    for value in ("0", "1"):
        home.aws("rds", EAST).modify_db_cluster_parameter_group(
            DBClusterParameterGroupName=f"parameters-{EAST}",
            Parameters=[
                {
                    "ParameterName": "rds.force_ssl",
                    "ParameterValue": value,
                    "ApplyMethod": "immediate",
                }
            ],
        )
        if value == "0":
            with home.connect(host, sslmode="disable") as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)


NODE_PROBE = """
const net = require("node:net");
const tls = require("node:tls");
const [host] = process.argv.slice(1);
const socket = net.connect(5432, host);
const say = (answer) => { console.log(JSON.stringify(answer)); process.exit(0); };
socket.setTimeout(1500, () => say({ outcome: "timeout", connecting: socket.connecting }));
socket.on("error", (error) => say({ outcome: error.code }));
socket.once("connect", () => {
  socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
  socket.once("data", (answer) => {
    const secure = tls.connect({ socket, servername: host }, () =>
      say({ outcome: String(answer), authorized: secure.authorized }));
    secure.on("error", (error) => say({ outcome: error.code }));
  });
});
"""
PYTHON_PROBE = """
import json, socket, sys
try:
    with socket.create_connection((sys.argv[1], 5432), timeout=1.5) as connection:
        connection.sendall(bytes([0, 0, 0, 8, 4, 210, 22, 47]))
        print(json.dumps({"outcome": connection.recv(1).decode()}))
except OSError as error:
    print(json.dumps({"outcome": type(error).__name__}))
"""


def probe(world: World, language: str, host: str, function: str) -> dict[str, Any]:
    """What a function of us-east-1 sees that opens a connection to ``host``."""
    here = Path(network.__file__).parent
    environment = {
        "PATH": os.environ["PATH"],
        "LAB_NETWORK_MAP": str(world.state_dir / "network.json"),
        "LAB_REGION": EAST,
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "NODE_OPTIONS": f'--require "{here / "network_hook.cjs"}"',
        "NODE_EXTRA_CA_CERTS": str(network.certificate_authority(world.state_dir)),
        "PYTHONPATH": str(here / "python_hook"),
    }
    command = ["node", "-e", NODE_PROBE] if language == "node" else [sys.executable, "-c"]
    command += [] if language == "node" else [PYTHON_PROBE]
    done = subprocess.run(
        [*command, host], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def functions(world: World) -> World:
    """Two functions a region: ``inside`` in the function subnets, ``outside`` in no VPC."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.mjs", "export const handler = async () => process.env;")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    role = world.aws("iam", EAST).create_role(
        RoleName="role-t", AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]
    interfaces = ("Create", "Describe", "Delete")
    allowed = [f"ec2:{verb}NetworkInterface{'s' * (verb == 'Describe')}" for verb in interfaces]
    statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
    world.aws("iam", EAST).put_role_policy(
        RoleName="role-t",
        PolicyName="network-interfaces",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    for region in (EAST, WEST):
        placed = world.ids[region]["function"]
        for name, vpc in (
            ("inside", {"SubnetIds": placed["subnets"], "SecurityGroupIds": [placed["group"]]}),
            ("outside", {}),
        ):
            world.aws("lambda", region).create_function(
                FunctionName=name,
                Runtime="nodejs22.x",
                Role=role,
                Handler="index.handler",
                Code={"ZipFile": code.getvalue()},
                VpcConfig=vpc,
            )
    return world


def test_functions_take_the_deployed_way(home: World, functions: World) -> None:
    """R2.1's ground: Node.js and Python in the VPC reach the endpoint with TLS by its name;
    outside the VPC the attempt hangs unconnected; an unknown name doesn't resolve."""
    host = home.global_endpoint
    unknown = f"nothing.{host.partition('.')[2]}"
    assert probe(home, "node", host, "inside") == {"outcome": "S", "authorized": True}
    assert probe(home, "node", host, "outside") == {"outcome": "timeout", "connecting": True}
    assert probe(home, "node", unknown, "inside") == {"outcome": "ENOTFOUND"}
    assert probe(home, "python", host, "inside") == {"outcome": "S"}
    assert probe(home, "python", host, "outside") == {"outcome": "TimeoutError"}
    assert probe(home, "python", unknown, "inside") == {"outcome": "gaierror"}


def test_functions_get_the_hooks_in_their_environment(functions: World) -> None:
    """The lab's runtime hands a function its region, the map, the hooks and the lab's CA."""
    answer = functions.aws("lambda", EAST).invoke(FunctionName="inside")
    seen = json.loads(answer["Payload"].read())
    assert seen["LAB_REGION"] == EAST
    assert Path(seen["LAB_NETWORK_MAP"]) == functions.state_dir / "network.json"
    assert "network_hook.cjs" in seen["NODE_OPTIONS"]
    authority = network.certificate_authority(functions.state_dir)
    assert Path(seen["NODE_EXTRA_CA_CERTS"]) == authority
    assert Path(seen["PYTHONPATH"], "sitecustomize.py").exists()


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
