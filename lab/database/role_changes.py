"""Switchover and failover of a global database: what is refused, what is done."""

from __future__ import annotations

import logging
from typing import Any

import psycopg

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.context import LabContext
from lab.database.fleet import Fleet
from lab.database.runner import Change, Runner
from lab.database.topology import AVAILABLE, Cluster, GlobalDatabase, Topology
from lab.errors import LabError
from lab.outage import OutageKind

logger = logging.getLogger("lab.database")

SWITCHING_OVER = "switching-over"
FAILING_OVER = "failing-over"


class RoleChanges:
    """Changes which cluster of a global database writes."""

    def __init__(self, lab: LabContext, topology: Topology, fleet: Fleet, runner: Runner) -> None:
        self._lab = lab
        self._topology = topology
        self._fleet = fleet
        self._runner = runner

    async def switchover(self, request: ApiRequest, _call_next: CallNext) -> ApiResponse:
        """SwitchoverGlobalCluster."""
        return await self._change_writer(request, allow_data_loss=False)

    async def failover(self, request: ApiRequest, _call_next: CallNext) -> ApiResponse:
        """FailoverGlobalCluster."""
        given = request.parameters
        if "AllowDataLoss" in given and "Switchover" in given:
            raise ApiRefusal(
                "InvalidParameterCombination",
                "AllowDataLoss and Switchover cannot both be specified.",
            )
        # Without AllowDataLoss the call is a switchover (RDS API reference,
        # FailoverGlobalCluster).
        return await self._change_writer(request, bool(given.get("AllowDataLoss")))

    async def _change_writer(self, request: ApiRequest, allow_data_loss: bool) -> ApiResponse:
        """Both calls return when the work has begun, as in AWS; ``DescribeGlobalClusters`` shows
        its end."""
        given = request.parameters
        identifier = given.get("GlobalClusterIdentifier", "")
        database = self._topology.globals.get(identifier)
        if database is None:
            raise ApiRefusal(
                "GlobalClusterNotFoundFault", f"Global cluster {identifier} not found.", 404
            )
        named = given.get("TargetDbClusterIdentifier", "")
        target = self._topology.find(request.region, named)
        if target is None or target.arn not in database.members:
            raise ApiRefusal("DBClusterNotFoundFault", f"DBCluster {named} not found.", 404)
        writer = self._topology.clusters.get(database.writer)
        if writer is None or target is writer:
            raise ApiRefusal(
                "InvalidGlobalClusterStateFault",
                f"The target cluster {target.arn} is already the primary cluster of global "
                f"cluster {identifier}.",
            )
        if database.status != AVAILABLE:
            raise ApiRefusal(
                "InvalidGlobalClusterStateFault",
                f"Global cluster {identifier} is {database.status}, and must be available.",
            )
        if self._is_down(target):
            raise ApiRefusal(
                "InvalidDBClusterStateFault",
                f"The target cluster {target.arn} is not available.",
            )
        if not allow_data_loss and (self._is_down(writer) or self._is_isolated(writer, target)):
            raise ApiRefusal(
                "InvalidGlobalClusterStateFault",
                f"Global cluster {identifier} can't be switched over: its primary cluster "
                f"{writer.arn} is not available.",
            )
        database.status = FAILING_OVER if allow_data_loss else SWITCHING_OVER
        database.failover_state = {
            "Status": FAILING_OVER if allow_data_loss else SWITCHING_OVER,
            "FromDbClusterArn": writer.arn,
            "ToDbClusterArn": target.arn,
            "IsDataLossAllowed": allow_data_loss,
        }
        described = await self._describe(request.region, identifier)
        work = self._fail_over if allow_data_loss else self._switch_over
        self._runner.later(work(database, writer, target, request.region))
        return ApiResponse({"GlobalCluster": described})

    async def _switch_over(
        self, database: GlobalDatabase, writer: Cluster, target: Cluster, region: str
    ) -> None:
        def change() -> None:
            try:
                self._fleet.switch_over(writer, target)
            except (LabError, psycopg.Error, OSError) as error:
                # The roles stay, and so does a global cluster that takes the next call.
                logger.warning("the switchover of %s failed: %s", database.identifier, error)
            else:
                database.writer = target.arn

        await self._change(database, change, region)

    async def _fail_over(
        self, database: GlobalDatabase, writer: Cluster, target: Cluster, region: str
    ) -> None:
        def change() -> None:
            # First the record, then the deed: interrupted here, the roles are already these, and
            # the old writer starts again only as a follower.
            database.writer = target.arn
            self._topology.save()
            self._fleet.fence(writer)

        await self._change(database, change, region)

    async def _change(self, database: GlobalDatabase, change: Change, region: str) -> None:
        """Available again only once the servers have their roles, or the change has failed."""
        try:
            await self._runner.change(change)
            await self._record_writer(database, region)
        finally:
            database.status = AVAILABLE
            database.failover_state = {}
            self._topology.save()

    async def _record_writer(self, database: GlobalDatabase, region: str) -> None:
        # The emulator's own rules (who may leave a global cluster) go by its record of the writer.
        described = await self._describe(region, database.identifier)
        members = described["GlobalClusterMembers"]
        if any(m["IsWriter"] and m["DBClusterArn"] != database.writer for m in members):
            await self._lab.aws.call(
                "rds",
                region,
                "FailoverGlobalCluster",
                GlobalClusterIdentifier=database.identifier,
                TargetDbClusterIdentifier=database.writer,
                AllowDataLoss=True,
            )

    async def _describe(self, region: str, identifier: str) -> dict[str, Any]:
        described = await self._lab.aws.call(
            "rds", region, "DescribeGlobalClusters", GlobalClusterIdentifier=identifier
        )
        return described["GlobalClusters"][0]

    def _is_down(self, cluster: Cluster) -> bool:
        lost = self._lab.outages.has_lost(cluster.region, OutageKind.DATABASE)
        return lost or not self._fleet.server(cluster).alive

    def _is_isolated(self, one: Cluster, other: Cluster) -> bool:
        return any(
            self._lab.outages.has_lost(cluster.region, OutageKind.REPLICATION)
            for cluster in (one, other)
        )
