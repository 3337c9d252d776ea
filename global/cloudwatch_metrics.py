"""The metrics that alarms and dashboard read, one function each: namespace, name, dimensions.

Source: each service's "CloudWatch metrics" page; the tests hold a table of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from tapstack.contracts import RegionalApp
from tapstack.well_known import METRIC_NAMESPACE, SUFFIX_TAG

Text = pulumi.Input[str]


@dataclass(frozen=True)
class Metric:
    """One metric."""

    namespace: str
    name: str
    dimensions: Mapping[str, Text]


def load_balancer(name: str, app: RegionalApp) -> Metric:
    """Of the whole load balancer: ``RequestCount`` (requests for which a target was chosen),
    ``HTTPCode_ELB_5XX_Count`` (its own answers), ``HTTPCode_Target_5XX_Count``."""
    return Metric("AWS/ApplicationELB", name, {"LoadBalancer": app.load_balancer_arn_suffix})


def target_group(name: str, app: RegionalApp) -> Metric:
    """Of its target group: ``HealthyHostCount``, ``TargetResponseTime``."""
    return Metric(
        "AWS/ApplicationELB",
        name,
        {"LoadBalancer": app.load_balancer_arn_suffix, "TargetGroup": app.target_group_arn_suffix},
    )


def function(name: str, app: RegionalApp) -> Metric:
    """Of the function: ``Invocations``, ``Errors``, ``Throttles``."""
    return Metric("AWS/Lambda", name, {"FunctionName": app.function_name})


def cluster(name: str, cluster_identifier: Text) -> Metric:
    """Of an Aurora cluster: ``CPUUtilization``, ``DatabaseConnections``, ``AuroraGlobalDB…``."""
    return Metric("AWS/RDS", name, {"DBClusterIdentifier": cluster_identifier})


def health_check(health_check_id: Text) -> Metric:
    """1 while healthy; exists in us-east-1 only (trap 11)."""
    return Metric("AWS/Route53", "HealthCheckStatus", {"HealthCheckId": health_check_id})


def queue_depth(queue_name: Text) -> Metric:
    """Messages that wait in a queue."""
    return Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue_name})


def rule(name: str, bus_name: Text, rule_name: Text) -> Metric:
    """Of a rule on a custom bus: ``IngestionToInvocationSuccessLatency`` (ms)."""
    return Metric("AWS/Events", name, {"EventBusName": bus_name, "RuleName": rule_name})


@dataclass(frozen=True)
class ReplicationRule:
    """One direction of S3 replication, as its metrics name it."""

    source_bucket: Text
    destination_bucket: Text
    rule_id: str


def object_replication(name: str, replication: ReplicationRule) -> Metric:
    """``ReplicationLatency`` (seconds), ``OperationsPendingReplication`` and
    ``BytesPendingReplication`` are published in the destination's region,
    ``OperationsFailedReplication`` in the source's."""
    return Metric(
        "AWS/S3",
        name,
        {
            "SourceBucket": replication.source_bucket,
            "DestinationBucket": replication.destination_bucket,
            "RuleId": replication.rule_id,
        },
    )


def certificate_days(certificate_arn: str) -> Metric:
    """Days until a certificate expires."""
    return Metric("AWS/CertificateManager", "DaysToExpiry", {"CertificateArn": certificate_arn})


def backup_vault(name: str, vault_name: Text) -> Metric:
    """Of AWS Backup's jobs by vault: ``NumberOfBackupJobsFailed``, ``…Expired``, ``…Completed``,
    ``NumberOfCopyJobsFailed``, ``…Completed`` (of copies out of it)."""
    return Metric("AWS/Backup", name, {"BackupVaultName": vault_name})


def recovery(name: str, suffix: str) -> Metric:
    """Our own: ``FailoverReadiness`` (1 or 0) and ``ReplicationLag`` (ms) of us-west-2,
    ``EventPropagation`` (ms) and ``ControllerHeartbeat`` (1 a run) of each region."""
    return Metric(METRIC_NAMESPACE, name, {SUFFIX_TAG: suffix})
