"""What AWS's services publish of themselves, by what happens in the lab.

Namespaces, names and dimensions from each service's "CloudWatch metrics" page in AWS's
documentation.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.database.measurement import DatabaseFacts

Datum = tuple[str, str, str, dict[str, str], float]
"""(region, namespace, metric name, dimensions, value)"""


def of_fact(kind: str, fact: Mapping[str, Any]) -> list[Datum]:
    """The data of one fact that the lab's parts tell; none for facts that AWS doesn't count."""
    makers = {"alb.request": _request, "lambda.invocation": _invocation, "events.delivery": _event}
    maker = makers.get(kind)
    return maker(fact) if maker else []


def _request(fact: Mapping[str, Any]) -> list[Datum]:
    region, balancer = fact["region"], {"LoadBalancer": fact["load_balancer"]}
    namespace = "AWS/ApplicationELB"
    data: list[Datum] = [(region, namespace, "RequestCount", balancer, 1.0)]
    family = f"{int(fact['status']) // 100}XX_Count"
    if not fact["from_target"]:
        return [*data, (region, namespace, f"HTTPCode_ELB_{family}", balancer, 1.0)]
    group = {**balancer, "TargetGroup": fact["target_group"]}
    seconds = float(fact["seconds"])
    for dimensions in (balancer, group):
        data.append((region, namespace, f"HTTPCode_Target_{family}", dimensions, 1.0))
        data.append((region, namespace, "TargetResponseTime", dimensions, seconds))
    return [*data, (region, namespace, "RequestCount", group, 1.0)]


def _invocation(fact: Mapping[str, Any]) -> list[Datum]:
    region, name = fact["region"], {"FunctionName": fact["function_name"]}
    if fact["throttled"]:
        return [(region, "AWS/Lambda", "Throttles", name, 1.0)]
    return [
        (region, "AWS/Lambda", "Invocations", name, 1.0),
        (region, "AWS/Lambda", "Throttles", name, 0.0),
        (region, "AWS/Lambda", "Errors", name, float(bool(fact["error"]))),
        (region, "AWS/Lambda", "Duration", name, float(fact["seconds"]) * 1000),
    ]


def _event(fact: Mapping[str, Any]) -> list[Datum]:
    dimensions = {"EventBusName": fact["bus"], "RuleName": fact["rule"]}
    names = {
        "delivered": ("Invocations",),
        "failed": ("Invocations", "FailedInvocations"),
        "dead-lettered": ("InvocationsSentToDlq",),
    }
    return [
        (fact["region"], "AWS/Events", name, dimensions, 1.0) for name in names[fact["outcome"]]
    ]


def of_health_checks(verdicts: Mapping[str, bool]) -> list[Datum]:
    """Route 53's metrics exist in us-east-1 only (trap 11)."""
    data: list[Datum] = []
    for check, healthy in verdicts.items():
        dimensions = {"HealthCheckId": check}
        for name, scale in (("HealthCheckStatus", 1.0), ("HealthCheckPercentageHealthy", 100.0)):
            data.append(("us-east-1", "AWS/Route53", name, dimensions, scale * healthy))
    return data


def of_cluster(facts: DatabaseFacts) -> list[Datum]:
    """Aurora's metrics (Aurora user guide, "Amazon CloudWatch metrics for Amazon Aurora"). A server
    that is dead publishes nothing: its data points are missing, not zero."""
    if not facts.alive:
        return []
    region, namespace = facts.region, "AWS/RDS"
    cluster = {"DBClusterIdentifier": facts.cluster_identifier}
    role = {**cluster, "Role": "WRITER" if facts.writer else "READER"}
    each = [{"DBInstanceIdentifier": name} for name in facts.instance_identifiers]
    data: list[Datum] = []
    for dimensions in (cluster, role, *each):
        data.append((region, namespace, "DatabaseConnections", dimensions, facts.connections))
        data.append((region, namespace, "CPUUtilization", dimensions, facts.cpu_percent))
    # Both lags describe the secondary, and are published where the secondary is.
    for name, lag in (
        ("AuroraGlobalDBReplicationLag", facts.replication_lag_ms),
        ("AuroraGlobalDBRPOLag", facts.rpo_lag_ms),
    ):
        if lag is not None and not facts.writer:
            data.append((region, namespace, name, cluster, lag))
    return data


def of_targets(region: str, groups: Iterable[tuple[str, str, Iterable[str]]]) -> list[Datum]:
    """``groups``: (load balancer suffix, target group suffix, states of its targets)."""
    data: list[Datum] = []
    for balancer, group, states in groups:
        dimensions = {"LoadBalancer": balancer, "TargetGroup": group}
        healthy = [state in ("healthy", "unavailable") for state in states]
        good, bad = float(sum(healthy)), float(len(healthy) - sum(healthy))
        data.append((region, "AWS/ApplicationELB", "HealthyHostCount", dimensions, good))
        data.append((region, "AWS/ApplicationELB", "UnHealthyHostCount", dimensions, bad))
    return data


def of_queue(region: str, name: str, visible: int) -> list[Datum]:
    """A queue's depth."""
    dimensions = {"QueueName": name}
    return [(region, "AWS/SQS", "ApproximateNumberOfMessagesVisible", dimensions, float(visible))]


@dataclass(frozen=True)
class PendingReplication:
    """What one replication rule has not copied yet."""

    region: str
    """The source's."""
    destination_region: str
    source: str
    destination: str
    rule: str
    operations: int
    size: int
    oldest_seconds: float
    failed: int = 0
    """Operations that failed since the last look."""


def of_replication(pending: PendingReplication) -> list[Datum]:
    """S3 replication metrics: what is pending in the destination's region, what failed in the
    source's (S3 user guide, "Using S3 Replication metrics")."""
    dimensions = {
        "SourceBucket": pending.source,
        "DestinationBucket": pending.destination,
        "RuleId": pending.rule,
    }
    values = (
        (pending.destination_region, "OperationsPendingReplication", pending.operations),
        (pending.destination_region, "BytesPendingReplication", pending.size),
        (pending.destination_region, "ReplicationLatency", pending.oldest_seconds),
        (pending.region, "OperationsFailedReplication", pending.failed),
    )
    return [(region, "AWS/S3", name, dimensions, float(value)) for region, name, value in values]
