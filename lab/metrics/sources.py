"""What AWS's services publish of themselves, by what happens in the lab.

Namespaces, names and dimensions from each service's "CloudWatch metrics" page in AWS's
documentation.
"""

from collections.abc import Iterable

from lab.facts import (
    BackupTurn,
    DatabaseFacts,
    Event,
    EventDelivery,
    HealthCheckVerdict,
    Invocation,
    LoadBalancerRequest,
    LoggedMetric,
    PendingReplication,
    Sample,
)

Datum = tuple[str, str, str, dict[str, str], float]
"""(region, namespace, metric name, dimensions, value)"""


def data_of(fact: Event | Sample) -> list[Datum]:
    """The data points of one event or sample; none for what AWS doesn't count."""
    match fact:
        case LoadBalancerRequest():
            return _request(fact)
        case Invocation():
            return _invocation(fact)
        case EventDelivery():
            return _delivery(fact)
        case LoggedMetric():
            key = (fact.region, fact.namespace, fact.name, dict(fact.dimensions))
            return [(*key, value) for value in fact.values]
        case BackupTurn():
            return _backup(fact)
        case DatabaseFacts():
            return _cluster(fact)
        case PendingReplication():
            return _replication(fact)
        case HealthCheckVerdict():
            return _health_check(fact)
        case _:
            return []


def _request(fact: LoadBalancerRequest) -> list[Datum]:
    region, balancer = fact.region, {"LoadBalancer": fact.load_balancer}
    namespace = "AWS/ApplicationELB"
    data: list[Datum] = []
    if fact.target_group:
        # Requests that are answered before a target is chosen aren't counted.
        data.append((region, namespace, "RequestCount", balancer, 1.0))
    family = f"{fact.status // 100}XX_Count"
    if not fact.from_target:
        return [*data, (region, namespace, f"HTTPCode_ELB_{family}", balancer, 1.0)]
    group = {**balancer, "TargetGroup": fact.target_group}
    for dimensions in (balancer, group):
        data.append((region, namespace, f"HTTPCode_Target_{family}", dimensions, 1.0))
        data.append((region, namespace, "TargetResponseTime", dimensions, fact.seconds))
    return [*data, (region, namespace, "RequestCount", group, 1.0)]


def _invocation(fact: Invocation) -> list[Datum]:
    region, name = fact.region, {"FunctionName": fact.function_name}
    if fact.throttled:
        return [(region, "AWS/Lambda", "Throttles", name, 1.0)]
    return [
        (region, "AWS/Lambda", "Invocations", name, 1.0),
        (region, "AWS/Lambda", "Throttles", name, 0.0),
        (region, "AWS/Lambda", "Errors", name, float(fact.error)),
        (region, "AWS/Lambda", "Duration", name, fact.seconds * 1000),
    ]


def _delivery(fact: EventDelivery) -> list[Datum]:
    dimensions = {"EventBusName": fact.bus, "RuleName": fact.rule}
    names = {
        "delivered": ("Invocations",),
        "failed": ("Invocations", "FailedInvocations"),
        "dead-lettered": ("InvocationsSentToDlq",),
    }
    return [(fact.region, "AWS/Events", name, dimensions, 1.0) for name in names[fact.outcome]]


def _backup(turn: BackupTurn) -> list[Datum]:
    """Jobs by their state (AWS Backup developer guide, "AWS Backup metrics with CloudWatch"): one
    that didn't begin in time, or was stopped, has names of its own among backups alone."""
    kinds = {"backup": "NumberOfBackupJobs", "copy": "NumberOfCopyJobs"}
    name = f"{kinds[turn.kind]}{turn.state.capitalize()}"
    return [(turn.region, "AWS/Backup", name, {"BackupVaultName": turn.vault}, 1.0)]


def _health_check(verdict: HealthCheckVerdict) -> list[Datum]:
    """Route 53's metrics exist in us-east-1 only (trap 11)."""
    dimensions = {"HealthCheckId": verdict.health_check_id}
    return [
        ("us-east-1", "AWS/Route53", name, dimensions, scale * verdict.healthy)
        for name, scale in (("HealthCheckStatus", 1.0), ("HealthCheckPercentageHealthy", 100.0))
    ]


def _cluster(facts: DatabaseFacts) -> list[Datum]:
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


def _replication(pending: PendingReplication) -> list[Datum]:
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
