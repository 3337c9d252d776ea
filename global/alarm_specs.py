"""The alarms, as a table: what is watched, from which value on, and what silence means.

Pure. A metric that falls silent is decided for each alarm, with the reason beside it: ``BREACHING``
where silence is the fault, ``QUIET`` where it means that nothing happened, ``UNKNOWN`` where it
means neither (the alarm tells as well when it has no data).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

import cloudwatch_metrics as metrics
from cloudwatch_metrics import Metric, ReplicationRule
from tapstack.budget import (
    DATABASE_LAG_ALARM_SECONDS,
    EVENT_DELIVERY_ALARM_SECONDS,
    OBJECT_REPLICATION_SECONDS,
)
from tapstack.contracts import RegionalApp

BREACHING = "breaching"
QUIET = "notBreaching"
UNKNOWN = "missing"

ABOVE = "GreaterThanThreshold"
BELOW = "LessThanThreshold"

ERROR_PERCENT = 5
CPU_PERCENT = 80
CERTIFICATE_DAYS = 30
"""ACM renews 60 days before the end: a month later something is wrong."""
BACKLOG_OPERATIONS = 100
OBJECT_LATENCY_SECONDS = OBJECT_REPLICATION_SECONDS * 2 // 3
"""S3's promise is the whole RPO (trap 23): the alarm leaves a third of it to act in."""


@dataclass(frozen=True)
class AlarmSpec:
    """One alarm. ``metric`` is one metric, or ``expression`` over several by their ids."""

    purpose: str
    description: str
    metric: Metric | Mapping[str, Metric]
    statistic: str
    comparison: str
    threshold: float
    missing: str
    period: int = 60
    """Seconds."""
    periods: int = 3
    """How many are looked at, all of which must breach unless ``breaching_periods`` says less."""
    breaching_periods: int | None = None
    expression: str = ""


def application(app: RegionalApp) -> list[AlarmSpec]:
    """Of the function and its load balancer."""
    return [
        AlarmSpec(
            "lambda-errors",
            f"More than {ERROR_PERCENT} % of the function's calls fail",
            {
                "errors": metrics.function("Errors", app),
                "invocations": metrics.function("Invocations", app),
            },
            "Sum",
            ABOVE,
            ERROR_PERCENT,
            QUIET,  # Nobody called: no call failed. Whether anybody should have, others tell.
            breaching_periods=2,
            expression="IF(invocations > 0, 100 * errors / invocations, 0)",
        ),
        AlarmSpec(
            "lambda-throttles",
            "Calls of the function were throttled: the account's concurrency is used up",
            metrics.function("Throttles", app),
            "Sum",
            ABOVE,
            0,
            QUIET,  # Nobody called: nobody was throttled.
            periods=1,
        ),
        AlarmSpec(
            "alb-no-healthy-target",
            "The load balancer has no healthy target",
            metrics.target_group("HealthyHostCount", app),
            "Maximum",
            BELOW,
            1,
            BREACHING,  # Without a registered target the metric isn't published at all.
            periods=2,
        ),
    ]


def database(cluster_identifier: pulumi.Input[str], most_connections: int) -> list[AlarmSpec]:
    """Of the region's cluster, whichever role it has; ``most_connections`` is near the maximum."""
    return [
        AlarmSpec(
            "rds-cpu",
            f"The database is above {CPU_PERCENT} % CPU",
            metrics.cluster("CPUUtilization", cluster_identifier),
            "Maximum",
            ABOVE,
            CPU_PERCENT,
            UNKNOWN,  # A silent database isn't busy, and isn't well either.
            periods=5,
        ),
        AlarmSpec(
            "rds-connections",
            f"The database has more than {most_connections} connections: near the maximum",
            metrics.cluster("DatabaseConnections", cluster_identifier),
            "Maximum",
            ABOVE,
            most_connections,
            UNKNOWN,  # As above.
        ),
    ]


def replication_lag(cluster_identifier: pulumi.Input[str], *, is_primary: bool) -> list[AlarmSpec]:
    """Of the cluster that follows: both metrics are published where the secondary is.

    After roles were swapped that's us-east-1, where silence is normal before; in us-west-2 silence
    means that it follows nobody: the writer is gone, or us-west-2 writes itself, and the alarm
    stays until somebody switches back.
    """
    milliseconds = DATABASE_LAG_ALARM_SECONDS * 1000
    return [
        AlarmSpec(
            "rds-global-lag",
            f"The standby database is more than {DATABASE_LAG_ALARM_SECONDS} s behind, or follows "
            "nobody",
            metrics.cluster("AuroraGlobalDBReplicationLag", cluster_identifier),
            "Maximum",
            ABOVE,
            milliseconds,
            QUIET if is_primary else BREACHING,
        ),
        AlarmSpec(
            "rds-rpo-lag",
            f"Losing the writer now would lose more than {DATABASE_LAG_ALARM_SECONDS} s of data",
            metrics.cluster("AuroraGlobalDBRPOLag", cluster_identifier),
            "Maximum",
            ABOVE,
            milliseconds,
            QUIET,  # Silence is the other alarm's, so that one fault isn't told twice.
        ),
    ]


def objects_received(replication: ReplicationRule) -> list[AlarmSpec]:
    """Of one direction of S3 replication, in the destination's region."""
    return [
        AlarmSpec(
            "s3-replication-latency",
            f"Objects arrive more than {OBJECT_LATENCY_SECONDS} s late",
            metrics.object_replication("ReplicationLatency", replication),
            "Maximum",
            ABOVE,
            OBJECT_LATENCY_SECONDS,
            QUIET,  # S3 begins to publish 15 minutes after the rule was made.
            breaching_periods=2,
        ),
        AlarmSpec(
            "s3-replication-pending",
            f"For a quarter of an hour at least {BACKLOG_OPERATIONS} objects waited",
            metrics.object_replication("OperationsPendingReplication", replication),
            "Minimum",
            ABOVE,
            BACKLOG_OPERATIONS,
            QUIET,  # As above.
            period=300,
        ),
    ]


def objects_sent(replication: ReplicationRule) -> list[AlarmSpec]:
    """Of one direction of S3 replication, in the source's region."""
    return [
        AlarmSpec(
            "s3-replication-failed",
            "Objects failed to replicate; S3 doesn't try them again",
            metrics.object_replication("OperationsFailedReplication", replication),
            "Sum",
            ABOVE,
            0,
            QUIET,  # Published when something fails.
            periods=1,
        )
    ]


def dead_letters(purpose: str, queue_name: pulumi.Input[str]) -> AlarmSpec:
    """Of one queue whose depth must stay 0 (trap 27)."""
    return AlarmSpec(
        purpose,
        "Events couldn't be delivered; look at them, mend, then ./inv events.redrive",
        metrics.queue_depth(queue_name),
        "Maximum",
        ABOVE,
        0,
        QUIET,  # SQS publishes nothing of a queue that nobody used for six hours.
        periods=1,
    )


def event_latency(bus_name: pulumi.Input[str], rule_name: pulumi.Input[str]) -> AlarmSpec:
    """Of one forwarding rule."""
    return AlarmSpec(
        "event-latency",
        f"Events take more than {EVENT_DELIVERY_ALARM_SECONDS} s to the other region",
        metrics.rule("IngestionToInvocationSuccessLatency", bus_name, rule_name),
        "Maximum",
        ABOVE,
        EVENT_DELIVERY_ALARM_SECONDS * 1000,
        QUIET,  # No event, no latency.
        periods=1,
    )


def heartbeat(bus_name: pulumi.Input[str], rule_name: pulumi.Input[str]) -> AlarmSpec:
    """Of us-east-1's sign of life, counted in us-west-2 (trap 11)."""
    return AlarmSpec(
        "heartbeat",
        "us-west-2 has heard nothing of us-east-1 for three minutes",
        metrics.rule("Invocations", bus_name, rule_name),
        "Sum",
        BELOW,
        1,
        BREACHING,  # EventBridge publishes no zeros: silence is exactly what is meant.
    )


def health_check(purpose: str, description: str, check_id: pulumi.Input[str]) -> AlarmSpec:
    """Of one Route 53 health check; us-east-1 only (trap 11)."""
    return AlarmSpec(
        purpose,
        description,
        metrics.health_check(check_id),
        "Minimum",
        BELOW,
        1,
        BREACHING,  # Route 53 always publishes: silence means that nobody checks.
        periods=1,
    )


def certificate(certificate_arn: str) -> AlarmSpec:
    """Of the load balancer's certificate."""
    return AlarmSpec(
        "certificate-expiry",
        f"The certificate ends in less than {CERTIFICATE_DAYS} days: ACM didn't renew it",
        metrics.certificate_days(certificate_arn),
        "Minimum",
        BELOW,
        CERTIFICATE_DAYS,
        UNKNOWN,  # Published twice a day: a new certificate has none for hours.
        period=86400,
        periods=1,
    )
