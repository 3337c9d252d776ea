"""The hook on RDS's API: calls change the topology and the servers, and answers are read from
them.

The emulator keeps everything that has no bearing on servers; what
AWS refuses of clusters and instances its mend refuses (``lab.emulator.services.rds_refusals``).
"""

from __future__ import annotations

import copy
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.context import LabContext
from lab.database.conditions import AWAY_SECONDS, REBOOT_SECONDS
from lab.database.fleet import Fleet
from lab.database.notices import Notices
from lab.database.rds_answers import amend
from lab.database.restoring import Restoring
from lab.database.role_changes import RoleChanges
from lab.database.runner import Runner
from lab.database.scram import verifier
from lab.database.snapshots import Snapshots
from lab.database.topology import ENGINE, Cluster, GlobalDatabase, Topology


def _major(version: str) -> str:
    return version.partition(".")[0]


class RdsSemantics:
    """The hook of service ``rds``."""

    def __init__(
        self,
        lab: LabContext,
        topology: Topology,
        fleet: Fleet,
        runner: Runner,
        notices: Notices,
        snapshots: Snapshots,
    ) -> None:
        self._lab = lab
        self._topology = topology
        self._fleet = fleet
        self._runner = runner
        self._notices, self._snapshots = notices, snapshots
        self._roles = RoleChanges(lab, topology, fleet, runner, notices)
        self._restoring = Restoring(lab, topology, fleet, runner, snapshots)
        self._shown: Topology | None = None

    async def hook(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Answers one call."""
        handler = {
            "CreateDBCluster": self._create_cluster,
            "ModifyDBCluster": self._modify_cluster,
            "DeleteDBCluster": self._delete_cluster,
            "CreateDBInstance": self._create_instance,
            "ModifyDBInstance": self._modify_instance,
            "DeleteDBInstance": self._delete_instance,
            "RebootDBInstance": self._reboot_instance,
            "CreateGlobalCluster": self._create_global,
            "ModifyGlobalCluster": self._modify_global,
            "DeleteGlobalCluster": self._delete_global,
            "RemoveFromGlobalCluster": self._remove_from_global,
            "FailoverDBCluster": self._failover_cluster,
            "SwitchoverGlobalCluster": self._roles.switchover,
            "FailoverGlobalCluster": self._roles.failover,
            "RestoreDBClusterFromSnapshot": self._restoring.restore,
            "RestoreDBClusterToPointInTime": self._restoring.to_point_in_time,
            "DescribeDBClusterSnapshots": self._snapshots.describe,
            "CopyDBClusterSnapshot": self._snapshots.copy,
            "DeleteDBClusterSnapshot": self._snapshots.delete,
            "CreateEventSubscription": self._notices.create,
            "ModifyEventSubscription": self._notices.modify,
            "AddSourceIdentifierToSubscription": self._notices.sources,
            "RemoveSourceIdentifierFromSubscription": self._notices.sources,
            "DeleteEventSubscription": self._notices.delete,
            "DescribeEventSubscriptions": self._notices.describe,
            "DescribeEvents": self._notices.events,
        }.get(request.operation)
        response = await (handler(request, call_next) if handler else call_next(request))
        if response.ok:
            shown = self._shown if request.operation.startswith("Describe") else None
            amend(shown or self._topology, request.region, response.result, self._lab.clock.now())
        return response

    def freeze(self, frozen: bool) -> None:
        """Lets Describe calls answer what is true now, until it ends."""
        if not frozen:
            self._shown = None
        elif self._shown is None:
            self._shown = copy.deepcopy(self._topology)

    # -- clusters ----------------------------------------------------------------------------------

    async def _create_cluster(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        identifier = request.parameters.get("GlobalClusterIdentifier", "")
        database = self._topology.globals.get(identifier)
        response = await call_next(request)
        if not response.ok:
            return response
        made = response.result["DBCluster"]
        if made.get("Engine") != ENGINE:
            return response
        await self._runner.change(lambda: self._add_cluster(request, made, database))
        return response

    def _add_cluster(
        self, request: ApiRequest, made: dict[str, Any], database: GlobalDatabase | None
    ) -> None:
        cluster = self._topology.add_cluster(request.region, made)
        self._scale(cluster, request.parameters)
        cluster.retention_days = request.parameters.get("BackupRetentionPeriod", 1)
        if password := request.parameters.get("MasterUserPassword"):
            cluster.master_verifier = verifier(password)
        if database is not None:
            database.members.append(cluster.arn)
            database.writer = database.writer or cluster.arn
        self._topology.save()

    @staticmethod
    def _scale(cluster: Cluster, given: dict[str, Any]) -> None:
        if scaling := given.get("ServerlessV2ScalingConfiguration"):
            cluster.min_capacity = scaling.get("MinCapacity", cluster.min_capacity)
            cluster.max_capacity = scaling.get("MaxCapacity", cluster.max_capacity)

    async def _modify_cluster(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        cluster = self._cluster_of(response, "DBCluster")
        if cluster is None:
            return response
        password = request.parameters.get("MasterUserPassword")

        def change() -> None:
            self._scale(cluster, request.parameters)
            if password:
                cluster.master_verifier = verifier(password)
            cluster.port = request.parameters.get("Port", cluster.port)
            cluster.retention_days = request.parameters.get(
                "BackupRetentionPeriod", cluster.retention_days
            )
            cluster.engine_version = request.parameters.get("EngineVersion", cluster.engine_version)
            self._topology.save()
            if password and self._topology.writer_of(cluster) is None:
                self._fleet.set_master_password(cluster)

        await self._runner.change(change)
        return response

    async def _delete_cluster(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        if (cluster := self._cluster_of(response, "DBCluster")) is not None:

            def change() -> None:
                del self._topology.clusters[cluster.arn]
                self._topology.save()
                self._fleet.remove(cluster)
                self._snapshots.forget(cluster)

            await self._runner.change(change)
        return response

    async def _failover_cluster(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """FailoverDBCluster, inside a region: needs a second instance (refused by the emulator)."""
        name = request.parameters.get("DBClusterIdentifier", "")
        cluster = self._topology.find(request.region, name)
        if cluster is not None and self._topology.writer_of(cluster) is not None:
            raise ApiRefusal(
                "InvalidDBClusterStateFault",
                f"DbCluster {name} is a secondary cluster of a global database: it has no writer.",
            )
        response = await call_next(request)
        if response.ok and cluster is not None:
            await self._notices.emit(cluster, "RDS-EVENT-0073")

            def change() -> None:
                cluster.away_until = self._lab.clock.now() + AWAY_SECONDS
                self._topology.save()

            await self._runner.change(change)
            self._runner.later(self._come_back(cluster))
        return response

    async def _come_back(self, cluster: Cluster) -> None:
        await self._lab.clock.sleep_until(cluster.away_until)
        await self._runner.change(lambda: None)
        await self._notices.emit(cluster, "RDS-EVENT-0071")

    # -- instances ---------------------------------------------------------------------------------

    async def _create_instance(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        given = request.parameters
        cluster = self._topology.named(request.region, given.get("DBClusterIdentifier", ""))
        instance_class = given.get("DBInstanceClass", "")
        response = await call_next(request)
        if response.ok and cluster is not None:
            name = response.result["DBInstance"]["DBInstanceIdentifier"]

            def change() -> None:
                self._resize(cluster, name, instance_class)

            await self._runner.change(change)
        return response

    async def _modify_instance(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        given = request.parameters
        name = given.get("DBInstanceIdentifier", "")
        cluster = self._topology.cluster_of_instance(request.region, name)
        instance_class = given.get("DBInstanceClass")
        response = await call_next(request)
        if response.ok and cluster is not None and instance_class:
            await self._runner.change(lambda: self._resize(cluster, name, instance_class))
        return response

    def _resize(self, cluster: Cluster, instance: str, instance_class: str) -> None:
        before = self._fleet.server(cluster).settings.max_connections
        cluster.instances[instance] = instance_class
        self._topology.save()
        # A change of class restarts the instance, in AWS as here.
        if cluster.max_connections != before and self._fleet.server(cluster).alive:
            self._fleet.restart(cluster)

    async def _delete_instance(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        name = request.parameters.get("DBInstanceIdentifier", "")
        cluster = self._topology.cluster_of_instance(request.region, name)
        response = await call_next(request)
        if response.ok and cluster is not None:

            def change() -> None:
                cluster.instances.pop(name, None)
                self._topology.save()

            await self._runner.change(change)
        return response

    async def _reboot_instance(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        name = request.parameters.get("DBInstanceIdentifier", "")
        cluster = self._topology.cluster_of_instance(request.region, name)
        if response.ok and cluster is not None:

            def change() -> None:
                cluster.rebooting[name] = self._lab.clock.now() + REBOOT_SECONDS
                self._topology.save()
                self._fleet.restart(cluster)

            await self._runner.change(change)
        return response

    # -- global clusters ---------------------------------------------------------------------------

    async def _create_global(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        if response.ok:
            made = response.result["GlobalCluster"]

            def change() -> None:
                self._topology.add_global(made)
                self._topology.save()

            await self._runner.change(change)
        return response

    async def _modify_global(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        old = request.parameters.get("GlobalClusterIdentifier", "")
        version = request.parameters.get("EngineVersion", "")
        members = self._topology.members_of(old)
        if version and any(_major(one.engine_version) != _major(version) for one in members):
            # One PostgreSQL is installed: a volume of another major couldn't be opened.
            raise ApiRefusal(
                "InvalidParameterValue", f"The lab upgrades minor versions only, not to {version}."
            )
        response = await call_next(request)
        if response.ok and version and members:

            def upgrade() -> None:
                for one in members:
                    one.engine_version = version
                self._topology.save()

            await self._runner.change(upgrade)
        new = request.parameters.get("NewGlobalClusterIdentifier")
        if response.ok and new and new != old and old in self._topology.globals:

            def change() -> None:
                database = self._topology.globals.pop(old)
                database.identifier = new
                self._topology.globals[new] = database
                self._topology.save()

            await self._runner.change(change)
        return response

    async def _delete_global(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        if response.ok:

            def change() -> None:
                self._topology.globals.pop(request.parameters["GlobalClusterIdentifier"], None)
                self._topology.save()

            await self._runner.change(change)
        return response

    async def _remove_from_global(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        given = request.parameters
        database = self._topology.globals.get(given.get("GlobalClusterIdentifier", ""))
        cluster = self._topology.find(request.region, given.get("DbClusterIdentifier", ""))
        if response.ok and database and cluster and cluster.arn in database.members:
            writer = self._topology.writer_of(cluster)

            def change() -> None:
                database.members.remove(cluster.arn)
                if database.writer == cluster.arn:
                    database.writer = ""
                self._topology.save()
                self._fleet.reconcile()  # promotes it: it is its own writer now
                self._fleet.detach(cluster, writer)

            await self._runner.change(change)
        return response

    # -- finding -----------------------------------------------------------------------------------

    def _cluster_of(self, response: ApiResponse, key: str) -> Cluster | None:
        if not response.ok:
            return None
        return self._topology.clusters.get(response.result.get(key, {}).get("DBClusterArn", ""))
