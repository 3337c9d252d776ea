"""RDS events, their subscriptions, and the snapshots of old writers, on pretended servers."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from test_rds_calls import ACCOUNT, EAST, WEST, World, arn

from lab.api import ApiRefusal
from lab.database import notices as notices_module
from lab.database.snapshots import DAY, PREFIX
from lab.database.topology import Topology
from lab.outage import OutageKind

TOPIC = f"arn:aws:sns:{EAST}:{ACCOUNT}:topic"
OPEN = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.rds.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": TOPIC,
        }
    ]
}


class Topic:
    """A topic of the region; what was published, and by which policy."""

    def __init__(self, policy=OPEN):
        self.policy, self.published, self.error = policy, [], None

    def get_topic_attributes(self, TopicArn):  # noqa: N803
        assert TopicArn == TOPIC
        return {"Attributes": {"Policy": json.dumps(self.policy)}}

    def publish(self, **given):
        if self.error:
            raise self.error
        self.published.append(given)


class Notified(World):
    """The global database, with a topic; ``bus`` is what the default bus got."""

    def __init__(self, directory):
        super().__init__(directory)
        self.topic, self.bus, self.tags = Topic(), [], []
        self.notices._lab.client = lambda service, region: self.topic


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = Notified(tmp_path)
    monkeypatch.setattr(
        notices_module, "_to_bus", lambda account, region, record: made.bus.append((region, record))
    )

    async def call(service, region, operation, **given):
        if operation == "ListTagsForResource":
            return {"TagList": made.tags}
        if "Tags" in operation:
            made.tags = given.get("Tags", [])
        elif given["TopicArn"] != TOPIC:
            raise ApiRefusal("NotFound", "no", 404)
        return {}

    monkeypatch.setattr(made.aws, "call", call, raising=False)
    return made


def emit(world, event, region=EAST, about=None):
    clusters = world.topology.clusters
    of = clusters[arn(about)] if about else None
    asyncio.run(world.notices.emit(clusters[arn(region)], event, of))


def subscribe(world, **given):
    given = {"SubscriptionName": "s", "SnsTopicArn": TOPIC, **given}
    return world.call("CreateEventSubscription", **given)["EventSubscription"]


def test_an_event_reaches_a_subscriptions_topic_in_awss_form(world):
    """Issue 16.3: Aurora user guide, "Working with Amazon RDS event notification"."""
    made = subscribe(world, SourceType="db-cluster", EventCategories=["global failover"])
    assert made["EventSubscriptionArn"] == f"arn:aws:rds:{EAST}:{ACCOUNT}:es:s"
    emit(world, "RDS-EVENT-0240")
    emit(world, "RDS-EVENT-0390")  # an instance's, of another category
    (sent,) = world.topic.published
    message = json.loads(sent["Message"])
    assert message["Event ID"].endswith("#RDS-EVENT-0240")
    assert message["Event Source"] == "db-cluster"
    assert message["Source ID"] == "c"
    assert message["Event Message"] == (
        "Started resynchronizing members of DB cluster c in Region us-east-1 after global failover."
    )
    assert sent["MessageAttributes"]["EventID"]["StringValue"] == "RDS-EVENT-0240"
    assert [(region, record["EventID"]) for region, record in world.bus] == [
        (EAST, "RDS-EVENT-0240"), (EAST, "RDS-EVENT-0390")
    ]  # fmt: skip


def test_write_fencing_is_an_event_of_an_instance(world):
    """RECOVERY 1.5: 0390 and 0391 are DB instances' notifications; they name the old writer
    though the new one records them."""
    subscribe(world, SourceType="db-instance", EventCategories=["notification"])
    emit(world, "RDS-EVENT-0391", EAST, about=WEST)
    message = json.loads(world.topic.published[0]["Message"])
    assert message["Source ID"] == "i"
    assert message["Event Message"] == (
        "Attempt to block writes for DB cluster c in Region us-west-2 timed out."
    )


@pytest.mark.parametrize(
    "given",
    [
        {"SourceType": "db-instance"},
        {"SourceType": "db-cluster", "SourceIds": ["another"]},
        {"EventCategories": ["failover"]},
        {"Enabled": False},
    ],
)
def test_a_subscription_gets_only_what_it_asks_for(world, given):
    """RDS API reference, CreateEventSubscription: source type, sources, categories, enabled."""
    known = world.topology.clusters[arn(EAST)]
    world.topology.clusters["other"] = replace(known, arn="other", identifier="another")
    subscribe(world, **given)
    emit(world, "RDS-EVENT-0238")
    assert world.topic.published == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"SourceType": "db-cluster", "SourceIds": ["none"]}, "SourceNotFound"),
        ({"SourceType": "db-instance", "SourceIds": ["c"]}, "SourceNotFound"),
        ({"SourceType": "db-proxy", "SourceIds": ["c"]}, "SourceNotFound"),
        ({"SourceIds": ["c"]}, "InvalidParameterCombination"),
    ],
)
def test_a_subscription_names_sources_that_are_there(world, given, code):
    """RDS API reference, CreateEventSubscription: SourceNotFound; with SourceIds the type is
    given as well; a source that is added later is looked for too."""
    with pytest.raises(ApiRefusal, match=code):
        subscribe(world, **given)
    assert world.call("DescribeEventSubscriptions")["EventSubscriptionsList"] == []
    subscribe(world, SourceType="db-instance", SourceIds=["i"])
    with pytest.raises(ApiRefusal, match="SourceNotFound"):
        world.call("AddSourceIdentifierToSubscription", SubscriptionName="s", SourceIdentifier="c")


def test_a_subscriptions_tags_go_with_it(world):
    """RDS API reference, CreateEventSubscription, Tags: one of the same name begins without."""
    subscribe(world, Tags=[{"Key": "k", "Value": "v"}])
    assert world.tags
    world.call("DeleteEventSubscription", SubscriptionName="s")
    assert world.tags == []


def test_a_topic_that_may_not_be_used_or_fails_is_passed_over(world):
    """Trap 29's kind: a policy that lets RDS not publish drops events, and nothing breaks."""
    subscribe(world)
    world.topic.policy = {"Statement": []}
    emit(world, "RDS-EVENT-0238")
    world.topic.policy = OPEN
    world.topic.error = ClientError({"Error": {"Code": "InternalError"}}, "Publish")
    emit(world, "RDS-EVENT-0238")
    assert world.topic.published == []
    assert len(world.bus) == 2


def test_a_region_without_api_notices_nothing(world):
    """RECOVERY 1.5: hence subscriptions in both regions."""
    subscribe(world)
    world.outages.has_lost = lambda region, kind: (region, kind) == (EAST, OutageKind.API)
    emit(world, "RDS-EVENT-0238")
    assert (world.topic.published, world.bus, world.topology.events) == ([], [], [])


def test_subscriptions_are_changed_listed_and_deleted(world):
    """RDS API reference: each region has its own; names are taken once; unknown ones refused."""
    subscribe(world, SourceType="db-cluster", SourceIds=["c"])
    with pytest.raises(ApiRefusal, match="SubscriptionAlreadyExist"):
        subscribe(world)
    with pytest.raises(ApiRefusal, match="SNSTopicArnNotFound"):
        subscribe(world, SubscriptionName="t", SnsTopicArn=f"{TOPIC}x")
    changed = world.call(
        "ModifyEventSubscription", SubscriptionName="s", Enabled=False, SnsTopicArn=TOPIC
    )["EventSubscription"]
    assert (changed["Enabled"], changed["SourceType"]) == (False, "db-cluster")
    known = world.topology.clusters[arn(EAST)]
    world.topology.clusters["other"] = replace(known, arn="other", identifier="d")
    one = {"SubscriptionName": "s", "SourceIdentifier": "d"}
    added = world.call("AddSourceIdentifierToSubscription", **one)["EventSubscription"]
    assert added["SourceIdsList"] == ["c", "d"]
    less = world.call("RemoveSourceIdentifierFromSubscription", **one)["EventSubscription"]
    assert less["SourceIdsList"] == ["c"]
    listed = world.call("DescribeEventSubscriptions")["EventSubscriptionsList"]
    assert [item["CustSubscriptionId"] for item in listed] == ["s"]
    assert "Region" not in listed[0]
    assert world.call("DescribeEventSubscriptions", region=WEST)["EventSubscriptionsList"] == []
    world.call("DeleteEventSubscription", SubscriptionName="s")
    for operation in ("DeleteEventSubscription", "DescribeEventSubscriptions"):
        with pytest.raises(ApiRefusal, match="SubscriptionNotFound"):
            world.call(operation, SubscriptionName="s")


def test_events_are_described_by_time_source_and_category(world):
    """RDS API reference, DescribeEvents: the last hour's unless said otherwise, in lab time."""
    emit(world, "RDS-EVENT-0238")
    emit(world, "RDS-EVENT-0390")
    assert len(world.call("DescribeEvents")["Events"]) == 2
    (found,) = world.call("DescribeEvents", SourceType="db-instance")["Events"]
    assert found["EventCategories"] == ["notification"]
    assert "EventID" not in found
    at = world.clock.utc_now()
    for given in (
        {"SourceIdentifier": "other"}, {"EventCategories": ["failover"]},
        {"StartTime": at}, {"EndTime": "2020-01-01T00:00:00"}, {"region": WEST},
    ):  # fmt: skip
        assert world.call("DescribeEvents", **given)["Events"] == []


@pytest.fixture
def kept(world):
    """The world with the snapshot of us-east-1's old volume."""
    data = world.topology.path.parent / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("16")
    cluster = world.topology.clusters[arn(EAST)]
    cluster.retention_days = 2
    world.snapshots.keep_volume(cluster, data)
    assert not data.exists()
    return world


def described(world, region=EAST, **given):
    answer = {"DBClusterSnapshots": []}
    return world.call("DescribeDBClusterSnapshots", answer, region, **given)["DBClusterSnapshots"]


def test_an_old_volume_is_a_snapshot_of_its_region(kept):
    """RECOVERY 1.4: by its name, its cluster or its type; it isn't the other region's."""
    (found,) = described(kept)
    name = found["DBClusterSnapshotIdentifier"]
    assert name.startswith(f"{PREFIX}c-20")
    assert (found["SnapshotType"], found["Status"]) == ("automated", "available")
    for given in (
        {"DBClusterSnapshotIdentifier": name}, {"DBClusterIdentifier": "c"},
        {"DBClusterIdentifier": arn(EAST)}, {"SnapshotType": "automated"},
    ):  # fmt: skip
        assert described(kept, **given) == [found]
    assert described(kept, WEST) == []
    assert described(kept, SnapshotType="manual") == []
    assert described(kept, DBClusterIdentifier="other") == []


@pytest.mark.parametrize(
    ("place", "name", "fault"),
    [
        (Path, "rename", SystemExit(9)),
        (Path, "rename", OSError("disk quota exceeded")),
        (Topology, "save", SystemExit(9)),
    ],
)
def test_a_volume_is_not_lost_between_its_record_and_its_place(
    world, monkeypatch, place, name, fault
):
    """RECOVERY 1.4: a lab that is killed in between, or can't move the volume, has it where it was,
    and no snapshot of nothing."""
    data = world.topology.path.parent / "data"
    data.mkdir()

    def broken(*_given):
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(place, name, broken)
        with pytest.raises(type(fault)):
            world.snapshots.keep_volume(world.topology.clusters[arn(EAST)], data)
    world.snapshots.sweep()
    assert data.exists()
    assert described(world) == []
    world.snapshots.keep_volume(world.topology.clusters[arn(EAST)], data)
    assert len(described(world)) == 1


def test_a_copy_outlives_the_old_clusters_retention(kept):
    """Trap 46: the automated one dies with the retention; the copy stays until it is deleted."""
    (found,) = described(kept)
    name = found["DBClusterSnapshotIdentifier"]
    copy = {
        "SourceDBClusterSnapshotIdentifier": found["DBClusterSnapshotArn"],
        "TargetDBClusterSnapshotIdentifier": "tail",
    }
    made = kept.call("CopyDBClusterSnapshot", **copy)["DBClusterSnapshot"]
    assert made["SourceDBClusterSnapshotArn"] == found["DBClusterSnapshotArn"]
    assert made["SnapshotType"] == "manual"
    with pytest.raises(ApiRefusal, match="already exists"):
        kept.call("CopyDBClusterSnapshot", **copy)
    with pytest.raises(ApiRefusal, match="Only manual snapshots may be deleted"):
        kept.call("DeleteDBClusterSnapshot", DBClusterSnapshotIdentifier=name)
    kept.snapshots._clock = SimpleNamespace(now=lambda: kept.clock.now() + 3 * DAY)
    (kept.topology.path.parent / "snapshots" / "left over").mkdir()
    kept.snapshots.sweep()
    (left,) = described(kept)
    assert left["DBClusterSnapshotIdentifier"] == "tail"
    (folder,) = (kept.topology.path.parent / "snapshots").iterdir()
    assert (folder / "PG_VERSION").read_text() == "16"
    kept.call("DeleteDBClusterSnapshot", DBClusterSnapshotIdentifier="tail")
    assert described(kept) == []
    assert os.listdir(folder.parent) == []  # noqa: PTH208
    for operation in ("CopyDBClusterSnapshot", "DeleteDBClusterSnapshot"):
        given = copy if operation.startswith("Copy") else {"DBClusterSnapshotIdentifier": "tail"}
        assert kept.call(operation, **given) == {}, "the emulator's to answer"


def test_a_snapshot_is_restored_as_a_cluster_of_its_own(kept, monkeypatch, tmp_path):
    """RECOVERY 5: on a copy of the volume, with its credentials, outside the global database; what
    is unknown is the emulator's to refuse."""
    (found,) = described(kept)
    name, owned, asked = "arn:aws:rds:us-east-1:1:cluster:beside", [], []
    (kept.snapshots.volume(kept.topology.snapshots[0]) / "postmaster.pid").write_text("1")

    async def call(service, region, operation, **given):
        asked.append((service, region, operation, given))
        return {"DBCluster": {"DBClusterArn": name, "DBClusterIdentifier": "beside"}}

    server = SimpleNamespace(
        data=tmp_path / "beside" / "data",
        prepare_directory=(tmp_path / "beside").mkdir,
        run_as=SimpleNamespace(own=owned.append),
    )
    monkeypatch.setattr(kept.aws, "call", call, raising=False)
    monkeypatch.setattr(kept.fleet, "server", lambda _: server, raising=False)
    given = {
        "DBClusterIdentifier": "beside", "SnapshotIdentifier": found["DBClusterSnapshotArn"],
        "Engine": "aurora-postgresql", "VpcSecurityGroupIds": ["sg-1"],
    }  # fmt: skip
    made = kept.call("RestoreDBClusterFromSnapshot", **given)["DBCluster"]
    assert made["DBClusterArn"] == name
    (service, region, operation, passed) = asked[0]
    assert (service, region, operation) == ("rds", EAST, "CreateDBCluster")
    assert passed["VpcSecurityGroupIds"] == ["sg-1"]
    assert passed["EngineVersion"] == found["EngineVersion"]
    assert "SnapshotIdentifier" not in passed
    cluster = kept.topology.clusters[name]
    assert cluster.provisioned and kept.topology.writer_of(cluster) is None
    assert (server.data / "PG_VERSION").read_text() == "16"
    assert {path.name for path in owned} == {"data", "PG_VERSION"}
    assert described(kept) == [found], "the snapshot stays"
    unknown = {**given, "SnapshotIdentifier": "other"}
    assert kept.call("RestoreDBClusterFromSnapshot", **unknown) == {}


def test_a_deleted_cluster_takes_its_automated_snapshots_along(kept):
    """Aurora user guide, "Deleting Aurora DB clusters"; manual ones stay."""
    kept.snapshots.forget(kept.topology.clusters[arn(WEST)])
    assert len(described(kept)) == 1
    kept.snapshots.forget(kept.topology.clusters[arn(EAST)])
    assert described(kept) == []


def test_a_failover_inside_a_region_takes_the_writer_away(world):
    """Issue 16.1, H4: failing-over for a minute at most; a secondary has no writer to fail over."""
    answer = {"DBCluster": {"DBClusterArn": arn(EAST), "Status": "available"}}
    given = {"DBClusterIdentifier": "c"}
    asked = world.clock.now()
    shown = world.call("FailoverDBCluster", answer, **given)["DBCluster"]
    assert shown["Status"] == "failing-over"
    assert world.topology.clusters[arn(EAST)].away_until > asked
    (back,) = world.runner.work
    asyncio.run(back)
    item = {"DBClusterArn": arn(EAST), "Status": "available"}
    again = world.call("DescribeDBClusters", {"DBClusters": [item]})
    assert again["DBClusters"][0]["Status"] == "available"
    events = [record["EventID"] for _, record in world.bus]
    assert events == ["RDS-EVENT-0073", "RDS-EVENT-0071"]
    with pytest.raises(ApiRefusal, match="it has no writer"):
        world.call("FailoverDBCluster", answer, WEST, **given)
    assert world.call("FailoverDBCluster", **given) == {}, "refused by the emulator"


def test_stale_descriptions_show_what_was(world):
    """Issue 16.2, H13 and H29: as of the moment when the fault began; changes continue unseen."""

    def writers():
        members = [{"DBClusterArn": arn(region)} for region in (EAST, WEST)]
        item = {"GlobalClusterIdentifier": "g", "GlobalClusterMembers": members}
        found = world.call("DescribeGlobalClusters", {"GlobalClusters": [item]})["GlobalClusters"]
        return [m["DBClusterArn"] for m in found[0]["GlobalClusterMembers"] if m["IsWriter"]]

    world.rds.freeze(True)
    world.topology.globals["g"].writer = arn(WEST)
    world.rds.freeze(True)
    assert writers() == [arn(EAST)]
    world.rds.freeze(False)
    assert writers() == [arn(WEST)]


def test_members_show_whether_they_are_in_sync(world):
    """RECOVERY 1.2: connected, or pending-resync after an unplanned failover."""
    world.topology.clusters[arn(WEST)].is_stale = True
    members = [{"DBClusterArn": arn(region)} for region in (EAST, WEST)]
    item = {"GlobalClusterIdentifier": "g", "GlobalClusterMembers": members}
    (found,) = world.call("DescribeGlobalClusters", {"GlobalClusters": [item]})["GlobalClusters"]
    seen = [member["SynchronizationStatus"] for member in found["GlobalClusterMembers"]]
    assert seen == ["connected", "pending-resync"]
