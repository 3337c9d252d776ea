"""Role changes of a global cluster that go wrong half-way, on servers that are pretended."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from lab.api import ApiRefusal, ApiRequest, ApiResponse
from lab.clock import Clock
from lab.database import role_changes
from lab.database.rds import RdsSemantics
from lab.database.topology import AVAILABLE, Cluster, GlobalDatabase, Topology
from lab.errors import LabError
from lab.faults import Faults
from lab.outage import OutageKind

EAST, WEST = "us-east-1", "us-west-2"
ARNS = {region: f"arn:aws:rds:{region}:000000000000:cluster:{region}" for region in (EAST, WEST)}


async def not_passed_on(_request: ApiRequest) -> ApiResponse:
    """The call that follows a hook: a role change never comes to it."""
    raise AssertionError("a role change was passed on")


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

    async def blocking(self, step):
        return step()


class World:
    """A global cluster of two regions; ``switch_over`` raises what ``failure`` is."""

    def __init__(self, directory, failure=None, lost=()):
        clusters = {
            arn: Cluster(arn, region, "000000000000", region, region, "16.6", instances={"i": "db"})
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
        self.events = []
        """(region, event, of which region it speaks)"""
        self.ready = True
        fleet = SimpleNamespace(
            switch_over=self.switch_over,
            fence=self.fence,
            server=lambda _cluster: SimpleNamespace(alive=True),
            is_ready=lambda _cluster: self.ready,
        )
        self.faults = Faults(directory)
        lab = SimpleNamespace(
            account_id="000000000000",
            outages=SimpleNamespace(has_lost=lambda region, kind: (region, kind) in lost),
            aws=self.emulated,
            faults=self.faults,
            clock=Clock(1000),
        )
        self.rds = RdsSemantics(lab, self.topology, fleet, self.runner, self, self)  # type: ignore[arg-type]

    def __getattr__(self, name):
        """What it plays of notices and snapshots, and isn't asked here."""
        if name in {"create", "modify", "sources", "delete", "describe", "copy"}:
            return
        raise AttributeError(name)

    async def emit(self, cluster, event, about=None):
        """The notices' part."""
        self.events.append((cluster.region, event[-4:], (about or cluster).region))

    def fence(self, cluster):
        self.fenced.append(cluster.region)
        self.seen.append(self.database.status)

    def switch_over(self, _writer, _target):
        self.seen.append(self.database.status)
        if self.failure:
            raise self.failure

    def call(self, operation, region="", **given):
        """Makes the call, where AWS wants it if not said otherwise, and does what it puts off."""
        place = WEST if given.get("AllowDataLoss") else self.database.writer.split(":")[3]
        parameters = {
            "GlobalClusterIdentifier": "g",
            "TargetDbClusterIdentifier": ARNS[WEST],
            **given,
        }

        async def run():
            request = ApiRequest("rds", operation, region or place, parameters)
            response = await self.rds.hook(request, not_passed_on)
            shown = response.result["GlobalCluster"]
            while self.runner.work:
                await self.runner.work.pop(0)
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
    assert [event for _, event, _ in world.events] == ["0181", "0187", "0181", "0185", "0397"]


def test_a_failover_fences_the_old_writer(tmp_path):
    """Trap 7: with data loss allowed the dead primary isn't asked, and writes no more."""
    world = World(tmp_path, lost={(EAST, OutageKind.DATABASE)})
    world.call("FailoverGlobalCluster", AllowDataLoss=True)
    assert world.database.writer == world.emulated.writer == ARNS[WEST]
    assert world.fenced == [EAST]
    assert world.seen == ["failing-over"], "until the servers have their roles"
    assert (world.database.status, world.database.failover_state) == (AVAILABLE, {})
    assert world.topology.clusters[ARNS[EAST]].is_stale, "its volume is replaced"
    assert world.events == [(EAST, "0390", EAST), (WEST, "0238", WEST), (WEST, "0397", WEST)]


def test_the_events_of_a_region_that_is_gone_are_the_new_primarys(tmp_path):
    """RECOVERY 1.5: recorded on the old primary where it can be reached, else on the new one."""
    world = World(tmp_path, lost={(EAST, OutageKind.API)})
    world.ready = False
    world.call("FailoverGlobalCluster", AllowDataLoss=True)
    assert world.events[:2] == [(WEST, "0390", EAST), (WEST, "0239", WEST)]


def test_an_old_writer_that_cannot_be_fenced_goes_on(tmp_path):
    """H20: RDS-EVENT-0391, and the failover continues all the same; a dead one writes nothing."""
    world = World(tmp_path)
    world.faults.set("fence-timeout")
    world.call("FailoverGlobalCluster", AllowDataLoss=True)
    east, west = world.topology.clusters.values()
    assert (east.is_unfenced, world.fenced) == (True, [])
    assert world.events[0] == (EAST, "0391", EAST)
    assert world.topology.resolve(east.cluster_endpoint) is east, "by its own address"
    assert world.topology.resolve(world.database.endpoint) is west
    dead = World(tmp_path, lost={(EAST, OutageKind.DATABASE)})
    dead.faults.set("fence-timeout")
    dead.call("FailoverGlobalCluster", AllowDataLoss=True)
    assert dead.fenced == [EAST]


def test_a_call_that_answers_an_internal_failure_is_accepted(tmp_path):
    """H11: the controller must not take the error for a refusal."""
    world = World(tmp_path)
    world.faults.set("failover-internal-failure")
    with pytest.raises(ApiRefusal, match="InternalFailure") as failed:
        world.call("FailoverGlobalCluster", AllowDataLoss=True)
    assert failed.value.status == 500
    assert world.database.failover_state["Status"] == "pending"
    while world.runner.work:
        asyncio.run(world.runner.work.pop(0))
    assert world.database.writer == ARNS[WEST]
    assert (found := world.topology.resolve(world.database.endpoint))
    assert found.region == WEST


def test_the_global_endpoint_follows_late(tmp_path):
    """H22: promoted, and the endpoint leads to the old writer for a while, or for as long as it
    is asked for."""
    world = World(tmp_path)
    world.faults.set("endpoint-late")
    east, west = world.topology.clusters.values()

    async def run():
        request = ApiRequest(
            "rds",
            "FailoverGlobalCluster",
            WEST,
            {
                "GlobalClusterIdentifier": "g",
                "TargetDbClusterIdentifier": west.arn,
                "AllowDataLoss": True,
            },
        )
        await world.rds.hook(request, not_passed_on)
        await world.runner.work.pop(0)
        leading = asyncio.create_task(world.runner.work.pop(0))
        await asyncio.sleep(0.2)
        assert world.database.writer == west.arn
        assert world.topology.resolve(world.database.endpoint) is east
        world.faults.set("endpoint-late", "off")
        await asyncio.wait_for(leading, 5)
        assert world.topology.resolve(world.database.endpoint) is west

    asyncio.run(run())


def test_a_promotion_is_late_by_as_much_as_is_asked_for(tmp_path):
    """Issue 16.2: in lab seconds, with the state of the way meanwhile."""
    world = World(tmp_path)
    world.faults.set("promotion-delay", "200")
    began = time.monotonic()
    world.call("FailoverGlobalCluster", AllowDataLoss=True)
    assert 0.2 <= time.monotonic() - began < 2


def test_the_calls_region_is_checked(tmp_path):
    """RECOVERY 1.1: switchover in the current primary's region, failover in the target's."""
    world = World(tmp_path)
    for operation, region, given in (
        ("SwitchoverGlobalCluster", WEST, {}),
        ("FailoverGlobalCluster", EAST, {"AllowDataLoss": True}),
    ):
        with pytest.raises(ApiRefusal, match=r"InvalidGlobalClusterStateFault.* by a call in us-"):
            world.call(operation, region, **given)
    assert world.database.writer == ARNS[EAST]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda west: setattr(west, "engine_version", "16.7"), "InvalidGlobalClusterStateFault"),
        (lambda west: west.instances.clear(), "InvalidDBClusterStateFault"),
        (lambda west: setattr(west, "is_stale", True), "InvalidDBClusterStateFault"),
    ],
    ids=["another version", "no instance", "not in sync"],
)
@pytest.mark.parametrize("operation", ["SwitchoverGlobalCluster", "FailoverGlobalCluster"])
def test_a_target_that_cannot_take_over_is_refused(tmp_path, change, code, operation):
    """RECOVERY 1.3, H17, H21: unequal versions, no instance, a resynchronisation under way."""
    world = World(tmp_path)
    change(world.topology.clusters[ARNS[WEST]])
    more: dict[str, Any] = {"AllowDataLoss": True} if operation.startswith("Fail") else {}
    with pytest.raises(ApiRefusal) as refused:
        world.call(operation, **more)
    assert refused.value.code == code
    assert world.database.failover_state == {}


def test_a_dead_primary_is_waited_for_before_a_switchover_is_refused(tmp_path, monkeypatch):
    """RECOVERY 6: refused after a while, and pending until then."""
    monkeypatch.setattr(role_changes, "VERIFYING_SECONDS", 300.0)
    world = World(tmp_path, lost={(EAST, OutageKind.DATABASE)})

    async def run():
        given = {"GlobalClusterIdentifier": "g", "TargetDbClusterIdentifier": ARNS[WEST]}
        request = ApiRequest("rds", "SwitchoverGlobalCluster", EAST, given)
        asked = asyncio.create_task(world.rds.hook(request, not_passed_on))
        await asyncio.sleep(0.1)
        assert not asked.done()
        assert world.database.failover_state["Status"] == "pending"
        with pytest.raises(ApiRefusal, match="is not available"):
            await asked
        assert world.database.failover_state == {}

    asyncio.run(run())


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
    world.database.failover_state = {"Status": "switching-over"}
    with pytest.raises(ApiRefusal, match="switching-over, and must be available"):
        world.call("FailoverGlobalCluster", AllowDataLoss=True)
