"""The alarms, as a table: what is watched, from which value on, and what silence means.

Pure. A metric that falls silent is decided for each alarm, with the reason beside it: ``BREACHING``
where silence is the fault, ``QUIET`` where it means that nothing happened, ``UNKNOWN`` where it
means neither (the alarm notifies as well when it has no data), ``KEPT`` where the last state stands
until there is data again.
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
KEPT = "ignore"

ABOVE = "GreaterThanThreshold"
BELOW = "LessThanThreshold"

HEARTBEAT = "heartbeat"
STANDBY_DATABASE_LAG = "rds-global-lag"

ERROR_PERCENT = 5
SLOWEST_ANSWER_SECONDS = 3
"""Above what a healthy request takes, cold start included, and below the 10 s of one that waits for
a dead dependency."""
CPU_PERCENT = 80
CERTIFICATE_DAYS = 30
"""ACM renews 60 days before the end: a month later something is wrong."""
BACKUP_HOURS = 30
"""The plan runs every 24 h, and a backup with its copy may take the rest."""
BACKLOG_OPERATIONS = 100
OBJECT_LATENCY_SECONDS = OBJECT_REPLICATION_SECONDS * 2 // 3
"""S3's promise is the whole RPO (trap 23): the alarm leaves a third of it to act in."""


@dataclass(frozen=True, kw_only=True)
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
            purpose="lambda-errors",
            description=f"More than {ERROR_PERCENT} % of the function's calls fail",
            metric={
                "errors": metrics.function("Errors", app),
                "invocations": metrics.function("Invocations", app),
            },
            statistic="Sum",
            comparison=ABOVE,
            threshold=ERROR_PERCENT,
            # Nobody called: no call failed. Whether anybody should have is another alarm's.
            missing=QUIET,
            breaching_periods=2,
            expression="IF(invocations > 0, 100 * errors / invocations, 0)",
        ),
        AlarmSpec(
            purpose="lambda-throttles",
            description=(
                "Calls of the function were throttled: the account's concurrency is used up"
            ),
            metric=metrics.function("Throttles", app),
            statistic="Sum",
            comparison=ABOVE,
            threshold=0,
            missing=QUIET,  # Nobody called: nobody was throttled.
            periods=1,
        ),
        AlarmSpec(
            purpose="target-5xx",
            description=f"The application answers more than {ERROR_PERCENT} % of requests with 5xx",
            # A function that answers 500 is a successful invocation: lambda-errors is blind to it.
            metric={
                "failures": metrics.load_balancer("HTTPCode_Target_5XX_Count", app),
                "requests": metrics.load_balancer("RequestCount", app),
            },
            statistic="Sum",
            comparison=ABOVE,
            threshold=ERROR_PERCENT,
            missing=QUIET,  # Published where something fails.
            breaching_periods=2,
            expression="100 * failures / requests",
        ),
        AlarmSpec(
            purpose="alb-5xx",
            description=(
                f"The load balancer itself answers more than {ERROR_PERCENT} % of requests with 5xx"
            ),
            metric={
                "failures": metrics.load_balancer("HTTPCode_ELB_5XX_Count", app),
                "requests": metrics.load_balancer("RequestCount", app),
            },
            statistic="Sum",
            comparison=ABOVE,
            threshold=ERROR_PERCENT,
            missing=QUIET,  # As above.
            breaching_periods=2,
            # Requests that no target could be chosen for aren't in RequestCount.
            expression="100 * failures / (FILL(requests, 0) + failures)",
        ),
        AlarmSpec(
            purpose="slow-answers",
            description=f"One of a hundred requests takes more than {SLOWEST_ANSWER_SECONDS} s",
            metric=metrics.target_group("TargetResponseTime", app),
            statistic="p99",
            comparison=ABOVE,
            threshold=SLOWEST_ANSWER_SECONDS,
            missing=QUIET,  # Nobody asked: nobody waited.
            periods=5,
            breaching_periods=3,
        ),
        AlarmSpec(
            purpose="alb-no-healthy-target",
            description="The load balancer has no healthy target",
            metric=metrics.target_group("HealthyHostCount", app),
            statistic="Maximum",
            comparison=BELOW,
            threshold=1,
            missing=BREACHING,  # Without a registered target the metric isn't published at all.
            periods=2,
        ),
    ]


def database(cluster_identifier: pulumi.Input[str], most_connections: int) -> list[AlarmSpec]:
    """Of the region's cluster, whichever role it has; ``most_connections`` is near the maximum."""
    return [
        AlarmSpec(
            purpose="rds-cpu",
            description=f"The database is above {CPU_PERCENT} % CPU",
            metric=metrics.cluster("CPUUtilization", cluster_identifier),
            statistic="Maximum",
            comparison=ABOVE,
            threshold=CPU_PERCENT,
            missing=UNKNOWN,  # A silent database isn't busy, and isn't healthy either.
            periods=5,
        ),
        AlarmSpec(
            purpose="rds-connections",
            description=(
                f"The database has more than {most_connections} connections: near the maximum"
            ),
            metric=metrics.cluster("DatabaseConnections", cluster_identifier),
            statistic="Maximum",
            comparison=ABOVE,
            threshold=most_connections,
            missing=UNKNOWN,  # As above.
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
            purpose=STANDBY_DATABASE_LAG,
            description=(
                f"The standby database is more than {DATABASE_LAG_ALARM_SECONDS} s behind, or "
                "follows nobody"
            ),
            metric=metrics.cluster("AuroraGlobalDBReplicationLag", cluster_identifier),
            statistic="Maximum",
            comparison=ABOVE,
            threshold=milliseconds,
            missing=QUIET if is_primary else BREACHING,
        ),
        AlarmSpec(
            purpose="rds-rpo-lag",
            description=(
                f"Losing the writer now would lose more than {DATABASE_LAG_ALARM_SECONDS} s of data"
            ),
            metric=metrics.cluster("AuroraGlobalDBRPOLag", cluster_identifier),
            statistic="Maximum",
            comparison=ABOVE,
            threshold=milliseconds,
            missing=QUIET,  # Silence is the other alarm's, so that one fault isn't reported twice.
        ),
    ]


def objects_received(replication: ReplicationRule) -> list[AlarmSpec]:
    """Of one direction of S3 replication, in the destination's region."""
    return [
        AlarmSpec(
            purpose="s3-replication-latency",
            description=f"Objects arrive more than {OBJECT_LATENCY_SECONDS} s late",
            metric=metrics.object_replication("ReplicationLatency", replication),
            statistic="Maximum",
            comparison=ABOVE,
            threshold=OBJECT_LATENCY_SECONDS,
            missing=QUIET,  # S3 begins to publish 15 minutes after the rule was made.
            breaching_periods=2,
        ),
        AlarmSpec(
            purpose="s3-replication-pending",
            description=f"For a quarter of an hour at least {BACKLOG_OPERATIONS} objects waited",
            metric=metrics.object_replication("OperationsPendingReplication", replication),
            statistic="Minimum",
            comparison=ABOVE,
            threshold=BACKLOG_OPERATIONS,
            missing=QUIET,  # As above.
            period=300,
        ),
    ]


def objects_sent(replication: ReplicationRule) -> list[AlarmSpec]:
    """Of one direction of S3 replication, in the source's region."""
    return [
        AlarmSpec(
            purpose="s3-replication-failed",
            description="Objects failed to replicate; S3 doesn't try them again",
            metric=metrics.object_replication("OperationsFailedReplication", replication),
            statistic="Sum",
            comparison=ABOVE,
            threshold=0,
            missing=QUIET,  # Published when something fails.
            periods=1,
        )
    ]


def dead_letters(purpose: str, queue_name: pulumi.Input[str]) -> AlarmSpec:
    """Of one queue whose depth must stay 0 (trap 27)."""
    return AlarmSpec(
        purpose=purpose,
        description="Events couldn't be delivered; look at them, mend, then ./inv events.redrive",
        metric=metrics.queue_depth(queue_name),
        statistic="Maximum",
        comparison=ABOVE,
        threshold=0,
        missing=QUIET,  # SQS publishes nothing of a queue that nobody used for six hours.
        periods=1,
    )


def event_latency(bus_name: pulumi.Input[str], rule_name: pulumi.Input[str]) -> AlarmSpec:
    """Of one forwarding rule."""
    return AlarmSpec(
        purpose="event-latency",
        description=f"Events take more than {EVENT_DELIVERY_ALARM_SECONDS} s to the other region",
        metric=metrics.rule("IngestionToInvocationSuccessLatency", bus_name, rule_name),
        statistic="Maximum",
        comparison=ABOVE,
        threshold=EVENT_DELIVERY_ALARM_SECONDS * 1000,
        missing=QUIET,  # No event, no latency.
        periods=1,
    )


def event_propagation(suffix: str) -> AlarmSpec:
    """Of all events' way into this region, measured by its receipts (trap 71)."""
    return AlarmSpec(
        purpose="event-propagation",
        description=(
            f"Events take more than {EVENT_DELIVERY_ALARM_SECONDS} s to be stored in this region, "
            "or the writer is away and nobody can say"
        ),
        metric=metrics.recovery("EventPropagation", suffix),
        statistic="Maximum",
        comparison=ABOVE,
        threshold=EVENT_DELIVERY_ALARM_SECONDS * 1000,
        missing=BREACHING,  # Measured every minute, unless the writer or the schedule is away.
        periods=5,
    )


def heartbeat(queue_name: pulumi.Input[str]) -> AlarmSpec:
    """Of us-east-1's sign of life, which lies in a queue of us-west-2 for 100 s (trap 11).

    The queue's depth, not the rule's count of events: EventBridge publishes no zeros, so an alarm
    would look for older data first and rise minutes later (CloudWatch user guide, "Configuring how
    CloudWatch alarms treat missing data"), and its metrics are best effort (trap 71).
    """
    return AlarmSpec(
        purpose=HEARTBEAT,
        description="us-west-2 has heard nothing of us-east-1 for two minutes",
        metric=metrics.queue_depth(queue_name),
        statistic="Minimum",
        comparison=BELOW,
        threshold=1,
        # Before the first beat there is no state to speak of; six hours after the last one SQS
        # publishes nothing any more, and the alarm stays.
        missing=KEPT,
        periods=1,
    )


def backup_failures(vault_name: str) -> list[AlarmSpec]:
    """Of the jobs into this region's vault and out of it (trap 45)."""

    def count(purpose: str, description: str, name: str) -> AlarmSpec:
        return AlarmSpec(
            purpose=purpose,
            description=description,
            metric=metrics.backup_vault(name, vault_name),
            statistic="Sum",
            comparison=ABOVE,
            threshold=0,
            missing=QUIET,  # Published where something fails.
            period=300,
            periods=1,
        )

    return [
        count("backup-failed", "A backup job failed", "NumberOfBackupJobsFailed"),
        count(
            "backup-expired",
            "A backup job didn't begin within its window",
            "NumberOfBackupJobsExpired",
        ),
        count(
            "backup-copy-failed",
            "A backup wasn't copied to the other region",
            "NumberOfCopyJobsFailed",
        ),
    ]


def backups_missing(vault_name: str) -> list[AlarmSpec]:
    """Of the daily plan: a job that was never begun fails nowhere (trap 45)."""

    def none_completed(purpose: str, description: str, name: str) -> AlarmSpec:
        return AlarmSpec(
            purpose=purpose,
            description=description,
            metric=metrics.backup_vault(name, vault_name),
            statistic="Sum",
            comparison=BELOW,
            threshold=1,
            # No data is the fault, and is notified as such; until the first night it is normal.
            missing=UNKNOWN,
            period=3600,
            periods=BACKUP_HOURS,
        )

    return [
        none_completed(
            "backup-missing",
            f"No backup was completed for {BACKUP_HOURS} h",
            "NumberOfBackupJobsCompleted",
        ),
        none_completed(
            "backup-copy-missing",
            f"No backup was copied to the other region for {BACKUP_HOURS} h",
            "NumberOfCopyJobsCompleted",
        ),
    ]


def health_check(purpose: str, description: str, check_id: pulumi.Input[str]) -> AlarmSpec:
    """Of one Route 53 health check; us-east-1 only (trap 11)."""
    return AlarmSpec(
        purpose=purpose,
        description=description,
        metric=metrics.health_check(check_id),
        statistic="Minimum",
        comparison=BELOW,
        threshold=1,
        missing=BREACHING,  # Route 53 always publishes: silence means that nobody checks.
        periods=1,
    )


def certificate(certificate_arn: str) -> AlarmSpec:
    """Of the load balancer's certificate."""
    return AlarmSpec(
        purpose="certificate-expiry",
        description=(
            f"The certificate ends in less than {CERTIFICATE_DAYS} days: ACM didn't renew it"
        ),
        metric=metrics.certificate_days(certificate_arn),
        statistic="Minimum",
        comparison=BELOW,
        threshold=CERTIFICATE_DAYS,
        missing=UNKNOWN,  # Published twice a day: a new certificate has none for hours.
        period=86400,
        periods=1,
    )
