"""RDS: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from typing import Any

from provider_cases.case import Case, World, named
from pulumi_protocol.values import secret


def cluster(world: World, **more: Any) -> dict[str, Any]:
    return named(
        "cluster",
        clusterIdentifier="cluster-one",
        engine="aurora-postgresql",
        engineVersion="16.8",
        globalClusterIdentifier=world["global-cluster"].id,
        masterUsername="master",
        masterPassword=secret("not-a-password-1"),
        databaseName="app",
        storageEncrypted=True,
        kmsKeyId=world["key"].outputs["arn"],
        skipFinalSnapshot=True,
        dbSubnetGroupName=world["subnet-group"].id,
        vpcSecurityGroupIds=[world["group"].id],
        dbClusterParameterGroupName=world["cluster-parameters"].id,
        copyTagsToSnapshot=True,
        serverlessv2ScalingConfiguration={"minCapacity": 8, "maxCapacity": 16},
        **{"backupRetentionPeriod": 7, "enabledCloudwatchLogsExports": ["postgresql"], **more},
    )


CASES = [
    Case(
        "subnet-group",
        "aws:rds/subnetGroup:SubnetGroup",
        lambda w: named(
            "subnets", name="subnets-one", subnetIds=[w["subnet"].id, w["subnet-b"].id]
        ),
    ),
    Case(
        "cluster-parameters",
        "aws:rds/clusterParameterGroup:ClusterParameterGroup",
        lambda w: named(
            "parameters",
            name="parameters-one",
            family="aurora-postgresql16",
            parameters=[{"name": "rds.force_ssl", "value": "1"}],
        ),
        lambda w: named(
            "parameters",
            name="parameters-one",
            family="aurora-postgresql16",
            parameters=[{"name": "rds.force_ssl", "value": "0"}],
        ),
    ),
    Case(
        "global-cluster",
        "aws:rds/globalCluster:GlobalCluster",
        lambda w: named(
            "global",
            globalClusterIdentifier="global-one",
            engine="aurora-postgresql",
            engineVersion="16.8",
            storageEncrypted=True,
        ),
    ),
    Case(
        "cluster",
        "aws:rds/cluster:Cluster",
        cluster,
        lambda w: cluster(w, backupRetentionPeriod=8, enabledCloudwatchLogsExports=[]),
    ),
    Case(
        "instance",
        "aws:rds/clusterInstance:ClusterInstance",
        lambda w: named(
            "instance",
            identifier="instance-one",
            clusterIdentifier=w["cluster"].id,
            engine="aurora-postgresql",
            instanceClass="db.r6g.large",
            autoMinorVersionUpgrade=False,
            applyImmediately=True,
        ),
        lambda w: named(
            "instance",
            identifier="instance-one",
            clusterIdentifier=w["cluster"].id,
            engine="aurora-postgresql",
            instanceClass="db.r6g.xlarge",
            autoMinorVersionUpgrade=False,
            applyImmediately=True,
        ),
    ),
]
