"""How a connection attempt to a database endpoint ends now: by what was deployed, by outages, and
by what the servers do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from itertools import combinations

from lab.api import ApiRefusal
from lab.context import LabContext
from lab.database.deployed_network import DeployedNetwork
from lab.database.fleet import Fleet
from lab.database.links import Links
from lab.database.proxy import Way
from lab.database.topology import Cluster
from lab.outage import REGIONS, SLOW_SECONDS, Mode, OutageKind

logger = logging.getLogger("lab.database")

FORCE_SSL = "rds.force_ssl"
PRELOADED = "shared_preload_libraries"


class Ways:
    """Decides about connections, and keeps the links as outages have them."""

    def __init__(
        self, lab: LabContext, fleet: Fleet, deployed: DeployedNetwork, links: Links
    ) -> None:
        self._lab, self._fleet, self._deployed, self._links = lab, fleet, deployed, links
        self._parameters: dict[str, dict[str, str]] = {}
        self._reading = asyncio.Lock()
        links.delay = self.delay

    def forget(self) -> None:
        """What was read of parameter groups may have changed."""
        self._parameters.clear()

    def set_links(self) -> None:
        """Opens and cuts the links as outages have them now."""
        outages = self._lab.outages
        for one, other in combinations(REGIONS, 2):
            mode = outages.between(one, other, OutageKind.PEERING)
            self._links.set(one, other, mode not in (Mode.DOWN, Mode.HANG))
        for region in REGIONS:
            hangs = outages.mode(region, OutageKind.DATABASE) is Mode.HANG
            self._links.set(region, region, not hangs)

    def delay(self, source: str, region: str) -> float:
        """Real seconds that bytes take one way between a client in ``source`` and the database of
        ``region``."""
        outages, late = self._lab.outages, 0.0
        if source != region:
            late += self._lab.one_way_seconds
            if outages.between(source, region, OutageKind.PEERING) is Mode.SLOW:
                late += SLOW_SECONDS / 2
        if outages.mode(region, OutageKind.DATABASE) is Mode.SLOW:
            late += SLOW_SECONDS / 2
        return self._lab.clock.real_seconds(late)

    async def decide(self, region: str, function: str | None, host: str) -> Way:
        """The way of a connection of ``function`` (or of any client) in ``region`` to ``host``."""
        cluster = self._fleet.topology.resolve(host)
        if cluster is None:
            return Way("unknown", f"{host} doesn't resolve")
        outages, there = self._lab.outages, cluster.region
        peering = outages.between(region, there, OutageKind.PEERING) if region != there else None
        if peering is Mode.DOWN:
            return Way("drop", f"{region} and {there} are apart", there)
        try:
            # One reader at a time, so that a burst of connections asks the emulator once.
            async with self._reading:
                snapshot = self._deployed.valid() or await self._deployed.snapshot()
                force_ssl = _forces_ssl(cluster, await self._parameters_of(cluster))
        except (ApiRefusal, KeyError, ValueError) as error:
            logger.warning("what is deployed around the database can't be read: %s", error)
            return Way("drop", "what is deployed around the database can't be read")
        if obstacle := snapshot.obstacle(region, function, cluster):
            logger.info("%s (%s) doesn't reach %s: %s", function, region, host, obstacle)
            return Way("drop", obstacle, there)
        database = outages.mode(there, OutageKind.DATABASE)
        if database is Mode.DOWN:
            # A machine that is gone refuses nothing; its packets get no answer.
            return Way("drop", f"the database of {there} is lost", there)
        if Mode.HANG in (peering, database):
            what = "peering" if peering is Mode.HANG else f"database of {there}"
            return Way("hang", f"the {what} hangs", there)
        if not self._fleet.is_ready(cluster):
            return Way("refuse", f"the database of {there} is down", there)
        return Way("allow", "", there, self._fleet.server(cluster).port, force_ssl)

    async def preloads(self, cluster: Cluster, library: str) -> bool:
        """Whether the cluster's parameter group loads a library at the server's start."""
        libraries = (await self._parameters_of(cluster)).get(PRELOADED, "")
        return library in libraries.replace(" ", "").split(",")

    async def _parameters_of(self, cluster: Cluster) -> dict[str, str]:
        """What the cluster's deployed parameter group sets, read once until something changes."""
        if cluster.arn not in self._parameters:
            self._parameters[cluster.arn] = await self._read_parameters(cluster)
        return self._parameters[cluster.arn]

    async def _read_parameters(self, cluster: Cluster) -> dict[str, str]:
        aws, region = self._lab.aws, cluster.region
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
        return {item["ParameterName"]: item.get("ParameterValue", "") for item in parameters}


def _forces_ssl(cluster: Cluster, parameters: Mapping[str, str]) -> bool:
    if FORCE_SSL in parameters:
        return parameters[FORCE_SSL] == "1"
    # Aurora's own default: 1 from PostgreSQL 17 on ("Securing Aurora PostgreSQL data with
    # SSL/TLS", Aurora User Guide).
    major = cluster.engine_version.split(".", 1)[0]
    return major.isdigit() and int(major) >= 17
