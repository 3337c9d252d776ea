"""How a connection attempt to a database endpoint ends now: by what was deployed, by outages, and
by what the servers do."""

from __future__ import annotations

import asyncio
import logging
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


class Ways:
    """Decides about connections, and keeps the links as outages have them."""

    def __init__(
        self, lab: LabContext, fleet: Fleet, deployed: DeployedNetwork, links: Links
    ) -> None:
        self._lab, self._fleet, self._deployed, self._links = lab, fleet, deployed, links
        self._force_ssl: dict[str, bool] = {}
        self._reading = asyncio.Lock()
        links.delay = self.delay

    def forget(self) -> None:
        """What was read of parameter groups may have changed."""
        self._force_ssl.clear()

    def set_links(self) -> None:
        """Open and cut the links as outages have them now."""
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
                force_ssl = self._force_ssl.get(cluster.arn)
                if force_ssl is None:
                    force_ssl = await self._read_force_ssl(cluster)
                    self._force_ssl[cluster.arn] = force_ssl
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

    async def _read_force_ssl(self, cluster: Cluster) -> bool:
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
        for parameter in parameters:
            if parameter.get("ParameterName") == FORCE_SSL:
                return parameter.get("ParameterValue") == "1"
        # Aurora's own default: 1 from PostgreSQL 17 on ("Securing Aurora PostgreSQL data with
        # SSL/TLS", Aurora User Guide).
        major = cluster.engine_version.split(".", 1)[0]
        return major.isdigit() and int(major) >= 17
