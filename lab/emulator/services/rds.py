"""RDS: Aurora clusters read back what was given; what AWS refuses is in ``rds_refusals``.

Who is the writer, what replicates and what the endpoints lead to is the database part's matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator import database_endpoints as endpoints
from lab.emulator.mending import Mending
from lab.emulator.scope import scope
from lab.emulator.services import rds_refusals
from lab.emulator.services.rds_refusals import global_of, readers_of, writer_of

SUBORDINATE_FIELDS = (
    "KmsKeyId",
    "StorageEncrypted",
    "BackupRetentionPeriod",
    "PreferredBackupWindow",
    "VpcSecurityGroups",
    "NetworkType",
)
"""What an Aurora instance has from its cluster."""


def install(mending: Mending) -> None:
    """Mends RDS."""
    mends = Rds()
    mend = mending.mend
    mend(
        "rds", "CreateDBCluster ModifyDBCluster DescribeDBClusters DeleteDBCluster", mends.clusters
    )
    mend("rds", "CreateDBInstance ModifyDBInstance DescribeDBInstances", mends.instances)
    mend("rds", "DeleteDBInstance", mends.delete_instance)
    mend(
        "rds",
        "CreateGlobalCluster DescribeGlobalClusters ModifyGlobalCluster "
        "RemoveFromGlobalCluster DeleteGlobalCluster SwitchoverGlobalCluster "
        "FailoverGlobalCluster",
        mends.global_clusters,
    )
    mend("rds", "DeleteDBSubnetGroup", mends.delete_subnet_group)
    mend("rds", "DeleteDBClusterParameterGroup", mends.delete_parameter_group)
    mend("rds", "DescribeDBEngineVersions", mends.engine_versions)
    mend("rds", "DescribeOrderableDBInstanceOptions", mends.orderable)
    mend("rds", "DescribeDBClusterAutomatedBackups", mends.automated_backups)


class Rds:
    """The hooks."""

    async def clusters(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A cluster's log exports, capacity, role in its global cluster; and the refusals."""
        from ministack.services import rds

        given = request.parameters
        with scope(request):
            if request.operation == "CreateDBCluster":
                rds_refusals.check_secondary(given, request.region)
                rds_refusals.check_password(given)
            elif request.operation == "ModifyDBCluster":
                rds_refusals.check_password(given)
            elif request.operation == "DeleteDBCluster":
                rds_refusals.check_delete_cluster(given)
        response = await call_next(request)
        if not response.ok:
            return response
        with scope(request):
            if request.operation in ("CreateDBCluster", "ModifyDBCluster"):
                _keep_cluster(rds._clusters[_name(given["DBClusterIdentifier"])], given)
            items = response.result.get("DBClusters")
            for item in [response.result["DBCluster"]] if items is None else items:
                if record := rds._clusters.get(item["DBClusterIdentifier"]):
                    _describe_cluster(item, record)
        return response

    async def instances(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """An instance has much from its cluster; no burstable class in a global database."""
        from ministack.services import rds

        given = request.parameters
        with scope(request):
            if request.operation in ("CreateDBInstance", "ModifyDBInstance"):
                rds_refusals.check_class(given)
        response = await call_next(request)
        if not response.ok:
            return response
        with scope(request):
            if request.operation != "DescribeDBInstances":
                _keep_instance(rds._instances[given["DBInstanceIdentifier"]], given)
            items = response.result.get("DBInstances")
            for item in [response.result["DBInstance"]] if items is None else items:
                _describe_instance(item, request.region)
        return response

    async def delete_instance(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """The primary's last instance stays while a secondary replicates from it."""
        with scope(request):
            rds_refusals.check_delete_instance(request.parameters)
        return await call_next(request)

    async def global_clusters(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """The global writer endpoint, tags, and what AWS answers after a delete."""
        from ministack.services import rds

        given = request.parameters
        response = await call_next(request)
        if not response.ok:
            return response
        with scope(request):
            if request.operation == "CreateGlobalCluster":
                arn = response.result["GlobalCluster"]["GlobalClusterArn"]
                record = rds._global_clusters[given["GlobalClusterIdentifier"]]
                record["EngineLifecycleSupport"] = given.get(
                    "EngineLifecycleSupport", "open-source-rds-extended-support"
                )
                if given.get("Tags"):
                    rds._tags[arn] = [dict(tag) for tag in given["Tags"]]
            items = response.result.get("GlobalClusters")
            for item in [response.result["GlobalCluster"]] if items is None else items:
                record = rds._global_clusters.get(item["GlobalClusterIdentifier"]) or {}
                account = item["GlobalClusterArn"].split(":")[4]
                item["Endpoint"] = endpoints.global_endpoint(
                    item["GlobalClusterIdentifier"], account
                )
                item["TagList"] = [dict(tag) for tag in rds._tags.get(item["GlobalClusterArn"], [])]
                item["EngineLifecycleSupport"] = record.get(
                    "EngineLifecycleSupport", "open-source-rds-extended-support"
                )
        return response

    async def delete_subnet_group(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Refused while a cluster uses it."""
        from ministack.services import rds

        name = request.parameters["DBSubnetGroupName"]
        with scope(request):
            users = [c for c in rds._clusters.values() if c.get("DBSubnetGroup") == name]
        if users:
            raise ApiRefusal(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{name}' because at least one database cluster: "
                f"{users[0]['DBClusterIdentifier']} is still using it.",
            )
        return await call_next(request)

    async def delete_parameter_group(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Refused while a cluster uses it."""
        from ministack.services import rds

        name = request.parameters["DBClusterParameterGroupName"]
        with scope(request):
            used = any(c.get("DBClusterParameterGroup") == name for c in rds._clusters.values())
        if used:
            raise ApiRefusal(
                "InvalidDBParameterGroupState",
                f"One or more database clusters are still members of this parameter group {name}, "
                "so the group cannot be deleted",
            )
        return await call_next(request)

    async def engine_versions(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Aurora PostgreSQL's versions support global databases and log exports."""
        response = await call_next(request)
        if response.ok:
            for version in response.result["DBEngineVersions"]:
                if version["Engine"] == "aurora-postgresql":
                    version["SupportsGlobalDatabases"] = True
                    version["ExportableLogTypes"] = ["postgresql"]
                    version["SupportsLogExportsToCloudwatchLogs"] = True
        return response

    async def automated_backups(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Point-in-time backups aren't made here, so none is retained."""
        return ApiResponse({"DBClusterAutomatedBackups": []})

    async def orderable(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """The class asked for can be ordered; burstable ones not for global databases."""
        response = await call_next(request)
        given = request.parameters
        if response.ok and not response.result["OrderableDBInstanceOptions"]:
            name = given.get("DBInstanceClass", "db.r6g.large")
            response.result["OrderableDBInstanceOptions"] = [
                {
                    "Engine": given["Engine"],
                    "EngineVersion": given.get("EngineVersion", "16.8"),
                    "DBInstanceClass": name,
                    "Vpc": True,
                    "SupportsGlobalDatabases": not rds_refusals.is_burstable(name),
                    "SupportsStorageEncryption": True,
                    "AvailabilityZones": [
                        {"Name": f"{request.region}{letter}"} for letter in "abc"
                    ],
                }
            ]
        return response


def _name(identifier: str) -> str:
    return identifier.rpartition(":")[2]


def _keep_cluster(record: dict[str, Any], given: Mapping[str, Any]) -> None:
    if "EnableCloudwatchLogsExports" in given:
        record["EnabledCloudwatchLogsExports"] = list(given["EnableCloudwatchLogsExports"])
    if changed := given.get("CloudwatchLogsExportConfiguration"):
        exports = set(record.get("EnabledCloudwatchLogsExports") or [])
        exports |= set(changed.get("EnableLogTypes") or [])
        exports -= set(changed.get("DisableLogTypes") or [])
        record["EnabledCloudwatchLogsExports"] = sorted(exports)
    for name in (
        "ServerlessV2ScalingConfiguration",
        "EngineLifecycleSupport",
        "PerformanceInsightsEnabled",
        "MonitoringInterval",
        "MonitoringRoleArn",
        "CopyTagsToSnapshot",
        "StorageType",
    ):
        if name in given:
            record[name] = given[name]


def _describe_cluster(item: dict[str, Any], record: dict[str, Any]) -> None:
    for name in (
        "EnabledCloudwatchLogsExports",
        "ServerlessV2ScalingConfiguration",
        "EngineLifecycleSupport",
        "CopyTagsToSnapshot",
    ):
        if record.get(name) is not None:
            item[name] = record[name]
    item["AutoMinorVersionUpgrade"] = False
    _, _, _, region, account, *_ = item["DBClusterArn"].split(":")
    name = item["DBClusterIdentifier"]
    item["Endpoint"] = endpoints.cluster_endpoint(name, account, region)
    item["ReaderEndpoint"] = endpoints.reader_endpoint(name, account, region)
    # Aurora's standard storage reads back as no type; so does serverless capacity without limits.
    if record.get("StorageType") not in (None, "aurora"):
        item["StorageType"] = record["StorageType"]
    if not (group := global_of(record)):
        return
    item["GlobalClusterIdentifier"] = group["GlobalClusterIdentifier"]
    writer = writer_of(record)
    if writer == record["DBClusterArn"]:
        item["ReadReplicaIdentifiers"] = readers_of(record)
        return
    item["ReplicationSourceIdentifier"] = writer
    # A secondary has no writer endpoint (terraform-provider-aws #14219).
    item.pop("Endpoint", None)
    for member in item.get("DBClusterMembers", []):
        member["IsClusterWriter"] = False


def _keep_instance(record: dict[str, Any], given: Mapping[str, Any]) -> None:
    for name in (
        "PerformanceInsightsKMSKeyId",
        "PerformanceInsightsRetentionPeriod",
        "PromotionTier",
        "AutoMinorVersionUpgrade",
        "DatabaseInsightsMode",
    ):
        if name in given:
            record[name] = given[name]
    if "EnablePerformanceInsights" in given:
        record["PerformanceInsightsEnabled"] = given["EnablePerformanceInsights"]
        if given["EnablePerformanceInsights"]:
            record.setdefault("PerformanceInsightsRetentionPeriod", 7)


def _describe_instance(item: dict[str, Any], region: str) -> None:
    from ministack.services import rds

    record = rds._instances.get(item["DBInstanceIdentifier"]) or {}
    cluster = rds._clusters.get(item.get("DBClusterIdentifier", "")) or {}
    for name in (
        "PerformanceInsightsKMSKeyId",
        "PerformanceInsightsRetentionPeriod",
        "PromotionTier",
        "AutoMinorVersionUpgrade",
        "DatabaseInsightsMode",
    ):
        if name in record:
            item[name] = record[name]
    if not cluster:
        return
    for name in SUBORDINATE_FIELDS:
        if cluster.get(name) is not None:
            item[name] = cluster[name]
    if not item.get("KmsKeyId"):
        item.pop("KmsKeyId", None)
    item["StorageType"] = "aurora"
    item["AllocatedStorage"] = 1
    item.pop("MaxAllocatedStorage", None)
    item["EnabledCloudwatchLogsExports"] = cluster.get("EnabledCloudwatchLogsExports") or []
    account = cluster["DBClusterArn"].split(":")[4]
    item["Endpoint"] = {
        "Address": endpoints.instance_endpoint(item["DBInstanceIdentifier"], account, region),
        "Port": cluster["Port"],
        "HostedZoneId": item["Endpoint"]["HostedZoneId"],
    }
