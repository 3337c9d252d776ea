"""What the lab publishes where, as AWS does."""

from dataclasses import replace

from lab.facts import (
    DatabaseFacts,
    HealthCheckProbe,
    LoadBalancerRequest,
    PendingReplication,
)
from lab.metrics.sources import data_of


def test_replication_is_measured_where_it_arrives_and_fails_where_it_starts() -> None:
    """R6.2: pending and latency in the destination's region, failures in the source's."""
    data = data_of(
        PendingReplication("us-east-1", "us-west-2", "here", "there", "all", 2, 300, 4.5, 1)
    )
    assert {(region, name, value) for region, _, name, _, value in data} == {
        ("us-west-2", "OperationsPendingReplication", 2.0),
        ("us-west-2", "BytesPendingReplication", 300.0),
        ("us-west-2", "ReplicationLatency", 4.5),
        ("us-east-1", "OperationsFailedReplication", 1.0),
    }
    dimensions = {"SourceBucket": "here", "DestinationBucket": "there", "RuleId": "all"}
    assert all(namespace == "AWS/S3" and d == dimensions for _, namespace, _, d, _ in data)


SECONDARY = DatabaseFacts(
    region="us-west-2",
    cluster_identifier="standby",
    instance_identifiers=("one", "two"),
    writer=False,
    alive=True,
    connections=3.0,
    max_connections=100,
    cpu_percent=7.0,
    replication_lag_ms=250.0,
    rpo_lag_ms=40.0,
)


def lags(facts: DatabaseFacts) -> dict[str, float]:
    return {name: value for _, _, name, _, value in data_of(facts) if "Lag" in name}


def test_the_two_lags_of_a_secondary_are_distinguished() -> None:
    """R6.1, R6.2: what isn't shown yet, and what would be lost; a writer has neither, and before
    the first measurement there is none."""
    assert lags(SECONDARY) == {
        "AuroraGlobalDBReplicationLag": 250.0,
        "AuroraGlobalDBRPOLag": 40.0,
    }
    assert lags(replace(SECONDARY, rpo_lag_ms=None)) == {"AuroraGlobalDBReplicationLag": 250.0}
    assert lags(replace(SECONDARY, writer=True)) == {}


def test_connections_and_cpu_are_published_for_cluster_role_and_instances() -> None:
    """R6.1: under the dimensions that AWS documents."""
    found = {
        (name, tuple(sorted(dimensions.items()))): value
        for _, _, name, dimensions, value in data_of(SECONDARY)
        if "Lag" not in name
    }
    owners = [
        (("DBClusterIdentifier", "standby"),),
        (("DBClusterIdentifier", "standby"), ("Role", "READER")),
        (("DBInstanceIdentifier", "one"),),
        (("DBInstanceIdentifier", "two"),),
    ]
    assert found == {
        (name, owner): value
        for owner in owners
        for name, value in (("DatabaseConnections", 3.0), ("CPUUtilization", 7.0))
    }


def test_a_dead_server_publishes_nothing() -> None:
    """R6.2: missing data, which alarms treat as configured; a zero would look like a rest."""
    assert data_of(replace(SECONDARY, alive=False)) == []


def test_what_aws_does_not_count_is_no_metric() -> None:
    """R6.1: a single probe is Route 53's own matter; its metric is the check's status."""
    assert data_of(HealthCheckProbe("check", True, False, True, 0.0)) == []


def test_requests_are_counted_where_a_target_was_chosen() -> None:
    """Trap 59: what the load balancer refuses by itself is its own 5xx and no request; a target's
    5xx is counted under the load balancer and its group."""
    balancer, group = "app/alb/1", "targetgroup/tg/1"
    refused = data_of(LoadBalancerRequest("us-east-1", balancer, "", 503, False, 0.1))
    assert [(name, dimensions) for _, _, name, dimensions, _ in refused] == [
        ("HTTPCode_ELB_5XX_Count", {"LoadBalancer": balancer})
    ]
    failed = data_of(LoadBalancerRequest("us-east-1", balancer, group, 502, False, 0.1))
    assert {name for _, _, name, _, _ in failed} == {"RequestCount", "HTTPCode_ELB_5XX_Count"}
    answered = data_of(LoadBalancerRequest("us-east-1", balancer, group, 500, True, 0.1))
    counted = [dimensions for _, _, name, dimensions, _ in answered if "Target_5XX" in name]
    both = {"LoadBalancer": balancer, "TargetGroup": group}
    assert counted == [{"LoadBalancer": balancer}, both]
