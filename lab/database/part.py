"""The lab's database: servers that follow RDS's API, and the way to them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import ClassVar, TypeVar

from lab.api import ApiHook, ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.context import LabContext
from lab.database.adoption import adopt
from lab.database.binaries import unprivileged_user
from lab.database.certificates import CertificateAuthority
from lab.database.cron import LIBRARY, LOOK_SECONDS, CronJobs
from lab.database.deployed_network import DeployedNetwork
from lab.database.fleet import Fleet
from lab.database.measurement import Sampler
from lab.database.network import MAP_NAME, Network
from lab.database.proxy import Way
from lab.database.rds import RdsSemantics
from lab.database.topology import Cluster, Topology
from lab.facts import DatabaseFacts
from lab.outage import REGIONS, OutageKind
from lab.part import Health, Part

logger = logging.getLogger("lab.database")

RECONCILE_SECONDS = 0.5
SAMPLE_SECONDS = 0.5
SETTLED_SECONDS = 1.0
REREAD_SECONDS = 15.0
"""What is deployed around the database is read again so often even if no change was seen."""
HERE = Path(__file__).parent
T = TypeVar("T")
FORCE_SSL = "rds.force_ssl"
PRELOADED = "shared_preload_libraries"

NETWORK_CHANGES = {
    "ec2": frozenset(
        f"{verb}{noun}"
        for verb, nouns in {
            "Create": ("Route", "RouteTable", "Subnet", "SecurityGroup", "VpcPeeringConnection"),
            "Delete": ("Route", "RouteTable", "Subnet", "SecurityGroup", "VpcPeeringConnection"),
            "Replace": ("Route", "RouteTableAssociation"),
            "Associate": ("RouteTable",),
            "Disassociate": ("RouteTable",),
            "Accept": ("VpcPeeringConnection",),
            "Reject": ("VpcPeeringConnection",),
            "Authorize": ("SecurityGroupIngress", "SecurityGroupEgress"),
            "Revoke": ("SecurityGroupIngress", "SecurityGroupEgress"),
            "Modify": ("SecurityGroupRules",),
        }.items()
        for noun in nouns
    ),
    "lambda": frozenset({"CreateFunction", "DeleteFunction", "UpdateFunctionConfiguration"}),
    "rds": frozenset(
        {
            "CreateDBCluster",
            "ModifyDBCluster",
            "DeleteDBCluster",
            "CreateDBSubnetGroup",
            "ModifyDBSubnetGroup",
            "ModifyDBClusterParameterGroup",
            "ResetDBClusterParameterGroup",
        }
    ),
}
"""Calls after which the way to the database may be another one."""


class DatabasePart(Part):
    """PostgreSQL for every deployed Aurora cluster; see ``docs/architecture.md``, the lab."""

    name: ClassVar[str] = "database"

    def __init__(self, lab: LabContext) -> None:
        super().__init__(lab)
        self._directory = lab.state_dir / "database"
        self._changing = asyncio.Lock()
        self._fleet: Fleet | None = None
        self._rds: RdsSemantics | None = None
        self._sampler: Sampler | None = None
        self._network: Network | None = None
        self._deployed = DeployedNetwork(lab)
        self._cron: CronJobs | None = None
        self._parameters: dict[str, dict[str, str]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._work: set[asyncio.Task[None]] = set()
        self._watchers: list[tuple[str, frozenset[str], ApiHook]] = []
        self._sampling = threading.Lock()
        self._reading = asyncio.Lock()
        self._reread_at = 0.0
        # PostgreSQL's tools block. In threads of their own: functions that wait for a database may
        # hold all of the event loop's pool, and the database would not come back for them.
        self._threads = ThreadPoolExecutor(4, "database")

    # -- Part -------------------------------------------------------------------------------

    def preflight(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        unprivileged_user().try_out(self._directory)

    async def start(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = CertificateAuthority(self._directory)
        topology = Topology.load(self._directory / "topology.json")
        self._fleet = Fleet(self._directory / "servers", topology, self.lab.outages.has_lost)
        self._rds = RdsSemantics(self.lab, topology, self._fleet, self)
        self._sampler = Sampler(self._fleet)
        self._cron = CronJobs(self._fleet, self.lab.clock.now)
        self._network = Network(self.lab.state_dir, authority, self._decide)
        await adopt(self.lab.aws, topology)
        await self.blocking(self._fleet.sweep)
        self.lab.on_api("rds", (), self._rds.hook)
        # A hook is registered once only, hence one for each service.
        self._watchers = [
            (service, operations, partial(self._note_change))
            for service, operations in NETWORK_CHANGES.items()
        ]
        for service, operations, watcher in self._watchers:
            self.lab.on_api(service, operations, watcher)
        self.lab.function_environment(self._function_environment)
        self.lab.add_source(self.facts)
        await self._network.start()
        self._set_links()
        await self.change(lambda: None)
        self._tasks = [
            asyncio.create_task(self._every(RECONCILE_SECONDS, self._reconcile)),
            asyncio.create_task(self._every(SAMPLE_SECONDS, self._sample)),
            asyncio.create_task(self._every(SETTLED_SECONDS / 2, self._reread)),
            asyncio.create_task(self._every(LOOK_SECONDS, self._run_jobs)),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._work, return_exceptions=True)
        self._tasks = []
        self.lab.remove_source(self.facts)
        if self._rds is not None:
            self.lab.remove_hook(self._rds.hook)
        for _, _, watcher in self._watchers:
            self.lab.remove_hook(watcher)
        self._watchers = []
        if self._network is not None:
            await self._network.stop()
        async with self._changing:
            if self._sampler is not None:
                with self._sampling:
                    self._sampler.close()
            if self._fleet is not None:
                await self.blocking(self._fleet.stop)

    async def health(self) -> Health:
        fleet = self._fleet
        if fleet is None:
            return Health(False, "not started")
        for task in self._tasks:
            if task.done():
                return Health(False, f"a loop ended: {task}")
        parts = [self._line(fleet, cluster) for cluster in fleet.topology.clusters.values()]
        return Health(True, "; ".join(parts) or "no cluster is deployed")

    async def outage(self, region: str, kinds: frozenset[OutageKind]) -> None:
        self._set_links()
        fleet = self._fleet
        if fleet is not None and OutageKind.DATABASE in kinds:
            await self.change(lambda: fleet.kill_region(region))
        else:
            await self.change(lambda: None)

    async def restore(self, region: str) -> None:
        self._set_links()
        await self.change(lambda: None)

    def describe(self) -> dict[str, str]:
        """``database_network``: the map that ``lab.database.network.address`` reads."""
        return {"database_network": str(self.lab.state_dir / MAP_NAME)}

    # -- for metrics ------------------------------------------------------------------------

    def facts(self) -> list[DatabaseFacts]:
        """One entry for each cluster with instances, as of the last half second. Thread-safe."""
        return list(self._sampler.facts) if self._sampler is not None else []

    # -- Runner, for RdsSemantics -----------------------------------------------------------

    async def change(self, step: Callable[[], None]) -> None:
        """Run ``step`` off the event loop while nothing else changes the fleet, then reconcile."""
        fleet = self._fleet
        if fleet is None or self._network is None:
            raise RuntimeError("the database part isn't started")

        def steps() -> None:
            step()
            fleet.reconcile()

        async with self._changing:
            await self.blocking(steps)
        await self._network.serve(frozenset(fleet.topology.host_names()))

    async def blocking(self, step: Callable[[], T]) -> T:
        """Run ``step`` off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, step)

    def later(self, work: Awaitable[None]) -> None:
        """Do it in the background; ``stop`` waits for it."""
        task = asyncio.ensure_future(self._logged(work))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _logged(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            logger.exception("work in the background failed")

    # -- loops ------------------------------------------------------------------------------

    async def _every(self, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await step()

    async def _reconcile(self) -> None:
        if self._fleet is not None:
            async with self._changing:
                await self.blocking(self._fleet.reconcile)

    async def _reread(self) -> None:
        """Keep what is deployed read, so that no connection waits for it; in the middle of a
        deployment only the one that asks."""
        now = time.monotonic()
        fleet = self._fleet
        if fleet is None or not any(c.instances for c in list(fleet.topology.clusters.values())):
            return
        if self._deployed.valid() is not None and now < self._reread_at:
            return
        if self._deployed.is_settled(SETTLED_SECONDS):
            self._reread_at = now + REREAD_SECONDS
            with contextlib.suppress(ApiRefusal):
                await self._deployed.reread()

    async def _sample(self) -> None:
        sampler = self._sampler
        if sampler is None:
            return

        def sample() -> None:
            with self._sampling:
                sampler.sample()

        await self.blocking(sample)

    # -- the way to the servers -------------------------------------------------------------

    async def _decide(self, region: str, function: str | None, host: str) -> Way:
        fleet = self._fleet
        cluster = fleet.topology.resolve(host) if fleet is not None else None
        if fleet is None or cluster is None:
            return Way("unknown", f"{host} doesn't resolve")
        if region != cluster.region and any(
            self.lab.outages.has_lost(end, OutageKind.NETWORK) for end in (region, cluster.region)
        ):
            return Way("drop", f"{region} and {cluster.region} are apart", cluster.region)
        try:
            # One reader at a time, so that a burst of connections asks the emulator once.
            async with self._reading:
                snapshot = self._deployed.valid() or await self._deployed.snapshot()
                force_ssl = self._forces_ssl(cluster, await self._parameters_of(cluster))
        except (ApiRefusal, KeyError, ValueError) as error:
            logger.warning("what is deployed around the database can't be read: %s", error)
            return Way("drop", "what is deployed around the database can't be read")
        if obstacle := snapshot.obstacle(region, function, cluster):
            logger.info("%s (%s) doesn't reach %s: %s", function, region, host, obstacle)
            return Way("drop", obstacle, cluster.region)
        if self.lab.outages.has_lost(cluster.region, OutageKind.DATABASE):
            # A machine that is gone refuses nothing; its packets get no answer.
            return Way("drop", f"the database of {cluster.region} is lost", cluster.region)
        if not fleet.is_ready(cluster):
            return Way("refuse", f"the database of {cluster.region} is down", cluster.region)
        return Way("allow", "", cluster.region, fleet.server(cluster).port, force_ssl)

    async def _parameters_of(self, cluster: Cluster) -> dict[str, str]:
        """What the cluster's deployed parameter group sets, read once until something changes."""
        if cluster.arn not in self._parameters:
            self._parameters[cluster.arn] = await self._read_parameters(cluster)
        return self._parameters[cluster.arn]

    async def _read_parameters(self, cluster: Cluster) -> dict[str, str]:
        aws, region = self.lab.aws, cluster.region
        described = await aws.call(
            "rds", region, "DescribeDBClusters", DBClusterIdentifier=cluster.identifier
        )
        group = described["DBClusters"][0].get("DBClusterParameterGroup", "")
        try:
            parameters = await aws.every(
                "rds",
                region,
                "DescribeDBClusterParameters",
                "Parameters",
                DBClusterParameterGroupName=group,
            )
        except ApiRefusal:
            parameters = []  # a default group, which the emulator doesn't have
        return {
            parameter["ParameterName"]: parameter.get("ParameterValue", "")
            for parameter in parameters
        }

    @staticmethod
    def _forces_ssl(cluster: Cluster, parameters: Mapping[str, str]) -> bool:
        if FORCE_SSL in parameters:
            return parameters[FORCE_SSL] == "1"
        # Aurora's own default: 1 from PostgreSQL 17 on ("Securing Aurora PostgreSQL data with
        # SSL/TLS", Aurora User Guide).
        major = cluster.engine_version.split(".", 1)[0]
        return major.isdigit() and int(major) >= 17

    async def _run_jobs(self) -> None:
        """What pg_cron runs, in clusters whose parameter group preloads it."""
        fleet, cron = self._fleet, self._cron
        if fleet is None or cron is None:
            return
        for cluster in list(fleet.topology.clusters.values()):
            if not cluster.instances:
                continue
            with contextlib.suppress(ApiRefusal, KeyError):
                libraries = (await self._parameters_of(cluster)).get(PRELOADED, "")
                if LIBRARY in libraries.replace(" ", "").split(","):
                    await self.blocking(partial(cron.run, cluster))

    async def _note_change(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        self._deployed.changed()
        self._parameters.clear()
        return response

    def _set_links(self) -> None:
        if self._network is None:
            return
        lost = {r: self.lab.outages.has_lost(r, OutageKind.NETWORK) for r in REGIONS}
        for one, other in combinations(REGIONS, 2):
            self._network.links.set(one, other, not (lost[one] or lost[other]))

    def _function_environment(self, region: str, function: str) -> Mapping[str, str]:
        return {
            "LAB_NETWORK_MAP": str(self.lab.state_dir / MAP_NAME),
            "LAB_REGION": region,
            "NODE_OPTIONS": f'--require "{HERE / "network_hook.cjs"}"',
            "NODE_EXTRA_CA_CERTS": str(self._directory / "certificate-authority.pem"),
            "PYTHONPATH": str(HERE / "python_hook"),
        }

    @staticmethod
    def _line(fleet: Fleet, cluster: Cluster) -> str:
        role = "reader" if fleet.topology.writer_of(cluster) else "writer"
        state = "up" if fleet.server(cluster).alive else "down"
        line = f"{cluster.region}: {role} {state}"
        if how := fleet.rejoined.get(cluster.arn):
            line += f", rejoined by {how}"
        if times := fleet.restarts.get(cluster.arn):
            line += f", restarted {'once' if times == 1 else f'{times} times'}"
        if problem := fleet.problems.get(cluster.arn):
            line += f" ({problem})"
        return line
