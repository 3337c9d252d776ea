"""What RDS is asked, what it answers and what it finds after a restart, on simulated servers."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from lab.api import ApiRefusal, ApiRequest, ApiResponse
from lab.clock import Clock
from lab.database.adoption import adopt
from lab.database.conditions import REBOOT_SECONDS
from lab.database.notices import Notices
from lab.database.rds import RdsSemantics
from lab.database.snapshots import Snapshots
from lab.database.topology import Cluster, GlobalDatabase, Topology
from lab.outage import REGIONS

EAST, WEST = REGIONS
ACCOUNT = "000000000000"
ENGINE = "aurora-postgresql"
GLOBAL = {
    "GlobalClusterIdentifier": "g",
    "GlobalClusterArn": f"arn:aws:rds::{ACCOUNT}:global-cluster:g",
}


def arn(region, name="c"):
    return f"arn:aws:rds:{region}:{ACCOUNT}:cluster:{name}"


def described(region, name="c", **given):
    """A cluster as the emulator answers it."""
    return {
        "DBClusterArn": arn(region, name),
        "DBClusterIdentifier": name,
        "Engine": ENGINE,
        "EngineVersion": "16.8",
        "Status": "available",
        "Endpoint": "e",
        **given,
    }


class Fleet:
    """Servers that are all up with 100 connections; ``done`` is what was asked of them."""

    def __init__(self):
        self.done = []

    def server(self, _cluster):
        return SimpleNamespace(alive=True, settings=SimpleNamespace(max_connections=100))

    def reconcile(self):
        self.done.append("reconcile")

    def __getattr__(self, name):
        return lambda cluster, *_given: self.done.append((name, cluster.region))


class Runner:
    """Runs every step at once."""

    def __init__(self):
        self.work = []

    async def change(self, step):
        step()

    async def blocking(self, step):
        return step()

    def later(self, work):
        self.work.append(work)


class Emulator:
    """What the emulator holds in one region."""

    def __init__(self):
        self.clusters, self.instances, self.globals = [], [], []


class Aws:
    """The lab's own calls of RDS, answered from what the emulator holds."""

    def __init__(self, emulator):
        self.emulator = emulator

    async def every(self, service, region, operation, key):
        held = self.emulator[region]
        return {
            ("rds", "DescribeDBClusters", "DBClusters"): held.clusters,
            ("rds", "DescribeDBInstances", "DBInstances"): held.instances,
            ("rds", "DescribeGlobalClusters", "GlobalClusters"): held.globals,
        }[service, operation, key]


class World:
    """A global database ``g`` of a writer in us-east-1 and a reader in us-west-2, if ``members``;
    each with an instance ``i``."""

    def __init__(self, directory, members=REGIONS):
        self.topology = Topology(directory / "topology.json")
        for region in members:
            made = Cluster(arn(region), region, ACCOUNT, "c", region, "16.8")
            made.provisioned = True
            made.instances["i"] = "db.r6g.large"
            self.topology.clusters[made.arn] = made
        if members:
            arns = [arn(region) for region in members]
            self.topology.globals["g"] = GlobalDatabase("g", ACCOUNT, arns[0], arns)
        self.fleet = Fleet()
        self.emulator = {region: Emulator() for region in REGIONS}
        self.aws = Aws(self.emulator)
        self.clock = Clock(1000)
        self.outages = SimpleNamespace(has_lost=lambda _region, _kind: False)
        lab: Any = SimpleNamespace(
            aws=self.aws, clock=self.clock, account_id=ACCOUNT, outages=self.outages
        )
        self.snapshots = Snapshots(directory / "snapshots", self.topology, self.clock)
        self.runner = Runner()
        self.notices = Notices(lab, self.topology, self.runner.blocking)
        fleet: Any = self.fleet
        self.rds = RdsSemantics(
            lab, self.topology, fleet, self.runner, self.notices, self.snapshots
        )

    def call(self, operation, answer=None, region=EAST, **given):
        """The result of a call that the emulator answers with ``answer``; None is its refusal."""

        async def emulated(_request):
            return ApiResponse(answer) if answer is not None else ApiResponse(error_code="No")

        request = ApiRequest("rds", operation, region, given)
        return asyncio.run(self.rds.hook(request, emulated)).result

    def state(self):
        return repr(self.topology)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("CreateDBCluster", {"DBClusterIdentifier": "n"}),
        ("ModifyDBCluster", {"DBClusterIdentifier": "c", "MasterUserPassword": "secret"}),
        ("DeleteDBCluster", {"DBClusterIdentifier": "c"}),
        (
            "CreateDBInstance",
            {"DBClusterIdentifier": "c", "DBInstanceIdentifier": "n", "DBInstanceClass": "db.r6g"},
        ),
        ("ModifyDBInstance", {"DBInstanceIdentifier": "i", "DBInstanceClass": "db.r6g.xlarge"}),
        ("DeleteDBInstance", {"DBInstanceIdentifier": "i", "region": WEST}),
        ("RebootDBInstance", {"DBInstanceIdentifier": "i"}),
        ("CreateGlobalCluster", {"GlobalClusterIdentifier": "n"}),
        (
            "ModifyGlobalCluster",
            {"GlobalClusterIdentifier": "g", "NewGlobalClusterIdentifier": "n"},
        ),
        ("DeleteGlobalCluster", {"GlobalClusterIdentifier": "g"}),
        (
            "RemoveFromGlobalCluster",
            {"GlobalClusterIdentifier": "g", "DbClusterIdentifier": arn(WEST)},
        ),
    ],
)
def test_a_call_that_is_refused_changes_nothing(world, operation, given):
    """N3: neither roles nor servers, whatever the call was."""
    before = world.state()
    assert world.call(operation, **given) == {}
    assert world.state() == before
    assert world.fleet.done == []


def test_a_cluster_of_another_engine_has_no_server(tmp_path):
    """The lab's servers are PostgreSQL; what else is created stays the emulator's record."""
    world = World(tmp_path, ())
    world.call("CreateDBCluster", {"DBCluster": described(EAST, Engine="aurora-mysql")}, EAST)
    assert world.topology.clusters == {}
    answer = {"DBCluster": described(EAST, Engine="aurora-mysql")}
    for operation in ("ModifyDBCluster", "DeleteDBCluster"):
        assert world.call(operation, answer)["DBCluster"]["Endpoint"] == "e"
    instance = {"DBInstance": {"DBInstanceIdentifier": "m", "DBInstanceStatus": "available"}}
    for operation in ("CreateDBInstance", "ModifyDBInstance", "DeleteDBInstance"):
        world.call(operation, instance, DBInstanceIdentifier="m", DBInstanceClass="db.t3.medium")
    assert world.fleet.done == []


def test_a_cluster_of_its_own_is_no_global_databases_member(world):
    """RDS API reference, CreateDBCluster: without GlobalClusterIdentifier it stands alone."""
    answer = {"DBCluster": described(EAST, "n")}
    world.call("CreateDBCluster", answer, MasterUserPassword="secret")
    made = world.topology.clusters[arn(EAST, "n")]
    assert made.master_verifier.startswith("SCRAM-SHA-256$")
    assert world.topology.global_of(made.arn) is None


def test_a_secondary_has_no_password_of_its_own(world):
    """Trap 3: a cluster that joins a global database copies its primary, credentials and all."""
    made = world.call(
        "CreateDBCluster",
        {"DBCluster": described(WEST, "n")},
        WEST,
        GlobalClusterIdentifier="g",
    )["DBCluster"]
    assert world.topology.clusters[arn(WEST, "n")].master_verifier == ""
    assert world.topology.globals["g"].members[-1] == arn(WEST, "n")
    assert made["ReplicationSourceIdentifier"] == arn(EAST)
    assert "Endpoint" not in made
    assert made["Status"] == "creating", "until its server has copied the primary"


def test_an_instance_is_rebooted_and_resized_by_a_restart_of_its_server(world):
    """User guide: both interrupt the instance's connections, and one that reboots is shown so."""
    now = 1000.0
    world.rds._lab.clock = SimpleNamespace(now=lambda: now)
    answer = {
        "DBInstance": {
            "DBInstanceIdentifier": "i",
            "DBInstanceStatus": "available",
            "Endpoint": {"Port": 1},
        }
    }
    world.call("RebootDBInstance", {"DBInstance": {}}, DBInstanceIdentifier="i")
    assert world.fleet.done == [("restart", EAST)]
    found = {"DBInstances": [dict(answer["DBInstance"])]}
    shown = world.call("DescribeDBInstances", found)["DBInstances"]
    assert shown[0]["DBInstanceStatus"] == "rebooting"
    now += REBOOT_SECONDS
    given = {"DBInstanceIdentifier": "i", "DBInstanceClass": "db.r6g.xlarge"}
    shown = world.call("ModifyDBInstance", answer, **given)["DBInstance"]
    assert world.fleet.done[1:] == [("restart", EAST)]
    assert shown["Endpoint"]["Port"] == 5432
    assert shown["DBInstanceStatus"] == "available"
    world.call("ModifyDBInstance", answer, DBInstanceIdentifier="i")
    assert len(world.fleet.done) == 2, "nothing else restarts it"
    world.topology.clusters[arn(EAST)].provisioned = False
    shown = world.call("DescribeDBInstances", {"DBInstances": [answer["DBInstance"]]})
    assert shown["DBInstances"][0]["DBInstanceStatus"] == "creating"


def test_a_global_database_is_made_of_an_existing_cluster_and_renamed(tmp_path):
    """RDS API reference, CreateGlobalCluster (SourceDBClusterIdentifier), ModifyGlobalCluster: the
    source cluster becomes the writer; the name changes, the members stay."""
    world = World(tmp_path)
    world.topology.globals.clear()
    members = [
        {"DBClusterArn": arn(EAST), "IsWriter": True},
        {"DBClusterArn": arn(WEST), "IsWriter": False},
        {"DBClusterArn": arn(WEST, "unknown"), "IsWriter": False},
    ]
    answer = {"GlobalCluster": {**GLOBAL, "GlobalClusterMembers": members}}
    world.call("CreateGlobalCluster", answer)
    made = world.topology.globals["g"]
    assert (made.writer, made.members) == (arn(EAST), [arn(EAST), arn(WEST)])
    given = {"GlobalClusterIdentifier": "g", "NewGlobalClusterIdentifier": "n"}
    world.call("ModifyGlobalCluster", answer, **given)
    assert list(world.topology.globals) == ["n"]
    assert (made.identifier, made.writer) == ("n", arn(EAST))
    world.call("DeleteGlobalCluster", answer, GlobalClusterIdentifier="n")
    assert world.topology.globals == {}


def test_a_minor_upgrade_reaches_all_members_and_a_major_one_is_refused(world):
    """Trap 6: the version belongs to the global cluster. The lab has one PostgreSQL, so a volume of
    another major couldn't be opened."""
    for region in (EAST, WEST):
        world.topology.clusters[arn(region)].engine_version = "16.8"
    given = {"GlobalClusterIdentifier": "g", "EngineVersion": "16.9"}
    world.call("ModifyGlobalCluster", {"GlobalCluster": GLOBAL}, **given)
    assert [one.engine_version for one in world.topology.members_of("g")] == ["16.9", "16.9"]
    with pytest.raises(ApiRefusal, match=r"minor versions only, not to 17\.4"):
        world.call("ModifyGlobalCluster", {}, **{**given, "EngineVersion": "17.4"})
    assert world.topology.members_of("unknown") == []


def test_a_member_that_leaves_writes_for_itself_and_a_writer_that_leaves_leaves_none(world):
    """Trap 2: what is detached is its own primary from then on."""
    for region, writer in ((WEST, arn(EAST)), (EAST, "")):
        given = {"GlobalClusterIdentifier": "g", "DbClusterIdentifier": arn(region)}
        world.call("RemoveFromGlobalCluster", {"GlobalCluster": {}}, **given)
        assert world.topology.globals["g"].writer == writer
        assert world.topology.writer_of(world.topology.clusters[arn(region)]) is None
    assert world.topology.globals["g"].members == []
    assert world.fleet.done == ["reconcile", ("detach", WEST), "reconcile", ("detach", EAST)]


def test_a_global_database_shows_its_own_state_unless_it_is_being_deleted(world):
    """Trap 9: who writes, and what is under way, is what describe_global_clusters says."""
    database = world.topology.globals["g"]
    database.status, database.failover_state = "failing-over", {"Status": "failing-over"}

    def shown(status):
        members = [{"DBClusterArn": arn(region), "IsWriter": False} for region in REGIONS]
        item = {
            "GlobalClusterIdentifier": "g",
            "Status": status,
            "GlobalClusterMembers": members,
        }
        return world.call("DescribeGlobalClusters", {"GlobalClusters": [item]})["GlobalClusters"][0]

    assert shown("available")["Status"] == "failing-over"
    assert shown("available")["FailoverState"] == {"Status": "failing-over"}
    assert shown("deleting")["Status"] == "deleting"
    east, west = shown("available")["GlobalClusterMembers"]
    assert (east["IsWriter"], east["Readers"]) == (True, [arn(WEST)])
    assert (west["IsWriter"], west["Readers"]) == (False, [])


@pytest.mark.parametrize("known", [False, True])
def test_after_a_restart_the_topology_is_what_the_emulator_holds(tmp_path, known):
    """R1.3: taken up are clusters, instances and global databases that the lab doesn't know;
    dropped are those that are gone; a role change that was interrupted is over."""
    world = World(tmp_path, REGIONS if known else ())
    gone = Cluster(arn(EAST, "gone"), EAST, ACCOUNT, "gone", "gone")
    world.topology.clusters[gone.arn] = gone
    world.topology.globals["gone"] = GlobalDatabase("gone", ACCOUNT)
    for region in REGIONS:
        world.emulator[region].clusters = [
            described(region, DBClusterMembers=[{"DBInstanceIdentifier": "i"}]),
            described(region, "other", Engine="aurora-mysql"),
        ]
        world.emulator[region].instances = [
            {
                "DBInstanceIdentifier": "i",
                "DBClusterIdentifier": "c",
                "DBInstanceClass": "db.r6g.large",
            },
            {"DBInstanceIdentifier": "alone", "DBInstanceClass": "db.t3.medium"},
        ]
    world.emulator[EAST].globals = [
        {
            **GLOBAL,
            "GlobalClusterMembers": [
                {"DBClusterArn": arn(EAST), "IsWriter": True},
                {"DBClusterArn": arn(WEST), "IsWriter": False},
            ],
        }
    ]
    if known:
        # Its former writer is gone; the other one's record says who writes.
        world.topology.globals["g"].writer = gone.arn
        world.topology.globals["g"].status = "failing-over"
        world.topology.clusters[arn(EAST)].instances["deleted"] = "db.r6g.large"
    asyncio.run(adopt(world.aws, world.topology))  # type: ignore[arg-type]
    assert set(world.topology.clusters) == {arn(EAST), arn(WEST)}
    for cluster in world.topology.clusters.values():
        assert cluster.instances == {"i": "db.r6g.large"}
    (database,) = world.topology.globals.values()
    assert (database.identifier, database.writer) == ("g", arn(EAST))
    assert (database.members, database.status) == ([arn(EAST), arn(WEST)], "available")
    assert Topology.load(tmp_path / "topology.json") == world.topology
