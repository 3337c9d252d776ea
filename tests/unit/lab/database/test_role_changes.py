"""Role changes of a global cluster that go wrong half-way, on servers that are pretended."""

import asyncio
from types import SimpleNamespace

import psycopg
import pytest

from lab.api import ApiRefusal, ApiRequest
from lab.database.rds import RdsSemantics
from lab.database.topology import AVAILABLE, Cluster, GlobalDatabase, Topology
from lab.errors import LabError
from lab.outage import OutageKind

EAST, WEST = "us-east-1", "us-west-2"
ARNS = {region: f"arn:aws:rds:{region}:000000000000:cluster:{region}" for region in (EAST, WEST)}


class Emulated:
    """The emulator's own record of the global cluster."""

    def __init__(self):
        self.writer = ARNS[EAST]

    async def call(self, service, _region, operation, **given):
        assert (service, given["GlobalClusterIdentifier"]) == ("rds", "g")
        if operation == "FailoverGlobalCluster":
            assert given["AllowDataLoss"]
            self.writer = given["TargetDbClusterIdentifier"]
        members = [{"DBClusterArn": arn, "IsWriter": arn == self.writer} for arn in ARNS.values()]
        return {"GlobalClusters": [{"GlobalClusterMembers": members}]}


class Runner:
    """Runs every step at once; ``work`` is what was put off."""

    def __init__(self):
        self.work = []

    async def change(self, step):
        step()

    def later(self, work):
        self.work.append(work)


class World:
    """A global cluster of two regions; ``switch_over`` raises what ``failure`` is."""

    def __init__(self, directory, failure=None, lost=()):
        clusters = {
            arn: Cluster(arn, region, "000000000000", region, region, "16.6")
            for region, arn in ARNS.items()
        }
        self.database = GlobalDatabase("g", "000000000000", ARNS[EAST], list(ARNS.values()))
        self.topology = Topology(directory / "topology.json", clusters, {"g": self.database})
        self.fenced = []
        self.failure = failure
        self.runner = Runner()
        self.emulated = Emulated()
        self.seen = []
        """The statuses while servers changed."""
        fleet = SimpleNamespace(
            switch_over=self.switch_over,
            fence=self.fence,
            server=lambda _cluster: SimpleNamespace(alive=True),
        )
        lab = SimpleNamespace(
            account_id="000000000000",
            outages=SimpleNamespace(has_lost=lambda region, kind: (region, kind) in lost),
            aws=self.emulated,
        )
        self.rds = RdsSemantics(lab, self.topology, fleet, self.runner)  # type: ignore[arg-type]

    def fence(self, cluster):
        self.fenced.append(cluster.region)
        self.seen.append(self.database.status)

    def switch_over(self, _writer, _target):
        self.seen.append(self.database.status)
        if self.failure:
            raise self.failure

    def call(self, operation, **given):
        """Makes the call and does what it puts off."""
        parameters = {
            "GlobalClusterIdentifier": "g",
            "TargetDbClusterIdentifier": ARNS[WEST],
            **given,
        }

        async def run():
            request = ApiRequest("rds", operation, EAST, parameters)
            response = await self.rds.hook(request, lambda _request: None)  # type: ignore[arg-type]
            shown = response.result["GlobalCluster"]
            for work in self.runner.work:
                await work
            self.runner.work = []
            return shown

        return asyncio.run(run())


@pytest.mark.parametrize(
    "failure", [LabError("not level"), psycopg.OperationalError("died"), OSError("gone")]
)
def test_a_switchover_that_breaks_leaves_the_roles_and_can_be_called_again(tmp_path, failure):
    """N3, trap 7: a server that dies in the middle must not leave the global cluster
    "switching-over" for ever, which would refuse the failover too."""
    world = World(tmp_path, failure)
    world.call("SwitchoverGlobalCluster")
    assert (world.database.writer, world.database.status) == (ARNS[EAST], AVAILABLE)
    assert world.emulated.writer == ARNS[EAST]
    world.failure = None
    world.call("SwitchoverGlobalCluster")
    assert (world.database.writer, world.database.status) == (ARNS[WEST], AVAILABLE)
    assert world.seen == ["switching-over"] * 2
    assert world.emulated.writer == ARNS[WEST], "its rules go by its own record"
    assert world.fenced == []


def test_a_failover_fences_the_old_writer(tmp_path):
    """Trap 7: with data loss allowed the dead primary isn't asked, and writes no more."""
    world = World(tmp_path, lost={(EAST, OutageKind.DATABASE)})
    world.call("FailoverGlobalCluster", AllowDataLoss=True)
    assert world.database.writer == world.emulated.writer == ARNS[WEST]
    assert world.fenced == [EAST]
    assert world.seen == ["failing-over"], "until the servers have their roles"
    assert (world.database.status, world.database.failover_state) == (AVAILABLE, {})


@pytest.mark.parametrize(
    ("operation", "given", "lost", "code"),
    [
        ("SwitchoverGlobalCluster", {}, (EAST, "database"), "InvalidGlobalClusterStateFault"),
        ("SwitchoverGlobalCluster", {}, (EAST, "replication"), "InvalidGlobalClusterStateFault"),
        ("FailoverGlobalCluster", {}, (EAST, "database"), "InvalidGlobalClusterStateFault"),
        (
            "FailoverGlobalCluster",
            {"AllowDataLoss": True},
            (WEST, "database"),
            "InvalidDBClusterStateFault",
        ),
        (
            "FailoverGlobalCluster",
            {"AllowDataLoss": True, "Switchover": True},
            None,
            "InvalidParameterCombination",
        ),
        (
            "SwitchoverGlobalCluster",
            {"TargetDbClusterIdentifier": ARNS[EAST]},
            None,
            "InvalidGlobalClusterStateFault",
        ),
        (
            "SwitchoverGlobalCluster",
            {"TargetDbClusterIdentifier": "nobody"},
            None,
            "DBClusterNotFoundFault",
        ),
        (
            "SwitchoverGlobalCluster",
            {"GlobalClusterIdentifier": "nobody"},
            None,
            "GlobalClusterNotFoundFault",
        ),
    ],
)
def test_what_aws_refuses_is_refused_before_anything_changes(
    tmp_path, operation, given, lost, code
):
    """Trap 7: error codes as in the RDS API reference."""
    gone = {(lost[0], OutageKind(lost[1]))} if lost else frozenset()
    world = World(tmp_path, lost=gone)
    with pytest.raises(ApiRefusal) as refused:
        world.call(operation, **given)
    assert refused.value.code == code
    assert (world.database.writer, world.database.status) == (ARNS[EAST], AVAILABLE)


def test_a_second_change_of_roles_waits_for_the_first(tmp_path):
    """Trap 7: AWS refuses both calls while one of them works."""
    world = World(tmp_path)
    world.database.status = "switching-over"
    with pytest.raises(ApiRefusal, match="switching-over, and must be available"):
        world.call("FailoverGlobalCluster", AllowDataLoss=True)
