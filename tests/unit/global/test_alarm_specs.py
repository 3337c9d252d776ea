"""The table of alarms as it is written down, apart from what deploys it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import pytest

import alarm_specs
import cloudwatch_metrics
from alarm_specs import AlarmSpec
from cloudwatch_metrics import Metric, ReplicationRule
from tapstack.contracts import RegionalApp

ABOVE, BELOW = "GreaterThanThreshold", "LessThanThreshold"
BREACHING, QUIET, UNKNOWN, KEPT = "breaching", "notBreaching", "missing", "ignore"
APP = RegionalApp(**{field.name: field.name for field in fields(RegionalApp)})
"""Each field holds its own name."""
REPLICATION = ReplicationRule("source", "destination", "rule")

SPECS: Mapping[str, list[AlarmSpec]] = {
    "of the primary": [
        *alarm_specs.application(APP),
        *alarm_specs.database("cluster", 1441),
        *alarm_specs.replication_lag("cluster", is_primary=True),
        *alarm_specs.objects_received(REPLICATION),
        *alarm_specs.objects_sent(REPLICATION),
        alarm_specs.dead_letters("dead-letters", "queue"),
        alarm_specs.event_latency("bus", "rule"),
        alarm_specs.event_propagation("suffix"),
        alarm_specs.heartbeat("queue"),
        *alarm_specs.backup_failures("vault"),
        *alarm_specs.backups_missing("vault"),
        alarm_specs.health_check("health", "why", "check"),
        alarm_specs.certificate("certificate"),
    ],
    "of the standby": alarm_specs.replication_lag("cluster", is_primary=False),
}

WRITTEN = {
    # Purpose: comparison, threshold, silence, statistic, seconds, periods, of them breaching.
    "lambda-errors": (ABOVE, 5, QUIET, "Sum", 60, 3, 2),
    "lambda-throttles": (ABOVE, 0, QUIET, "Sum", 60, 1, None),
    "target-5xx": (ABOVE, 5, QUIET, "Sum", 60, 3, 2),
    "alb-5xx": (ABOVE, 5, QUIET, "Sum", 60, 3, 2),
    "slow-answers": (ABOVE, 3, QUIET, "p99", 60, 5, 3),
    "alb-no-healthy-target": (BELOW, 1, BREACHING, "Maximum", 60, 2, None),
    "rds-cpu": (ABOVE, 80, UNKNOWN, "Maximum", 60, 5, None),
    "rds-connections": (ABOVE, 1441, UNKNOWN, "Maximum", 60, 3, None),
    "rds-global-lag": (ABOVE, 60_000, QUIET, "Maximum", 60, 3, None),
    "rds-rpo-lag": (ABOVE, 60_000, QUIET, "Maximum", 60, 3, None),
    "s3-replication-latency": (ABOVE, 600, QUIET, "Maximum", 60, 3, 2),
    "s3-replication-pending": (ABOVE, 100, QUIET, "Minimum", 300, 3, None),
    "s3-replication-failed": (ABOVE, 0, QUIET, "Sum", 60, 1, None),
    "dead-letters": (ABOVE, 0, QUIET, "Maximum", 60, 1, None),
    "event-latency": (ABOVE, 300_000, QUIET, "Maximum", 60, 1, None),
    "event-propagation": (ABOVE, 300_000, BREACHING, "Maximum", 60, 5, None),
    "heartbeat": (BELOW, 1, KEPT, "Minimum", 60, 1, None),
    "backup-failed": (ABOVE, 0, QUIET, "Sum", 300, 1, None),
    "backup-expired": (ABOVE, 0, QUIET, "Sum", 300, 1, None),
    "backup-copy-failed": (ABOVE, 0, QUIET, "Sum", 300, 1, None),
    "backup-missing": (BELOW, 1, UNKNOWN, "Sum", 3600, 30, None),
    "backup-copy-missing": (BELOW, 1, UNKNOWN, "Sum", 3600, 30, None),
    "health": (BELOW, 1, BREACHING, "Minimum", 60, 1, None),
    "certificate-expiry": (BELOW, 30, UNKNOWN, "Minimum", 86400, 1, None),
}

EXPRESSIONS = {
    "lambda-errors": "IF(invocations > 0, 100 * errors / invocations, 0)",
    "target-5xx": "100 * failures / requests",
    "alb-5xx": "100 * failures / (FILL(requests, 0) + failures)",
}

BALANCER = {"LoadBalancer": "load_balancer_arn_suffix"}
TARGETS = {**BALANCER, "TargetGroup": "target_group_arn_suffix"}
FUNCTION = {"FunctionName": "function_name"}
CLUSTER = {"DBClusterIdentifier": "cluster"}
OBJECTS = {"SourceBucket": "source", "DestinationBucket": "destination", "RuleId": "rule"}
QUEUE = {"QueueName": "queue"}
VAULT = {"BackupVaultName": "vault"}
DEPTH = Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", QUEUE)
REQUESTS = Metric("AWS/ApplicationELB", "RequestCount", BALANCER)

METRICS: Mapping[str, Metric | Mapping[str, Metric]] = {
    "lambda-errors": {
        "errors": Metric("AWS/Lambda", "Errors", FUNCTION),
        "invocations": Metric("AWS/Lambda", "Invocations", FUNCTION),
    },
    "lambda-throttles": Metric("AWS/Lambda", "Throttles", FUNCTION),
    "target-5xx": {
        "failures": Metric("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", BALANCER),
        "requests": REQUESTS,
    },
    "alb-5xx": {
        "failures": Metric("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", BALANCER),
        "requests": REQUESTS,
    },
    "slow-answers": Metric("AWS/ApplicationELB", "TargetResponseTime", TARGETS),
    "alb-no-healthy-target": Metric("AWS/ApplicationELB", "HealthyHostCount", TARGETS),
    "rds-cpu": Metric("AWS/RDS", "CPUUtilization", CLUSTER),
    "rds-connections": Metric("AWS/RDS", "DatabaseConnections", CLUSTER),
    "rds-global-lag": Metric("AWS/RDS", "AuroraGlobalDBReplicationLag", CLUSTER),
    "rds-rpo-lag": Metric("AWS/RDS", "AuroraGlobalDBRPOLag", CLUSTER),
    "s3-replication-latency": Metric("AWS/S3", "ReplicationLatency", OBJECTS),
    "s3-replication-pending": Metric("AWS/S3", "OperationsPendingReplication", OBJECTS),
    "s3-replication-failed": Metric("AWS/S3", "OperationsFailedReplication", OBJECTS),
    "dead-letters": DEPTH,
    "event-latency": Metric(
        "AWS/Events",
        "IngestionToInvocationSuccessLatency",
        {"EventBusName": "bus", "RuleName": "rule"},
    ),
    "event-propagation": Metric("WarmStandby", "EventPropagation", {"EnvironmentSuffix": "suffix"}),
    "heartbeat": DEPTH,
    "backup-failed": Metric("AWS/Backup", "NumberOfBackupJobsFailed", VAULT),
    "backup-expired": Metric("AWS/Backup", "NumberOfBackupJobsExpired", VAULT),
    "backup-copy-failed": Metric("AWS/Backup", "NumberOfCopyJobsFailed", VAULT),
    "backup-missing": Metric("AWS/Backup", "NumberOfBackupJobsCompleted", VAULT),
    "backup-copy-missing": Metric("AWS/Backup", "NumberOfCopyJobsCompleted", VAULT),
    "health": Metric("AWS/Route53", "HealthCheckStatus", {"HealthCheckId": "check"}),
    "certificate-expiry": Metric(
        "AWS/CertificateManager", "DaysToExpiry", {"CertificateArn": "certificate"}
    ),
}


def numbers(spec: AlarmSpec) -> tuple[object, ...]:
    """What decides when it rises."""
    return (
        spec.comparison, spec.threshold, spec.missing, spec.statistic, spec.period, spec.periods,
        spec.breaching_periods,
    )  # fmt: skip


def test_every_alarm_is_written_down_twice() -> None:
    """R6.2: from which value on, for how long, and what silence means."""
    assert {spec.purpose: numbers(spec) for spec in SPECS["of the primary"]} == WRITTEN


def test_every_alarm_watches_its_own_metric() -> None:
    """R6.2: namespace, name and dimensions as each service's page has them."""
    assert {spec.purpose: spec.metric for spec in SPECS["of the primary"]} == METRICS
    for spec in SPECS["of the primary"]:
        assert spec.expression == EXPRESSIONS.get(spec.purpose, "")


def test_a_standby_that_follows_nobody_is_a_fault_there_alone() -> None:
    """Trap 11: silence of the standby's lag means that its writer is gone."""
    written = {spec.purpose: numbers(spec) for spec in SPECS["of the standby"]}
    lag = (ABOVE, 60_000, BREACHING, "Maximum", 60, 3, None)
    assert written == {"rds-global-lag": lag, "rds-rpo-lag": WRITTEN["rds-rpo-lag"]}


@pytest.mark.parametrize("spec", SPECS["of the primary"], ids=lambda spec: spec.purpose)
def test_every_alarm_says_what_it_means(spec: AlarmSpec) -> None:
    """R6.3: who is woken up reads a sentence."""
    assert " " in spec.description or spec.purpose == "health"


def test_dimensions_are_the_given_ones() -> None:
    """R6.1: what the dashboard draws besides."""
    assert cloudwatch_metrics.recovery("ReplicationLag", "dev") == Metric(
        "WarmStandby", "ReplicationLag", {"EnvironmentSuffix": "dev"}
    )
