"""What the console asks of CloudWatch, Route 53 and SSM."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from fake_clients import FakeClients, refusal

from ops.cloud import minutes, parameters, probes
from ops.cloud.clients import Clients
from ops.cloud.minutes import Minutes
from ops.cloud.parameters import Parameters
from ops.cloud.probes import Probe, Probes

EAST, WEST = "us-east-1", "us-west-2"
AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
OUTPUTS = {
    "app.secondary.load_balancer_arn_suffix": "app/alb/1",
    "data.primary.bucket_name": "east",
    "data.secondary.bucket_name": "west",
}


def clients(table: dict[tuple[str, str], dict[str, Any]]) -> Clients:
    return cast(Clients, FakeClients(table))


def test_a_region_s_hour_is_one_call() -> None:
    """Issue 21: requests and errors by the minute, and what comes from the other region, by the
    source's and destination's buckets; errors of function and load balancer are added up."""
    asked: list[dict[str, Any]] = []
    later = AT.replace(minute=5)

    def answer(**given: Any) -> dict[str, Any]:
        asked.append(given)
        values = {
            "requests": {AT: 7.0, later: 3.0}, "errors_target": {AT: 2.0},
            "errors_balancer": {AT: 1.0, later: 1.0}, "events": {AT: 90.0, later: 40.0},
            "objects_waiting": {AT: 2.0},
        }  # fmt: skip
        return {
            "MetricDataResults": [
                {"Id": name, "Timestamps": list(series), "Values": list(series.values())}
                for name, series in values.items()
            ]
        }

    table = {("cloudwatch", WEST): {"get_metric_data": answer}}
    found = minutes.minutes(OUTPUTS, "secondary", clients(table), WEST, "lab")
    at, then = int(AT.timestamp()), int(later.timestamp())
    assert found == Minutes(((at, 7, 3), (then, 3, 1)), 40.0, None, 2)
    assert found.requests[0][0] % 60 == 0
    (call,) = asked
    by_name = {
        query["Id"]: query["MetricStat"]["Metric"]["Dimensions"]
        for query in call["MetricDataQueries"]
    }
    assert by_name["requests"] == [{"Name": "LoadBalancer", "Value": "app/alb/1"}]
    assert {item["Name"]: item["Value"] for item in by_name["objects"]} == {
        "SourceBucket": "east", "DestinationBucket": "west", "RuleId": "to-us-west-2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("outputs", "answer", "unknown"),
    [
        ({}, {}, "not deployed"),
        (OUTPUTS, refusal("Throttling"), "Throttling"),
        ({"app.secondary.load_balancer_arn_suffix": "x"}, {"MetricDataResults": []}, ""),
    ],
)
def test_what_isn_t_measured_is_not_zero(outputs: Any, answer: Any, unknown: str) -> None:
    """Issue 21: unknown has its own word; a region that counted nothing says None."""
    table = {("cloudwatch", WEST): {"get_metric_data": answer}}
    found = minutes.minutes(outputs, "secondary", clients(table), WEST, "lab")
    assert found == Minutes(unknown=unknown)
    assert found.objects_waiting is None


def observation(at: datetime, status: str, **more: str) -> dict[str, Any]:
    return {**more, "StatusReport": {"Status": status, "CheckedTime": at}}


@pytest.mark.parametrize(
    ("identity", "answer", "found"),
    [
        ("id", {"HealthCheckObservations": [
            observation(AT.replace(minute=5), "Failure: timed out", Region="eu-west-1",
                        IPAddress="1.2.3.4"),
            observation(AT, "Success: HTTP Status Code 200, OK"),
        ]}, Probes((
            Probe("", AT.timestamp(), True, "HTTP Status Code 200, OK"),
            Probe("eu-west-1 1.2.3.4", AT.timestamp() + 60, False, "timed out"),
        ))),
        ("id", refusal("Throttling"), Probes(unknown="Throttling")),
        (None, {}, Probes(unknown="not deployed")),
    ],
)  # fmt: skip
def test_probes_are_seen_one_by_one(identity: str | None, answer: Any, found: Probes) -> None:
    """Issue 21, trap 11: asked in us-east-1, oldest first; with that region lost it's unknown."""
    table = {("route53", EAST): {"get_health_check_status": answer}}
    assert probes.probes(clients(table), identity) == found


def named(region: str, **values: str) -> dict[str, Any]:
    path = f"/warm-standby/{region}/lab/shared/"
    return {"Parameters": [{"Name": path + key, "Value": value} for key, value in values.items()]}


@pytest.mark.parametrize(
    ("east", "west", "found"),
    [
        (named(EAST, a="1", b="2"), named(WEST, a="1", b="2"), Parameters(2)),
        (named(EAST, a="1", b="2"), named(WEST, a="1", b="3", c="4"), Parameters(1, ("b", "c"))),
        (named(EAST), refusal("Throttling"), Parameters(unknown="us-west-2: Throttling")),
    ],
)
def test_shared_parameters_are_compared_by_key(east: Any, west: Any, found: Parameters) -> None:
    """Issue 21: what is equal in both regions, what differs; never the values."""
    table = {
        ("ssm", EAST): {"get_parameters_by_path": east},
        ("ssm", WEST): {"get_parameters_by_path": west},
    }
    assert parameters.parameters(clients(table), "lab") == found
