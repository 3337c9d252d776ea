"""RDS's part of it: what the API is told changes the topology, what it answers comes from there,
and what AWS refuses is refused in AWS's words.

One hook for the whole of RDS. The emulator keeps everything that has no bearing on servers.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import psycopg

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.context import LabContext
from lab.database import endpoints
from lab.database.fleet import Fleet
from lab.database.instance_classes import is_burstable
from lab.database.scram import verifier
from lab.database.topology import AVAILABLE, Cluster, GlobalDatabase, Topology
from lab.errors import LabError
from lab.outage import REGIONS, OutageKind

logger = logging.getLogger("lab.database")

ENGINE = "aurora-postgresql"
SWITCHING_OVER = "switching-over"
FAILING_OVER = "failing-over"
Change = Callable[[], None]
T = TypeVar("T")


class Runner(Protocol):
    """Who runs the blocking steps."""

    async def change(self, step: Change) -> None:
        """Run ``step`` off the event loop while nothing else changes the fleet, then reconcile."""
        ...

    async def blocking(self, step: Callable[[], T]) -> T:
        """Run ``step`` off the event loop."""
        ...

    def later(self, work: Awaitable[None]) -> None:
        """Do it in the background; ``stop`` waits for it."""
        ...


class RdsSemantics:
    """The hook of service ``rds``."""

    def __init__(self, lab: LabContext, topology: Topology, fleet: Fleet, runner: Runner) -> None:
        self._lab = lab
        self._topology = topology
        self._fleet = fleet
        self._runner = runner

    async def hook(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Answer one call."""
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
            "SwitchoverGlobalCluster": self._switchover,
            "FailoverGlobalCluster": self._failover,
        }.get(request.operation)
        response = await (handler(request, call_next) if handler else call_next(request))
        if response.ok:
            self._amend(request.region, response.result)
        return response

    # -- clusters ---------------------------------------------------------------------------

    async def _create_cluster(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        given = request.parameters
        database = self._topology.globals.get(given.get("GlobalClusterIdentifier", ""))
        if database and database.members:
            for parameter, name in (
                ("MasterUsername", "user name"),
                ("MasterUserPassword", "password"),
                ("DatabaseName", "database name"),
            ):
                if given.get(parameter):
                    raise ApiRefusal(
                        "InvalidParameterCombination",
                        f"Cannot specify {name} for cross region replication cluster",
                    )
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
        cluster = self._record(request.region, made)
        self._scale(cluster, request.parameters)
        if password := request.parameters.get("MasterUserPassword"):
            cluster.master_verifier = verifier(password)
        if database is not None:
            database.members.append(cluster.arn)
            database.writer = database.writer or cluster.arn
        self._topology.save()

    def _record(self, region: str, made: dict[str, Any]) -> Cluster:
        cluster = Cluster(
            arn=made["DBClusterArn"],
            region=region,
            account_id=self._lab.account_id,
            identifier=made["DBClusterIdentifier"],
            folder=self._topology.new_folder(region),
            engine_version=made.get("EngineVersion", ""),
            port=made.get("Port") or endpoints.PORT,
            master_username=made.get("MasterUsername", ""),
            database_name=made.get("DatabaseName", ""),
        )
        self._topology.clusters[cluster.arn] = cluster
        return cluster

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

            await self._runner.change(change)
        return response

    # -- instances --------------------------------------------------------------------------

    async def _create_instance(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        given = request.parameters
        cluster = self._named(request.region, given.get("DBClusterIdentifier", ""))
        instance_class = given.get("DBInstanceClass", "")
        self._refuse_burstable(cluster, instance_class)
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
        if instance_class:
            self._refuse_burstable(cluster, instance_class)
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
        database = cluster and self._topology.global_of(cluster.arn)
        if (
            cluster
            and database
            and database.writer == cluster.arn
            and len(database.members) > 1
            and len(cluster.instances) == 1
        ):
            raise ApiRefusal(
                "InvalidDBClusterStateFault",
                "Cannot delete the last instance of the master cluster. Delete the replica "
                "cluster before deleting the last master cluster instance.",
            )
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
            await self._runner.change(lambda: self._fleet.restart(cluster))
        return response

    def _refuse_burstable(self, cluster: Cluster | None, instance_class: str) -> None:
        if cluster and self._topology.global_of(cluster.arn) and is_burstable(instance_class):
            raise ApiRefusal(
                "InvalidParameterCombination",
                "The requested instance class is not supported by global databases: "
                f"{instance_class}",
            )

    # -- global clusters --------------------------------------------------------------------

    async def _create_global(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        if response.ok:
            made = response.result["GlobalCluster"]
            await self._runner.change(lambda: self._add_global(made))
        return response

    def _add_global(self, made: dict[str, Any]) -> None:
        database = GlobalDatabase(made["GlobalClusterIdentifier"], self._lab.account_id)
        for member in made.get("GlobalClusterMembers") or ():
            if member["DBClusterArn"] in self._topology.clusters:
                database.members.append(member["DBClusterArn"])
                if member.get("IsWriter"):
                    database.writer = member["DBClusterArn"]
        self._topology.globals[database.identifier] = database
        self._topology.save()

    async def _modify_global(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        old = request.parameters.get("GlobalClusterIdentifier", "")
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
        database = self._topology.globals.get(request.parameters.get("GlobalClusterIdentifier", ""))
        cluster = self._find(request.region, request.parameters.get("DbClusterIdentifier", ""))
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

    # -- role changes -----------------------------------------------------------------------

    async def _switchover(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        return await self._change_writer(request, allow_data_loss=False)

    async def _failover(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
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
        target = self._find(request.region, named)
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
        client = self._lab.client("rds", request.region)
        described = await self._runner.blocking(
            lambda: client.describe_global_clusters(GlobalClusterIdentifier=identifier)
        )
        work = self._fail_over if allow_data_loss else self._switch_over
        self._runner.later(work(database, writer, target, request.region))
        return ApiResponse({"GlobalCluster": described["GlobalClusters"][0]})

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
            self._settle(database)

        await self._runner.change(change)
        await self._tell_emulator(database, region)

    async def _fail_over(
        self, database: GlobalDatabase, writer: Cluster, target: Cluster, region: str
    ) -> None:
        def change() -> None:
            # First the record, then the deed: interrupted here, the roles are already these, and
            # the old writer starts again only as a follower.
            database.writer = target.arn
            self._settle(database)
            self._fleet.fence(writer)

        await self._runner.change(change)
        await self._tell_emulator(database, region)

    def _settle(self, database: GlobalDatabase) -> None:
        database.status = AVAILABLE
        database.failover_state = {}
        self._topology.save()

    async def _tell_emulator(self, database: GlobalDatabase, region: str) -> None:
        # Its own rules (who may leave a global cluster) go by its own record of the writer.
        client = self._lab.client("rds", region)

        def tell() -> None:
            found = client.describe_global_clusters(GlobalClusterIdentifier=database.identifier)
            members = found["GlobalClusters"][0]["GlobalClusterMembers"]
            if any(m["IsWriter"] and m["DBClusterArn"] != database.writer for m in members):
                client.failover_global_cluster(
                    GlobalClusterIdentifier=database.identifier,
                    TargetDbClusterIdentifier=database.writer,
                    AllowDataLoss=True,
                )

        await self._runner.blocking(tell)

    def _is_down(self, cluster: Cluster) -> bool:
        lost = self._lab.outages.has_lost(cluster.region, OutageKind.DATABASE)
        return lost or not self._fleet.server(cluster).alive

    def _is_isolated(self, one: Cluster, other: Cluster) -> bool:
        return any(
            self._lab.outages.has_lost(cluster.region, OutageKind.NETWORK)
            for cluster in (one, other)
        )

    # -- what is answered -------------------------------------------------------------------

    def _amend(self, region: str, result: dict[str, Any]) -> None:
        for key, amend in (
            ("DBCluster", self._amend_cluster),
            ("DBInstance", self._amend_instance),
            ("GlobalCluster", self._amend_global),
        ):
            if isinstance(result.get(key), dict):
                amend(region, result[key])
            for item in result.get(f"{key}s") or ():
                amend(region, item)

    def _amend_cluster(self, region: str, item: dict[str, Any]) -> None:
        cluster = self._topology.clusters.get(item.get("DBClusterArn", ""))
        if cluster is None:
            return
        item["Endpoint"] = cluster.cluster_endpoint
        item["Port"] = cluster.port
        if (writer := self._topology.writer_of(cluster)) is not None:
            # Inactive, and left out of AWS's answer (terraform-provider-aws issue 14219).
            del item["Endpoint"]
            item["ReplicationSourceIdentifier"] = writer.arn
        if item.get("Status") == AVAILABLE and not self._serves(cluster):
            item["Status"] = "creating"

    def _amend_instance(self, region: str, item: dict[str, Any]) -> None:
        name = item.get("DBInstanceIdentifier", "")
        cluster = self._topology.cluster_of_instance(region, name)
        if cluster is None:
            return
        item["Endpoint"]["Port"] = cluster.port
        if item.get("DBInstanceStatus") == AVAILABLE and not self._serves(cluster):
            item["DBInstanceStatus"] = "creating"

    def _serves(self, cluster: Cluster) -> bool:
        # A server that was there and is away (an outage) doesn't make RDS's status "creating".
        return cluster.provisioned

    def _amend_global(self, region: str, item: dict[str, Any]) -> None:
        database = self._topology.globals.get(item.get("GlobalClusterIdentifier", ""))
        if database is None:
            return
        if item.get("Status") != "deleting":
            item["Status"] = database.status
        item.pop("FailoverState", None)
        if database.failover_state:
            item["FailoverState"] = dict(database.failover_state)
        readers = [arn for arn in database.members if arn != database.writer]
        for member in item.get("GlobalClusterMembers") or ():
            arn = member["DBClusterArn"]
            member["IsWriter"] = arn == database.writer
            member["Readers"] = readers if member["IsWriter"] else []

    # -- finding ----------------------------------------------------------------------------

    def _cluster_of(self, response: ApiResponse, key: str) -> Cluster | None:
        if not response.ok:
            return None
        return self._topology.clusters.get(response.result.get(key, {}).get("DBClusterArn", ""))

    def _named(self, region: str, identifier: str) -> Cluster | None:
        return next(
            (
                cluster
                for cluster in list(self._topology.clusters.values())
                if cluster.region == region and cluster.identifier == identifier
            ),
            None,
        )

    def _find(self, region: str, identifier: str) -> Cluster | None:
        """By ARN, wherever it is; by name in the region that was asked."""
        return self._topology.clusters.get(identifier) or self._named(region, identifier)

    # -- after a restart --------------------------------------------------------------------

    def adopt(self) -> None:
        """Bring the topology level with what the emulator knows, after the lab was away: clusters
        that were deleted are dropped, unknown ones are taken up (their master user gets a password
        with the next ModifyDBCluster). Blocks."""
        seen: set[str] = set()
        for region in REGIONS:
            client = self._lab.client("rds", region)
            for page in client.get_paginator("describe_db_clusters").paginate():
                for made in page["DBClusters"]:
                    if made.get("Engine") == ENGINE:
                        seen.add(made["DBClusterArn"])
                        self._adopt_cluster(region, made)
            for page in client.get_paginator("describe_db_instances").paginate():
                self._adopt_instances(region, page["DBInstances"])
        self._topology.clusters = {a: c for a, c in self._topology.clusters.items() if a in seen}
        self._adopt_globals()
        self._topology.save()

    def _adopt_cluster(self, region: str, made: dict[str, Any]) -> None:
        if made["DBClusterArn"] not in self._topology.clusters:
            self._record(region, made)
        cluster = self._topology.clusters[made["DBClusterArn"]]
        members = {member["DBInstanceIdentifier"] for member in made.get("DBClusterMembers", ())}
        cluster.instances = {n: c for n, c in cluster.instances.items() if n in members}

    def _adopt_instances(self, region: str, instances: list[dict[str, Any]]) -> None:
        for instance in instances:
            cluster = self._named(region, instance.get("DBClusterIdentifier", ""))
            if cluster is not None:
                cluster.instances.setdefault(
                    instance["DBInstanceIdentifier"], instance["DBInstanceClass"]
                )

    def _adopt_globals(self) -> None:
        described = self._lab.client("rds", REGIONS[0]).describe_global_clusters()
        known = {item["GlobalClusterIdentifier"]: item for item in described["GlobalClusters"]}
        globals_ = self._topology.globals
        for identifier in [name for name in globals_ if name not in known]:
            del globals_[identifier]
        for identifier, item in known.items():
            if identifier not in globals_:
                self._add_global(item)
            database = globals_[identifier]
            members = {member["DBClusterArn"]: member for member in item["GlobalClusterMembers"]}
            database.members = [arn for arn in members if arn in self._topology.clusters]
            if database.writer not in database.members:
                database.writer = next(
                    (arn for arn in database.members if members[arn].get("IsWriter")), ""
                )
            database.status, database.failover_state = AVAILABLE, {}
