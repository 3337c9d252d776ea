"""The lab's database: servers that follow RDS's API, and the way to them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

from lab.api import ApiRefusal
from lab.certificates import CERTIFICATE, FOLDER, CertificateAuthority
from lab.context import LabContext
from lab.database.adoption import adopt
from lab.database.binaries import unprivileged_user
from lab.database.conditions import Conditions
from lab.database.cron import LOOK_SECONDS, CronJobs
from lab.database.deployed_network import DeployedNetwork
from lab.database.fleet import Fleet
from lab.database.global_status import GlobalStatus
from lab.database.links import Links
from lab.database.measurement import Sampler
from lab.database.network import MAP_NAME, Network
from lab.database.notices import Notices
from lab.database.rds import RdsSemantics
from lab.database.snapshots import Snapshots
from lab.database.streams import Streams
from lab.database.surroundings import Surroundings
from lab.database.topology import Cluster, Topology
from lab.database.watch import SETTLED_SECONDS, Watch
from lab.database.ways import Ways
from lab.facts import DatabaseFacts
from lab.faults import Fault
from lab.outage import Mode, OutageKind
from lab.part import Health, Part

logger = logging.getLogger("lab.database")

RECONCILE_SECONDS = 0.5
SAMPLE_SECONDS = 0.5
CLOSED_PORT = 1
PG_CRON = "pg_cron"
HERE = Path(__file__).parent
T = TypeVar("T")


class DatabasePart(Part):
    """PostgreSQL for every deployed Aurora cluster; see ``docs/architecture.md``, the lab."""

    name: ClassVar[str] = "database"

    def __init__(self, lab: LabContext) -> None:
        super().__init__(lab)
        self._directory = lab.state_dir / FOLDER
        self._changing = asyncio.Lock()
        self._fleet: Fleet | None = None
        self._rds: RdsSemantics | None = None
        self._sampler: Sampler | None = None
        self._network: Network | None = None
        self._deployed = DeployedNetwork(lab)
        self._ways: Ways | None = None
        self._streams: Streams | None = None
        self._notices: Notices | None = None
        self._snapshots: Snapshots | None = None
        self._conditions: Conditions | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._work: set[asyncio.Task[None]] = set()
        self._watch: Watch | None = None
        # PostgreSQL's tools block. In threads of their own: functions that wait for a database may
        # hold all of the event loop's pool, and the database would not come back for them.
        self._threads = ThreadPoolExecutor(4, "database")

    # -- Part --------------------------------------------------------------------------------------

    def preflight(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        unprivileged_user().try_out(self._directory)

    async def start(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = CertificateAuthority(self._directory)
        topology = Topology.load(self._directory / "topology.json")
        snapshots = self._snapshots = Snapshots(
            self._directory / "snapshots", topology, self.lab.clock
        )
        conditions = self._conditions = Conditions(self.lab, topology, snapshots)
        streams = self._streams = Streams(self.lab.clock, conditions.lag, self._writer_port)
        fleet = self._fleet = Fleet(
            self._directory / "servers",
            topology,
            Surroundings(
                conditions.has_lost,
                streams.port,
                conditions.is_away,
                conditions.fence_fails,
                conditions.keep_volume,
                self._notify,
            ),
        )
        self._notices = Notices(self.lab, topology, self.blocking)
        self._loop = asyncio.get_running_loop()
        self._rds = RdsSemantics(self.lab, topology, self._fleet, self, self._notices, snapshots)
        self._sampler = Sampler(self._fleet, self.lab.clock)
        links = Links()
        self._ways = Ways(self.lab, fleet, self._deployed, links)
        self._network = Network(
            self.lab.state_dir, authority, self._ways.decide, links, self.lab.clock.utc_now
        )
        jobs = CronJobs(fleet, self.lab.clock.now)
        status = GlobalStatus(fleet, self.lab.clock.now)
        await adopt(self.lab.aws, topology)
        await self.blocking(self._fleet.sweep)
        await self.blocking(snapshots.sweep)
        self._follow_faults()
        self.lab.on_api("rds", (), self._rds.hook)
        watch = self._watch = Watch(self.lab, topology, self._deployed, self._ways)
        watch.start()
        self.lab.function_environment(self._function_environment)
        self.lab.add_source(self.facts)
        await self._network.start()
        self._ways.set_links()
        await self.change(lambda: None)
        self._tasks = [
            asyncio.create_task(self._every(RECONCILE_SECONDS, self._reconcile)),
            asyncio.create_task(self._every(SAMPLE_SECONDS, partial(self._sample, status))),
            asyncio.create_task(self._every(SETTLED_SECONDS / 2, watch.reread)),
            asyncio.create_task(self._every(LOOK_SECONDS, partial(self._run_jobs, jobs))),
        ]

    async def stop(self) -> None:
        for task in (*self._tasks, *self._work):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._work, return_exceptions=True)
        self._tasks = []
        self.lab.remove_source(self.facts)
        if self._rds is not None:
            self.lab.remove_hook(self._rds.hook)
        if self._watch is not None:
            self._watch.stop()
        if self._network is not None:
            await self._network.stop()
        async with self._changing:
            if self._fleet is not None:
                await self.blocking(self._fleet.stop)
        if self._streams is not None:
            await self._streams.stop()

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
        fleet, ways = self._fleet, self._ways
        if ways is not None:
            ways.set_links()
        if fleet is not None and self.lab.outages.mode(region, OutageKind.DATABASE) is Mode.DOWN:
            await self.change(lambda: fleet.kill_region(region))
        else:
            await self.change(lambda: None)

    async def restore(self, region: str) -> None:
        await self.outage(region, frozenset())

    async def faults(self) -> None:
        self._follow_faults()
        await self.change(lambda: None)

    def _follow_faults(self) -> None:
        if self._rds is not None and self._conditions is not None:
            self._rds.freeze(self.lab.faults.is_on(Fault.DESCRIBE_STALE))
            self._conditions.lose_instances()

    def describe(self) -> dict[str, str]:
        """``database_network``: the map that ``lab.database.network.address`` reads."""
        return {"database_network": str(self.lab.state_dir / MAP_NAME)}

    # -- for metrics -------------------------------------------------------------------------------

    def facts(self) -> list[DatabaseFacts]:
        """One entry for each cluster with instances, as of the last half second. Thread-safe."""
        return list(self._sampler.facts) if self._sampler is not None else []

    # -- Runner, for RdsSemantics ------------------------------------------------------------------

    async def change(self, step: Callable[[], None]) -> None:
        """Runs ``step`` off the event loop, with no other change of the fleet, then reconciles."""
        fleet = self._fleet
        if fleet is None or self._network is None:
            raise RuntimeError("the database part isn't started")

        def steps() -> None:
            step()
            fleet.reconcile()

        async with self._changing:
            work = asyncio.ensure_future(self.blocking(steps))
            try:
                await asyncio.shield(work)
            finally:
                # Who asked may be gone; nothing else may change the fleet before it is done.
                await asyncio.wait({work})
        await self._network.serve(frozenset(fleet.topology.host_names()))
        if self._streams is not None:
            await self._streams.serve(list(fleet.topology.clusters))

    async def blocking(self, step: Callable[[], T]) -> T:
        """Runs ``step`` off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, step)

    def later(self, work: Awaitable[None]) -> None:
        """Does it in the background; ``stop`` cancels it, after a change that it has begun."""
        task = asyncio.ensure_future(self._logged(work))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _logged(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            logger.exception("work in the background failed")

    # -- loops -------------------------------------------------------------------------------------

    async def _every(self, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await step()

    async def _reconcile(self) -> None:
        if self._fleet is not None:
            async with self._changing:
                await self.blocking(self._fleet.reconcile)

    async def _sample(self, status: GlobalStatus) -> None:
        sampler = self._sampler
        if sampler is None:
            return

        def sample() -> None:
            sampler.sample()
            status.show(sampler)

        await self.blocking(sample)

    async def _run_jobs(self, jobs: CronJobs) -> None:
        """What pg_cron runs, in clusters whose parameter group preloads it."""
        fleet, ways = self._fleet, self._ways
        if fleet is None or ways is None:
            return
        for cluster in list(fleet.topology.clusters.values()):
            if self.lab.outages.has_lost(cluster.region, OutageKind.DATABASE):
                continue  # a database that hangs commits nothing, its own jobs included
            with contextlib.suppress(ApiRefusal, KeyError):
                if cluster.instances and await ways.preloads(cluster, PG_CRON):
                    await self.blocking(partial(jobs.run, cluster))

    # -- for the fleet and its streams -------------------------------------------------------------

    def _notify(self, cluster: Cluster, event: str) -> None:
        """From the fleet, off the event loop."""
        if self._loop is not None and self._notices is not None:
            emit = partial(self._notices.emit, cluster, event)
            self._loop.call_soon_threadsafe(lambda: self.later(emit()))

    def _writer_port(self, arn: str) -> int:
        """The port of the server that a standby follows; one where nothing listens without."""
        fleet = self._fleet
        cluster = fleet.topology.clusters.get(arn) if fleet else None
        writer = fleet.topology.writer_of(cluster) if fleet and cluster else None
        return fleet.server(writer).port if fleet and writer else CLOSED_PORT

    def _function_environment(self, region: str, function: str) -> Mapping[str, str]:
        return {
            "LAB_NETWORK_MAP": str(self.lab.state_dir / MAP_NAME),
            "LAB_REGION": region,
            "NODE_OPTIONS": f'--require "{HERE / "network_hook.cjs"}"',
            "NODE_EXTRA_CA_CERTS": str(self._directory / CERTIFICATE),
            "PYTHONPATH": str(HERE / "python_hook"),
        }

    @staticmethod
    def _line(fleet: Fleet, cluster: Cluster) -> str:
        role = "reader" if fleet.topology.writer_of(cluster) else "writer"
        state = "up" if fleet.server(cluster).alive else "down"
        line = f"{cluster.region}: {role} {state}"
        if how := fleet.rejoined.get(cluster.arn):
            line += f", rejoined by {how}"
        if cluster.is_unfenced:
            line += ", not fenced"
        if times := fleet.restarts.get(cluster.arn):
            line += f", restarted {'once' if times == 1 else f'{times} times'}"
        if problem := fleet.problems.get(cluster.arn):
            line += f" ({problem})"
        return line
