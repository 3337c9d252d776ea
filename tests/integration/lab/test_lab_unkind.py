"""Every way in which the lab is unkind, seen from outside: by boto3, SQL and HTTP; and that it is
back to normal once restored."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import lab_core_world
import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError
from lab_database_world import EAST, WEST, World, other, until

from lab import client
from lab.database import network
from lab.errors import LabInputError
from lab.faults import Fault
from lab.outage import Mode, OutageKind

CLOCK = 10
BACK_SECONDS = 30.0
"""Real seconds in which the lab is back to normal (issue 16)."""
CODE = "exports.handler = async () => ({ statusCode: 200, body: 'served' });"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A global database with a table, and a topic in each region that a queue listens to."""
    world = World(tmp_path_factory.mktemp("unkind"), clock=CLOCK)
    try:
        world.begin()
        for region in (EAST, WEST):
            subscribe(world, region)
        yield world
    finally:
        client.stop(world.state_dir)


def subscribe(world: World, region: str) -> None:
    """Lets RDS's events of a region arrive in its queue ``noticed``."""
    sns, sqs = world.aws("sns", region), world.aws("sqs", region)
    topic = sns.create_topic(Name="noticed")["TopicArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.rds.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    url = sqs.create_queue(QueueName="noticed")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue["QueueArn"])
    world.aws("rds", region).create_event_subscription(SubscriptionName="all", SnsTopicArn=topic)


def noticed(world: World, region: str) -> list[str]:
    """The numbers of the events that have arrived since the last look."""
    sqs = world.aws("sqs", region)
    url = sqs.get_queue_url(QueueName="noticed")["QueueUrl"]
    found = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            notice = json.loads(json.loads(message["Body"])["Message"])
            found.append(notice["Event ID"].rpartition("-")[2])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


@pytest.fixture
def home(world: World) -> Iterator[World]:
    """The world in its normal state; restored within the time that is promised."""
    yield world
    began = time.monotonic()
    for region in (EAST, WEST):
        with_nothing_lost(world, region)
    until(lambda: is_normal(world), BACK_SECONDS, "back to normal")
    if world.writer() != EAST:
        world.aws("rds", WEST).switchover_global_cluster(
            GlobalClusterIdentifier=world.global_id, TargetDbClusterIdentifier=world.arn(EAST)
        )
        until(lambda: leads_to(world) == EAST, BACK_SECONDS, "home again")
    assert time.monotonic() - began < BACK_SECONDS
    with world.connect(world.global_endpoint) as connection:
        connection.execute("TRUNCATE records")


def with_nothing_lost(world: World, region: str) -> None:
    """Restores a region; one that has lost nothing says so."""
    try:
        client.restore(world.state_dir, region)
    except LabInputError as error:
        assert "has lost nothing" in str(error)


def is_normal(world: World) -> bool:
    """Whether both members are connected, nothing is under way, and each row arrives."""
    described = world.described()
    synchronised = {m["SynchronizationStatus"] for m in described["GlobalClusterMembers"]}
    return (
        described["Status"] == "available"
        and synchronised == {"connected"}
        and leads_to(world) == world.writer()
        and world.count(EAST) == world.count(WEST) != -1
    )


def leads_to(world: World) -> str:
    """The region that the global writer endpoint leads to."""
    return network.resolve(world.state_dir, EAST, world.global_endpoint).region


def write(world: World, row: int, host: str = "", source: str = EAST) -> None:
    """Writes one row."""
    with world.connect(host or world.global_endpoint, source) as connection:
        connection.execute("INSERT INTO records VALUES (%s)", (row,))


def fail_over(world: World, region: str) -> None:
    """The unplanned call, to the end of the change of roles."""
    world.aws("rds", region).failover_global_cluster(
        GlobalClusterIdentifier=world.global_id,
        TargetDbClusterIdentifier=world.arn(region),
        AllowDataLoss=True,
    )
    until(lambda: world.writer() == region and world.described()["Status"] == "available")


def silent(world: World, host: str, source: str) -> bool:
    """Whether an endpoint takes the connection and never answers."""
    address = network.address(world.state_dir, source, host)
    with socket.create_connection(address, 1) as connection:
        connection.settimeout(0.5)
        connection.sendall(bytes([0, 0, 0, 8, 4, 210, 22, 47]))  # PostgreSQL's SSLRequest
        try:
            return connection.recv(1) == b""
        except TimeoutError:
            return True


@contextmanager
def took(least: float) -> Iterator[None]:
    """Holds that what is done within takes so many real seconds at least."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began >= least


# -- what can be lost, and how ---------------------------------------------------------------------


def test_a_database_that_hangs_is_silent_on_old_and_new_connections(home: World) -> None:
    """H7: TCP accepts, SQL never answers, and nothing is replicated; what was asked is answered
    when it is back."""
    host = home.global_endpoint
    with home.connect(host) as connection:
        client.outage(home.state_dir, EAST, "database", "hang")
        assert silent(home, host, EAST)
        assert network.resolve(home.state_dir, WEST, host).action == "hang"
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            home.connect(host, connect_timeout=2).__enter__()
        client.restore(home.state_dir, EAST)
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_slow_database_answers_late(home: World) -> None:
    """Issue 16.1: 3 lab seconds later."""
    with home.connect(home.global_endpoint) as connection:
        client.outage(home.state_dir, EAST, "database", "slow")
        with took(0.28):
            connection.execute("SELECT 1")


def test_peering_and_replication_are_two_things(home: World) -> None:
    """H1, H15: with the peering cut Aurora still replicates; with replication cut the writer is
    still reached across the peering."""
    host = home.global_endpoint
    client.outage(home.state_dir, EAST, "peering")
    assert network.resolve(home.state_dir, WEST, host).action == "drop"
    write(home, 1)
    until(lambda: home.count(WEST) == 1)
    client.restore(home.state_dir, EAST)
    client.outage(home.state_dir, WEST, "replication")
    write(home, 2, source=WEST)
    time.sleep(1)
    assert home.count(WEST) == 1
    client.restore(home.state_dir, WEST)
    until(lambda: home.count(WEST) == 2)


@pytest.mark.parametrize("mode", ["hang", "slow"])
def test_a_peering_that_hangs_or_is_slow(home: World, mode: str) -> None:
    """Issue 16.1: the own region notices nothing."""
    host = home.global_endpoint
    client.outage(home.state_dir, WEST, "peering", mode)
    with took(0):
        home.connect(host, EAST).__enter__().close()
    if mode == "hang":
        assert silent(home, host, WEST)
    else:
        with home.connect(host, WEST) as connection, took(0.28):
            connection.execute("SELECT 1")


def test_a_database_that_flaps_is_killed_and_comes_back(home: World) -> None:
    """Issue 16.1: by turns of 30 lab seconds, until it is restored; no row is lost."""
    write(home, 1)

    def action() -> str:
        return network.resolve(home.state_dir, EAST, home.global_endpoint).action

    client.outage(home.state_dir, EAST, "database", "flap")
    for wanted in ("drop", "allow", "drop"):
        until(lambda wanted=wanted: action() == wanted)
    client.restore(home.state_dir, EAST)
    until(lambda: home.count(EAST) == 1)


def test_the_way_to_the_other_region_is_long(home: World) -> None:
    """Issue 16.7: each question across the peering takes a round trip of lab time; at home it
    doesn't."""
    host = home.global_endpoint
    client.set_round_trip(home.state_dir, 2000)
    try:
        with home.connect(host, WEST) as far, home.connect(host, EAST) as near:
            with took(0.2):
                far.execute("SELECT 1")
            began = time.monotonic()
            near.execute("SELECT 1")
            assert time.monotonic() - began < 0.2
    finally:
        client.set_round_trip(home.state_dir, 0)


def impatient(world: World, service: str, region: str) -> Any:
    """A client that waits for a second, once."""
    return boto3.client(
        service,  # pyright: ignore[reportCallIssue, reportArgumentType]
        region_name=region,
        endpoint_url=world.endpoint,
        aws_access_key_id="000000000000",
        aws_secret_access_key="lab",
        config=Config(read_timeout=1, retries={"total_max_attempts": 1}),
    )


def test_an_api_hangs_is_slow_or_flaps(home: World) -> None:
    """Issue 16.1: never answered, 3 lab seconds late, refused and served by turns."""
    sns = impatient(home, "sns", WEST)
    client.outage(home.state_dir, WEST, "api", "hang")
    with pytest.raises(ReadTimeoutError):
        sns.list_topics()
    client.restore(home.state_dir, WEST)
    client.outage(home.state_dir, WEST, "api", "slow")
    with took(0.28):
        sns.list_topics()
    client.restore(home.state_dir, WEST)
    client.set_clock(home.state_dir, 50)
    client.outage(home.state_dir, WEST, "api", "flap")
    seen = []
    deadline = time.monotonic() + 10
    while seen != [False, True, False] and time.monotonic() < deadline:
        try:
            sns.list_topics()
            answered = True
        except ClientError:
            answered = False
        seen += [answered] if seen[-1:] != [answered] else []
    client.set_clock(home.state_dir, CLOCK)
    assert seen == [False, True, False]


def test_functions_and_load_balancers_hang_or_are_slow(home: World) -> None:
    """Issue 16.1: connections are taken and never answered; a slow function fails the limit of
    Route 53's checkers, 2 s."""
    core = lab_core_world.World(home.state_dir, CLOCK)
    role = core.role("served", "lambda.amazonaws.com")
    host, _, _ = core.load_balancer("served", core.function("served", CODE, role))
    assert core.get(host, "/")[0] == 200
    client.outage(home.state_dir, EAST, "compute", "slow")
    with took(0.28):
        assert core.get(host, "/")[2] == b"served"
    client.restore(home.state_dir, EAST)
    client.outage(home.state_dir, EAST, "compute", "hang")
    with socket.create_connection(("127.0.0.1", core.port), 1) as connection:
        connection.settimeout(1)
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        with pytest.raises(TimeoutError):
            connection.recv(1)
    client.restore(home.state_dir, EAST)
    assert core.get(host, "/")[0] == 200


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("clock", [10, 50])
def test_replication_is_as_late_as_asked_for_and_says_so(home: World, clock: float) -> None:
    """Issue 16.2 and 16.4: rows come late by lab seconds, and AuroraGlobalDBReplicationLag says
    so many, whatever the clock."""
    seconds = 1.5 * clock
    client.set_clock(home.state_dir, clock)
    client.fault(home.state_dir, "replication-lag", f"{seconds}")
    write(home, 1)
    with took(1.2):
        until(lambda: home.count(WEST) == 1)
    # It counts while something is written.
    deadline, row, worst = time.monotonic() + 12, 2, 0.0
    while worst < 900 * seconds and time.monotonic() < deadline:
        write(home, row)
        row += 1
        worst = lag(home)
    client.set_clock(home.state_dir, CLOCK)
    assert 900 * seconds <= worst < 3000 * seconds


def lag(world: World) -> float:
    """The largest lag that is published, in milliseconds, asked as a program asks: until now."""
    answer = world.aws("cloudwatch", WEST).get_metric_statistics(
        Namespace="AWS/RDS",
        MetricName="AuroraGlobalDBReplicationLag",
        Dimensions=[{"Name": "DBClusterIdentifier", "Value": world.cluster_id(WEST)}],
        StartTime=time.time() - 120,
        EndTime=time.time() + 60,
        Period=60,
        Statistics=["Maximum"],
    )
    return max((point["Maximum"] for point in answer["Datapoints"]), default=0.0)


def test_what_was_on_its_way_is_lost_and_kept_aside(home: World) -> None:
    """RECOVERY 1.4, 1.5: the tail is in the old volume's snapshot, not in the new writer; events
    are recorded where the region is reached; the old primary comes back on a new volume."""
    for region in (EAST, WEST):
        noticed(home, region)
    write(home, 1)
    until(lambda: home.count(WEST) == 1)
    client.fault(home.state_dir, "replication-lag", "600")
    write(home, 2)
    client.outage(home.state_dir, EAST)
    fail_over(home, WEST)
    assert home.count(WEST) == 1, "the tail is lost"
    members = {m["DBClusterArn"]: m for m in home.described()["GlobalClusterMembers"]}
    assert members[home.arn(EAST)]["SynchronizationStatus"] == "pending-resync"
    until(lambda: leads_to(home) == WEST)
    until(lambda: {"0390", "0238", "0397"} <= set(noticed_so_far(home, WEST)))
    client.restore(home.state_dir, EAST)
    until(lambda: is_normal(home), BACK_SECONDS)
    until(lambda: {"0240", "0241"} <= set(noticed_so_far(home, EAST)))
    rds = home.aws("rds", EAST)
    (kept,) = rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
    name = kept["DBClusterSnapshotIdentifier"]
    assert name.startswith(f"rds:unplanned-global-failover-{home.cluster_id(EAST)}-")
    rds.copy_db_cluster_snapshot(
        SourceDBClusterSnapshotIdentifier=name, TargetDBClusterSnapshotIdentifier="tail"
    )
    manual = rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    assert [item["DBClusterSnapshotIdentifier"] for item in manual] == ["tail"]
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="tail")


_seen: dict[str, list[str]] = {EAST: [], WEST: []}


def noticed_so_far(world: World, region: str) -> list[str]:
    """All events that have arrived in a region."""
    _seen[region] += noticed(world, region)
    return _seen[region]


def test_an_old_writer_that_is_not_fenced_takes_writes(home: World) -> None:
    """H20: by its own address, beside the new writer, until it is fenced; a snapshot that fails
    leaves none."""
    east = home.aws("rds", EAST)
    address = east.describe_db_clusters()["DBClusters"][0]["Endpoint"]
    before = len(east.describe_db_cluster_snapshots()["DBClusterSnapshots"])
    client.fault(home.state_dir, "fence-timeout")
    client.fault(home.state_dir, "snapshot-fails")
    fail_over(home, WEST)
    write(home, 1, address)
    until(lambda: leads_to(home) == WEST)
    write(home, 2)
    until(lambda: "0391" in noticed_so_far(home, EAST))
    client.fault(home.state_dir, "fence-timeout", "off")
    until(lambda: is_normal(home), BACK_SECONDS)
    with home.connect(home.reader_endpoint(EAST)) as connection:
        assert connection.execute("SELECT id FROM records").fetchall() == [(2,)]
    assert len(east.describe_db_cluster_snapshots()["DBClusterSnapshots"]) == before


def test_an_accepted_call_answers_an_error_and_the_rest_is_late(home: World) -> None:
    """H11, H22, H13: InternalFailure of a call that was accepted, a promotion that takes longer,
    an endpoint that still leads to the old writer, descriptions of what was."""
    for name, value in (
        ("failover-internal-failure", None),
        ("promotion-delay", "10"),
        ("endpoint-late", None),
    ):
        client.fault(home.state_dir, name, value)
    with took(0.9):
        # The SDK's own retry would find the change of roles under way.
        with pytest.raises(ClientError, match="InternalFailure"):
            impatient(home, "rds", WEST).failover_global_cluster(
                GlobalClusterIdentifier=home.global_id,
                TargetDbClusterIdentifier=home.arn(WEST),
                AllowDataLoss=True,
            )
        assert home.described()["FailoverState"]["Status"] in ("pending", "failing-over")
        until(lambda: home.writer() == WEST)
    time.sleep(0.7)
    assert leads_to(home) == EAST
    client.fault(home.state_dir, "endpoint-late", "off")
    until(lambda: leads_to(home) == WEST)


def test_descriptions_are_stale_or_throttled_and_items_unreadable(home: World) -> None:
    """H12, H25, H29: with AWS's codes; off again they are answered."""
    client.fault(home.state_dir, "describe-stale")
    fail_over_blindly(home, WEST)
    assert home.writer() == EAST
    client.fault(home.state_dir, "describe-stale", "off")
    until(lambda: home.writer() == WEST)
    client.fault(home.state_dir, "describe-throttled")
    with pytest.raises(ClientError, match="Throttling"):
        home.described()
    client.fault(home.state_dir, "describe-throttled", "off")
    home.described()
    client.fault(home.state_dir, "state-unreadable")
    item: dict[str, Any] = {"TableName": "t", "Key": {"k": {"S": "v"}}}
    with pytest.raises(ClientError, match="InternalServerError"):
        impatient(home, "dynamodb", WEST).get_item(**item)


def fail_over_blindly(world: World, region: str) -> None:
    """The unplanned call; nothing is described."""
    world.aws("rds", region).failover_global_cluster(
        GlobalClusterIdentifier=world.global_id,
        TargetDbClusterIdentifier=world.arn(region),
        AllowDataLoss=True,
    )
    until(lambda: f"{region}: writer up" in world.database_detail())


def test_a_writer_fails_over_inside_its_region(home: World) -> None:
    """H4, issue 16.1: a minute with a second instance, asked for or by a loss; without one the
    call is refused, and a loss lasts ten minutes."""
    rds = home.aws("rds", EAST)
    name = {"DBClusterIdentifier": home.cluster_id(EAST)}
    with pytest.raises(ClientError, match="InvalidDBClusterStateFault"):
        rds.failover_db_cluster(**name)
    client.fault(home.state_dir, "instance-loss", EAST)
    assert network.resolve(home.state_dir, EAST, home.global_endpoint).action == "refuse"
    assert rds.describe_db_clusters(**name)["DBClusters"][0]["Status"] == "failing-over"
    client.fault(home.state_dir, "instance-loss", "off")
    until(lambda: network.resolve(home.state_dir, EAST, home.global_endpoint).action == "allow")
    second = "aurora-instance-2-us-east-1-t"
    rds.create_db_instance(
        DBInstanceIdentifier=second,
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
        **name,
    )
    client.set_clock(home.state_dir, 50)
    rds.failover_db_cluster(**name)
    with took(1):
        until(lambda: network.resolve(home.state_dir, EAST, home.global_endpoint).action == "allow")
    client.set_clock(home.state_dir, CLOCK)
    until(lambda: {"0073", "0071"} <= set(noticed_so_far(home, EAST)))
    rds.delete_db_instance(DBInstanceIdentifier=second, SkipFinalSnapshot=True)


# -- RDS as documented -----------------------------------------------------------------------------


def test_calls_in_the_wrong_region_and_a_dead_primary_are_refused(home: World) -> None:
    """RECOVERY 1.1 and 6: each region refuses the other's call; a planned one with a dead primary
    after a while, and not at once."""
    given = {"GlobalClusterIdentifier": home.global_id, "TargetDbClusterIdentifier": home.arn(WEST)}
    east, west = home.aws("rds", EAST), home.aws("rds", WEST)
    for call in (
        lambda: west.switchover_global_cluster(**given),
        lambda: east.failover_global_cluster(**given, AllowDataLoss=True),
    ):
        with pytest.raises(ClientError, match=r"InvalidGlobalClusterStateFault.* by a call in us-"):
            call()
    client.outage(home.state_dir, EAST, "database")
    with took(1.9), pytest.raises(ClientError, match="InvalidGlobalClusterStateFault"):
        east.switchover_global_cluster(**given)


@pytest.mark.parametrize("swapped", [False, True])
def test_members_are_deleted_in_the_order_of_their_roles(home: World, swapped: bool) -> None:
    """Traps 1 and 2, before and after a role swap: the primary neither leaves nor loses its last
    instance while a secondary follows; no member is deleted as one."""
    if swapped:
        fail_over(home, WEST)
        until(lambda: is_normal(home), BACK_SECONDS)
    writer = home.writer()
    rds = {region: home.aws("rds", region) for region in (EAST, WEST)}
    refused = {
        "Cannot delete the last instance of the master": lambda: rds[writer].delete_db_instance(
            DBInstanceIdentifier=f"aurora-instance-1-{writer}-t", SkipFinalSnapshot=True
        ),
        "Cannot remove the writer": lambda: rds[writer].remove_from_global_cluster(
            GlobalClusterIdentifier=home.global_id, DbClusterIdentifier=home.arn(writer)
        ),
        "still has member clusters": lambda: rds[writer].delete_global_cluster(
            GlobalClusterIdentifier=home.global_id
        ),
        "still contains DB instances": lambda: rds[other(writer)].delete_db_cluster(
            DBClusterIdentifier=home.cluster_id(other(writer)), SkipFinalSnapshot=True
        ),
    }
    for message, call in refused.items():
        with pytest.raises(ClientError, match=message):
            call()
    assert is_normal(home)


# -- every knob ------------------------------------------------------------------------------------

VALUES = {
    Fault.PROMOTION_DELAY: "5",
    Fault.REPLICATION_LAG: "20",
    Fault.INSTANCE_LOSS: EAST,
    Fault.LOW_CONCURRENCY: WEST,
}
"""Of the faults that take one."""


def answers_as_ever(world: World) -> bool:
    """Whether what faults and outages keep from answering is answered as before them."""
    try:
        quota = world.aws("lambda", WEST).get_account_settings()["AccountLimit"]
        world.aws("dynamodb", WEST).get_item(TableName="knobs", Key={"k": {"S": "v"}})
    except ClientError:
        return False
    return quota["ConcurrentExecutions"] == 1000 and is_normal(world)


@pytest.mark.parametrize("mode", list(Mode))
def test_every_knob_is_turned_and_off_again(home: World, mode: Mode) -> None:
    """Issue 16: with every fault on and every part of a region lost in each mode, all at once; off
    again, each by itself, everything answers as before within 30 s, and what the writer has
    acknowledged is there."""
    dynamodb = home.aws("dynamodb", WEST)
    if "knobs" not in dynamodb.list_tables()["TableNames"]:
        dynamodb.create_table(
            TableName="knobs",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    write(home, 1)
    until(lambda: home.count(WEST) == 1)
    for kind in OutageKind:
        client.outage(home.state_dir, WEST, kind, mode)
    for fault in Fault:
        client.fault(home.state_dir, fault, VALUES.get(fault))
    status = client.status(home.state_dir)
    assert set(status.faults) == set(Fault)
    began = time.monotonic()
    for fault in Fault:
        client.fault(home.state_dir, fault, "off")
    client.restore(home.state_dir, WEST)
    until(lambda: answers_as_ever(home), BACK_SECONDS, f"back from {mode}")
    assert time.monotonic() - began < BACK_SECONDS
    assert home.count(EAST) == home.count(WEST) == 1
