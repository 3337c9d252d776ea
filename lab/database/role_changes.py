"""Switchover and failover of a global database: what is refused, what is done, what is seen of it
on the way (Aurora user guide, "Using switchover or failover in Aurora Global Database")."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import psycopg

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.context import LabContext
from lab.database.fleet import Fleet
from lab.database.notices import Notices
from lab.database.runner import Change, Runner
from lab.database.topology import AVAILABLE, Cluster, GlobalDatabase, Topology
from lab.errors import LabError
from lab.faults import Fault
from lab.outage import OutageKind

logger = logging.getLogger("lab.database")

PENDING = "pending"
SWITCHING_OVER = "switching-over"
FAILING_OVER = "failing-over"
VERIFYING_SECONDS = 20.0
"""Lab seconds after which a switchover whose primary doesn't answer is refused."""
ENDPOINT_SECONDS = 5.0
"""Lab seconds until the global writer endpoint leads to a new writer."""
LOOK_SECONDS = 0.1


class RoleChanges:
    """Changes which cluster of a global database writes."""

    def __init__(
        self,
        lab: LabContext,
        topology: Topology,
        fleet: Fleet,
        runner: Runner,
        notices: Notices,
    ) -> None:
        self._lab = lab
        self._topology = topology
        self._fleet = fleet
        self._runner = runner
        self._notices = notices

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
        response = await self._change_writer(request, bool(given.get("AllowDataLoss")))
        if self._lab.faults.is_on(Fault.FAILOVER_INTERNAL_FAILURE):
            raise ApiRefusal("InternalFailure", "An internal failure has occurred.", 500)
        return response

    async def _change_writer(self, request: ApiRequest, allow_data_loss: bool) -> ApiResponse:
        """Both calls return when the work has begun, as in AWS; ``DescribeGlobalClusters`` shows
        its end."""
        database, writer, target = self._named(request)
        self._check(request.region, database, writer, target, allow_data_loss)
        state = {
            "Status": PENDING,
            "FromDbClusterArn": writer.arn,
            "ToDbClusterArn": target.arn,
            "IsDataLossAllowed": allow_data_loss,
        }
        if not allow_data_loss and (self._is_down(writer) or self._is_isolated(writer, target)):
            await self._verify_in_vain(database, writer, state)
        database.failover_state = state
        described = await self._describe(request.region, database.identifier)
        # As it is now: what follows changes it while the answer is on its way.
        described["FailoverState"] = dict(state)
        work = self._fail_over if allow_data_loss else self._switch_over
        self._runner.later(work(database, writer, target, request.region))
        return ApiResponse({"GlobalCluster": described})

    # -- what is refused ---------------------------------------------------------------------------

    def _named(self, request: ApiRequest) -> tuple[GlobalDatabase, Cluster, Cluster]:
        """The global database, its writer and the target, which is given by its ARN."""
        given = request.parameters
        identifier = given.get("GlobalClusterIdentifier", "")
        database = self._topology.globals.get(identifier)
        if database is None:
            raise ApiRefusal(
                "GlobalClusterNotFoundFault", f"Global cluster {identifier} not found.", 404
            )
        named = given.get("TargetDbClusterIdentifier", "")
        target = self._topology.clusters.get(named)
        if target is None or target.arn not in database.members:
            raise ApiRefusal("DBClusterNotFoundFault", f"DBCluster {named} not found.", 404)
        writer = self._topology.clusters.get(database.writer)
        if writer is None or target is writer:
            raise ApiRefusal(
                "InvalidGlobalClusterStateFault",
                f"The target cluster {target.arn} is already the primary cluster of global "
                f"cluster {identifier}.",
            )
        return database, writer, target

    def _check(
        self,
        region: str,
        database: GlobalDatabase,
        writer: Cluster,
        target: Cluster,
        allow_data_loss: bool,
    ) -> None:
        name = database.identifier
        place = target if allow_data_loss else writer
        if region != place.region:
            what = "failed" if allow_data_loss else "switched"
            # AWS's words for it are documented nowhere.
            raise ApiRefusal(
                "InvalidGlobalClusterStateFault",
                f"Global cluster {name} is {what} over by a call in {place.region}, not {region}.",
            )
        if database.failover_state:
            raise ApiRefusal(
                "InvalidGlobalClusterStateFault",
                f"Global cluster {name} is {database.failover_state['Status']}, and must be "
                "available.",
            )
        if not target.instances or target.is_stale or self._is_down(target):
            raise ApiRefusal(
                "InvalidDBClusterStateFault",
                f"The target cluster {target.arn} is not available.",
            )
        if target.engine_version != writer.engine_version:
            raise ApiRefusal(
                "InvalidGlobalClusterStateFault",
                f"The engine version {target.engine_version} of {target.arn} differs from the "
                f"engine version {writer.engine_version} of {writer.arn}.",
            )

    async def _verify_in_vain(
        self, database: GlobalDatabase, writer: Cluster, state: dict[str, Any]
    ) -> None:
        """A primary that doesn't answer is waited for, and the call is refused then."""
        database.failover_state = state
        try:
            await self._lab.clock.sleep(VERIFYING_SECONDS)
        finally:
            database.failover_state = {}
        raise ApiRefusal(
            "InvalidGlobalClusterStateFault",
            f"Global cluster {database.identifier} can't be switched over: its primary cluster "
            f"{writer.arn} is not available.",
        )

    # -- what is done ------------------------------------------------------------------------------

    async def _switch_over(
        self, database: GlobalDatabase, writer: Cluster, target: Cluster, region: str
    ) -> None:
        failed: list[Exception] = []

        def change() -> None:
            try:
                self._fleet.switch_over(writer, target)
            except (LabError, psycopg.Error, OSError) as error:
                # The roles stay, and so does a global cluster that takes the next call.
                logger.warning("the switchover of %s failed: %s", database.identifier, error)
                failed.append(error)
            else:
                self._record(database, writer, target)

        await self._notices.emit(writer, "RDS-EVENT-0181", target)
        await self._change(database, change, region, SWITCHING_OVER)
        event = "RDS-EVENT-0187" if failed else "RDS-EVENT-0185"
        await self._notices.emit(writer if failed else target, event, target)

    async def _fail_over(
        self, database: GlobalDatabase, writer: Cluster, target: Cluster, region: str
    ) -> None:
        fence_fails = self._lab.faults.is_on(Fault.FENCE_TIMEOUT) and not self._is_down(writer)

        def change() -> None:
            # First the record, then the deed: interrupted here, the roles are already these, and
            # the old writer starts again only as a follower.
            writer.is_stale, writer.is_unfenced = True, fence_fails
            self._record(database, writer, target)
            if not fence_fails:
                self._fleet.fence(writer)

        await self._change(database, change, region, FAILING_OVER)
        # Where the old primary can't be reached the new one has its events.
        lost = self._lab.outages.has_lost(writer.region, OutageKind.API)
        fenced = "RDS-EVENT-0391" if fence_fails else "RDS-EVENT-0390"
        await self._notices.emit(target if lost else writer, fenced, writer)
        done = "RDS-EVENT-0238" if self._fleet.is_ready(target) else "RDS-EVENT-0239"
        await self._notices.emit(target, done)

    def _record(self, database: GlobalDatabase, writer: Cluster, target: Cluster) -> None:
        """The writer has changed; its endpoint keeps leading to the old one for a while."""
        database.endpoint_writer, database.writer = writer.arn, target.arn
        target.is_stale = target.is_unfenced = False
        self._topology.save()

    async def _change(
        self, database: GlobalDatabase, change: Change, region: str, status: str
    ) -> None:
        """Available again only once the servers have their roles, or the change has failed."""
        database.status = database.failover_state["Status"] = status
        try:
            await self._lab.clock.sleep(self._lab.faults.seconds(Fault.PROMOTION_DELAY))
            await self._runner.change(change)
            await self._record_writer(database, region)
        finally:
            database.status = AVAILABLE
            database.failover_state = {}
            self._topology.save()
        if database.endpoint_writer:
            self._runner.later(self._lead(database))

    async def _lead(self, database: GlobalDatabase) -> None:
        """Lets the global writer endpoint lead to the writer."""
        await self._lab.clock.sleep(ENDPOINT_SECONDS)
        while self._lab.faults.is_on(Fault.ENDPOINT_LATE):
            await asyncio.sleep(LOOK_SECONDS)
        database.endpoint_writer = ""
        self._topology.save()
        if (writer := self._topology.clusters.get(database.writer)) is not None:
            await self._notices.emit(writer, "RDS-EVENT-0397")

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
