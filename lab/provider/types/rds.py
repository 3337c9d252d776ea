"""RDS: Aurora clusters, their instances, the global cluster."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider.aws import Aws, is_not_found
from lab.provider.declaration import Failures, Properties, Tagging, op
from lab.provider.resource import ResourceType


def tagging(arn: str) -> Tagging:
    """Returns RDS's tagging by the ARN's template."""
    return Tagging(
        tag=op("AddTagsToResource", ResourceName=arn),
        untag=op("RemoveTagsFromResource", ResourceName=arn),
        path="TagList",
    )


class RdsType(ResourceType):
    """What RDS's resources share."""

    service = "rds"
    encrypting_keys: ClassVar = ("kmsKeyId", "performanceInsightsKmsKeyId")

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        seen = super().drift(aws, raw, key, written)
        # AWS answers a key's ARN for an id as well.
        if key in self.encrypting_keys and str(seen).endswith(f"/{written}"):
            return written
        return seen


class GlobalCluster(RdsType):
    """An Aurora global database."""

    pulumi_type = "aws:rds/globalCluster:GlobalCluster"
    inputs = (
        "globalClusterIdentifier engine engineVersion databaseName storageEncrypted "
        "deletionProtection sourceDbClusterIdentifier engineLifecycleSupport"
    )
    settings = "forceDestroy"
    creation = op("CreateGlobalCluster")
    updates = (
        op(
            "ModifyGlobalCluster",
            only="engineVersion deletionProtection",
            GlobalClusterIdentifier="{id}",
        ),
    )
    resets: ClassVar = {"deletionProtection": False}
    id = "{globalClusterIdentifier}"
    identity = ("globalClusterIdentifier",)
    autoname = "globalClusterIdentifier"
    reading = op("DescribeGlobalClusters", "GlobalClusters[0]", GlobalClusterIdentifier="{id}")
    deletion = op("DeleteGlobalCluster", GlobalClusterIdentifier="{id}")
    tagging = tagging("arn:aws:rds::{account}:global-cluster:{id}")
    ready = ("Status", frozenset({"available"}), frozenset({"failed"}))
    waits_gone = True
    outputs: ClassVar = {
        "arn": "GlobalClusterArn",
        "endpoint": "Endpoint",
        "engine": "Engine",
        "engineVersionActual": "EngineVersion",
        "globalClusterResourceId": "GlobalClusterResourceId",
        "globalClusterMembers": lambda raw: [
            {"dbClusterArn": item["DBClusterArn"], "isWriter": bool(item.get("IsWriter"))}
            for item in raw.get("GlobalClusterMembers") or []
        ],
    }

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        if props.get("forceDestroy"):
            raw = self.describe(aws, ident, props) or {}
            members = raw.get("GlobalClusterMembers") or []
            for member in sorted(members, key=lambda item: bool(item.get("IsWriter"))):
                leave_global_cluster(aws, ident, member["DBClusterArn"])
        super().delete(aws, ident, props)


def leave_global_cluster(aws: Aws, global_cluster: str, cluster: str) -> None:
    """Detaches a member; that it's no member any more is success."""
    try:
        aws.call(
            "rds",
            "RemoveFromGlobalCluster",
            {"GlobalClusterIdentifier": global_cluster, "DbClusterIdentifier": cluster},
        )
    except Exception as error:
        absent = "is not found in global cluster" in str(error)
        if not absent and not is_not_found(error):
            raise


class Cluster(RdsType):
    """An Aurora cluster, alone or a member of a global database."""

    pulumi_type = "aws:rds/cluster:Cluster"
    inputs = (
        "clusterIdentifier engine engineMode engineVersion databaseName masterUsername "
        "masterPassword availabilityZones backupRetentionPeriod preferredBackupWindow "
        "preferredMaintenanceWindow port vpcSecurityGroupIds dbSubnetGroupName "
        "dbClusterParameterGroupName storageEncrypted kmsKeyId globalClusterIdentifier "
        "replicationSourceIdentifier enabledCloudwatchLogsExports deletionProtection "
        "copyTagsToSnapshot iamDatabaseAuthenticationEnabled serverlessv2ScalingConfiguration "
        "enableGlobalWriteForwarding enableHttpEndpoint backtrackWindow networkType storageType "
        "manageMasterUserPassword masterUserSecretKmsKeyId databaseInsightsMode "
        "performanceInsightsEnabled performanceInsightsKmsKeyId performanceInsightsRetentionPeriod "
        "monitoringInterval monitoringRoleArn engineLifecycleSupport allowMajorVersionUpgrade "
        "caCertificateIdentifier dbInstanceParameterGroupName enableLocalWriteForwarding"
    )
    # sourceRegion only signs requests of AWS's own; the lab checks no signatures.
    settings = "skipFinalSnapshot finalSnapshotIdentifier applyImmediately sourceRegion"
    names: ClassVar = {
        "clusterIdentifier": "DBClusterIdentifier",
        "masterPassword": "MasterUserPassword",
        "dbSubnetGroupName": "DBSubnetGroupName",
        "dbClusterParameterGroupName": "DBClusterParameterGroupName",
        "dbInstanceParameterGroupName": "DBInstanceParameterGroupName",
        "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
        "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
        "performanceInsightsEnabled": "EnablePerformanceInsights",
        "performanceInsightsKmsKeyId": "PerformanceInsightsKMSKeyId",
        "caCertificateIdentifier": "CACertificateIdentifier",
        "serverlessv2ScalingConfiguration": "ServerlessV2ScalingConfiguration",
    }
    creation = op("CreateDBCluster", without="allowMajorVersionUpgrade")
    updates = (
        op(
            "ModifyDBCluster",
            without="clusterIdentifier port engineMode dbInstanceParameterGroupName",
            DBClusterIdentifier="{id}",
            ApplyImmediately="{applyImmediately}",
        ),
    )
    in_place = (
        "globalClusterIdentifier replicationSourceIdentifier enabledCloudwatchLogsExports port "
        "dbInstanceParameterGroupName"
    )
    replace = "availabilityZones"
    resets: ClassVar = {
        "deletionProtection": False,
        "iamDatabaseAuthenticationEnabled": False,
        "copyTagsToSnapshot": False,
        "backupRetentionPeriod": 1,
        "enableGlobalWriteForwarding": False,
        "performanceInsightsEnabled": False,
        "monitoringInterval": 0,
    }
    id = "{clusterIdentifier}"
    identity = ("clusterIdentifier",)
    autoname = "clusterIdentifier"
    reading = op(
        "DescribeDBClusters",
        "DBClusters[0]",
        names={
            "enabledCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
            "iamDatabaseAuthenticationEnabled": "IAMDatabaseAuthenticationEnabled",
            "performanceInsightsEnabled": "PerformanceInsightsEnabled",
            "dbSubnetGroupName": "DBSubnetGroup",
            "dbClusterParameterGroupName": "DBClusterParameterGroup",
            "masterPassword": "",
            "enableGlobalWriteForwarding": "GlobalWriteForwardingRequested",
            "enableHttpEndpoint": "HttpEndpointEnabled",
        },
        DBClusterIdentifier="{id}",
    )
    tagging = tagging("arn:aws:rds:{region}:{account}:cluster:{id}")
    ready = ("Status", frozenset({"available"}), frozenset({"failed", "incompatible-parameters"}))
    waits_gone = True
    dependency_seconds = 900.0
    create_retry = ("InvalidGlobalClusterStateFault", "InvalidDBClusterStateFault")
    outputs: ClassVar = {
        "arn": "DBClusterArn",
        "clusterResourceId": "DbClusterResourceId",
        "endpoint": "Endpoint",
        "readerEndpoint": "ReaderEndpoint",
        "hostedZoneId": "HostedZoneId",
        "engineVersionActual": "EngineVersion",
        "port": "Port",
        "masterUsername": "MasterUsername",
        "databaseName": "DatabaseName",
        "availabilityZones": "AvailabilityZones",
        "kmsKeyId": "KmsKeyId",
        "dbSubnetGroupName": "DBSubnetGroup",
        "dbClusterParameterGroupName": "DBClusterParameterGroup",
        "preferredBackupWindow": "PreferredBackupWindow",
        "preferredMaintenanceWindow": "PreferredMaintenanceWindow",
        "clusterMembers": lambda raw: [
            item["DBInstanceIdentifier"] for item in raw.get("DBClusterMembers") or []
        ],
    }

    def validate(self, props: Properties, region: str) -> Failures:
        if not props.get("skipFinalSnapshot") and not props.get("finalSnapshotIdentifier"):
            return [
                (
                    "finalSnapshotIdentifier",
                    "finalSnapshotIdentifier is required when skipFinalSnapshot is false",
                )
            ]
        return []

    def update(
        self,
        aws: Aws,
        ident: str,
        before: Properties,
        after: Properties,
        changed: list[str],
        state: Properties,
    ) -> None:
        special = {*self.in_place.split()}
        for call in self.updates:
            mine = [k for k in changed if k not in special and self.location(call, k)]
            self.send_update(aws, call, ident, after, mine, {"applyImmediately": True, **state})
        modified: Properties = {}
        if "enabledCloudwatchLogsExports" in changed:
            had = set(before.get("enabledCloudwatchLogsExports") or [])
            wanted = set(after.get("enabledCloudwatchLogsExports") or [])
            modified["CloudwatchLogsExportConfiguration"] = {
                "EnableLogTypes": sorted(wanted - had),
                "DisableLogTypes": sorted(had - wanted),
            }
        if "port" in changed and "port" in after:
            modified["Port"] = after["port"]
        if modified:
            parameters = {"DBClusterIdentifier": ident, "ApplyImmediately": True, **modified}
            aws.call("rds", "ModifyDBCluster", parameters)
        if "globalClusterIdentifier" in changed:
            self._move(aws, ident, before, after, state)
        if "replicationSourceIdentifier" in changed:
            if after.get("replicationSourceIdentifier"):
                raise RuntimeError("an existing cluster can't be made a replica of another")
            aws.call("rds", "PromoteReadReplicaDBCluster", {"DBClusterIdentifier": ident})

    @staticmethod
    def _move(
        aws: Aws, ident: str, before: Properties, after: Properties, state: Properties
    ) -> None:
        if after.get("globalClusterIdentifier"):
            verb = "migrated between" if before.get("globalClusterIdentifier") else "added to"
            raise RuntimeError(f"existing clusters cannot be {verb} existing global clusters")
        leave_global_cluster(aws, before["globalClusterIdentifier"], state["arn"])

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key == "vpcSecurityGroupIds":
            found = [item["VpcSecurityGroupId"] for item in raw.get("VpcSecurityGroups") or []]
            return written if not found or sorted(found) == sorted(written) else found
        if key in ("globalClusterIdentifier", "engineMode"):
            return written
        return super().drift(aws, raw, key, written)

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        raw = self.describe(aws, ident, props)
        if raw is None:
            return
        if str(raw.get("Status", "")).lower() != "deleting":
            # AWS deletes no member of a global cluster; pulumi-aws detaches it first.
            if props.get("globalClusterIdentifier"):
                arn = props.get("arn") or raw["DBClusterArn"]
                leave_global_cluster(aws, props["globalClusterIdentifier"], arn)
            parameters: Properties = {"DBClusterIdentifier": ident}
            parameters["SkipFinalSnapshot"] = bool(props.get("skipFinalSnapshot"))
            if not parameters["SkipFinalSnapshot"]:
                parameters["FinalDBSnapshotIdentifier"] = props["finalSnapshotIdentifier"]
            aws.call("rds", "DeleteDBCluster", parameters)


class ClusterInstance(RdsType):
    """An instance of an Aurora cluster."""

    pulumi_type = "aws:rds/clusterInstance:ClusterInstance"
    inputs = (
        "identifier clusterIdentifier engine engineVersion instanceClass availabilityZone "
        "dbParameterGroupName dbSubnetGroupName autoMinorVersionUpgrade caCertIdentifier "
        "copyTagsToSnapshot monitoringInterval monitoringRoleArn performanceInsightsEnabled "
        "performanceInsightsKmsKeyId performanceInsightsRetentionPeriod promotionTier "
        "publiclyAccessible preferredBackupWindow preferredMaintenanceWindow"
    )
    settings = "applyImmediately forceDestroy"
    names: ClassVar = {
        "identifier": "DBInstanceIdentifier",
        "clusterIdentifier": "DBClusterIdentifier",
        "instanceClass": "DBInstanceClass",
        "dbParameterGroupName": "DBParameterGroupName",
        "dbSubnetGroupName": "DBSubnetGroupName",
        "caCertIdentifier": "CACertificateIdentifier",
        "performanceInsightsEnabled": "EnablePerformanceInsights",
        "performanceInsightsKmsKeyId": "PerformanceInsightsKMSKeyId",
    }
    creation = op("CreateDBInstance")
    updates = (
        op(
            "ModifyDBInstance",
            without="identifier clusterIdentifier engine dbSubnetGroupName",
            DBInstanceIdentifier="{id}",
            ApplyImmediately="{applyImmediately}",
        ),
    )
    replace = "availabilityZone engine engineVersion dbSubnetGroupName"
    resets: ClassVar = {
        "autoMinorVersionUpgrade": True,
        "copyTagsToSnapshot": False,
        "monitoringInterval": 0,
        "performanceInsightsEnabled": False,
        "promotionTier": 1,
        "publiclyAccessible": False,
    }
    id = "{identifier}"
    identity = ("identifier",)
    autoname = "identifier"
    reading = op(
        "DescribeDBInstances",
        "DBInstances[0]",
        names={
            "dbSubnetGroupName": "DBSubnetGroup.DBSubnetGroupName",
            "dbParameterGroupName": "DBParameterGroups[0].DBParameterGroupName",
            "performanceInsightsEnabled": "PerformanceInsightsEnabled",
        },
        DBInstanceIdentifier="{id}",
    )
    tagging = tagging("arn:aws:rds:{region}:{account}:db:{id}")
    ready = (
        "DBInstanceStatus",
        frozenset({"available"}),
        frozenset({"failed", "incompatible-parameters", "incompatible-network"}),
    )
    waits_gone = True
    outputs: ClassVar = {
        "arn": "DBInstanceArn",
        "dbiResourceId": "DbiResourceId",
        "endpoint": "Endpoint.Address",
        "port": "Endpoint.Port",
        "engineVersionActual": "EngineVersion",
        "availabilityZone": "AvailabilityZone",
        "kmsKeyId": "KmsKeyId",
        "storageEncrypted": "StorageEncrypted",
        "writer": "writer",
    }

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        raw = super().describe(aws, ident, props)
        if raw and raw.get("DBClusterIdentifier"):
            clusters = self.ask(
                aws,
                op("DescribeDBClusters", "DBClusters[0]",
                   DBClusterIdentifier=raw["DBClusterIdentifier"]),
                None,
                {},
            )  # fmt: skip
            members = (clusters or {}).get("DBClusterMembers") or []
            raw["writer"] = any(
                item.get("DBInstanceIdentifier") == ident and item.get("IsClusterWriter")
                for item in members
            )
        return raw

    def send_update(
        self,
        aws: Aws,
        call: Any,
        ident: str,
        props: Properties,
        changed: list[str],
        state: Properties,
    ) -> None:
        state = {**state, "applyImmediately": props.get("applyImmediately", False)}
        super().send_update(aws, call, ident, props, changed, state)

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        raw = self.describe(aws, ident, props)
        if raw is None or raw.get("DBInstanceStatus") == "deleting":
            return
        aws.call("rds", "DeleteDBInstance", {"DBInstanceIdentifier": ident})
