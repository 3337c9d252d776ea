"""N6: the budget's constants are what the programs really deploy, in both regions.

A constant that is changed in one place alone would let the budget promise what no alarm watches.
"""

from __future__ import annotations

import pytest
from harness import program, run_program

from tapstack import budget
from tapstack.settings import Settings

REGIONS = ("us-east-1", "us-west-2")
CONFIG = {"TapStack:environmentSuffix": "test", "aws:region": "us-east-1"}
CHECKS = {"global:healthCheckInterval": "10", "global:healthCheckThreshold": "5"}


def threshold(purpose: str, region: str) -> float:
    """What the alarm of that purpose compares with, in milliseconds."""
    alarms = program("global").created("aws:cloudwatch/metricAlarm:MetricAlarm", region)
    (found,) = [x for x in alarms if x.inputs["name"].startswith(f"alarm-{purpose}-{region}-")]
    return found.inputs["threshold"]


@pytest.mark.parametrize("region", REGIONS)
def test_alarms_watch_what_the_budget_allows(region: str) -> None:
    """N6: database lag, RPO lag and event delivery, in milliseconds as AWS measures them."""
    assert threshold("rds-global-lag", region) == budget.DATABASE_LAG_ALARM_SECONDS * 1000
    assert threshold("rds-rpo-lag", region) == budget.DATABASE_LAG_ALARM_SECONDS * 1000
    assert threshold("event-latency", region) == budget.EVENT_DELIVERY_ALARM_SECONDS * 1000


@pytest.mark.parametrize("region", REGIONS)
def test_objects_replicate_within_the_budget(region: str) -> None:
    """N6, trap 23: Replication Time Control's promise and its metrics' threshold, in minutes."""
    data = run_program("data", config={"data:bidirectionalReplication": "true"})
    (configuration,) = data.created(
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig", region
    )
    for rule in configuration.inputs["rules"]:
        minutes = budget.OBJECT_REPLICATION_SECONDS / 60
        assert rule["destination"]["replicationTime"]["time"]["minutes"] == minutes
        assert rule["destination"]["metrics"]["eventThreshold"]["minutes"] == minutes


@pytest.mark.parametrize("config", [{}, CHECKS], ids=["default", "configured"])
def test_the_health_decision_is_that_of_the_deployed_checks(config: dict[str, str]) -> None:
    """N6, R3.1: the checks probe as often, and give up as late, as the budget reckons."""
    decision = Settings.of("dev", {**CONFIG, **config}).budget.traffic[0].seconds
    checks = run_program("global", config=config).created("aws:route53/healthCheck:HealthCheck")
    probing = [x.inputs for x in checks if x.inputs["type"] == "HTTP"]
    assert probing
    for check in probing:
        probes = check["requestInterval"] * check["failureThreshold"]
        assert decision == probes + budget.HEALTH_DECISION_MARGIN_SECONDS
