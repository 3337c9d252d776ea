"""The dashboard: valid, deterministic, both regions side by side."""

import json
from typing import Any

import pytest
from dashboard_schema import faults
from harness import SUFFIX, program, run_program, sample_outputs

from tapstack.contracts import DataOutputs

REGIONS = ("us-east-1", "us-west-2")
DATA = sample_outputs(DataOutputs)


def body() -> dict[str, Any]:
    dashboard = program("global").one("aws:cloudwatch/dashboard:Dashboard")
    return json.loads(dashboard.inputs["dashboardBody"])


def titled(start: str) -> list[dict[str, Any]]:
    return [
        widget for widget in body()["widgets"]
        if widget["properties"].get("title", "").startswith(start)
    ]  # fmt: skip


def test_the_body_is_what_cloudwatch_accepts() -> None:
    """R6.1: "Dashboard Body Structure and Syntax"; no widget covers another."""
    assert faults(body()) == []


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ({"x": 20}, "is wider than the dashboard"),
        ({"y": -1}, "has no place"),
        ({"type": "graph"}, "type graph"),
        ({"properties": {"markdown": "", "html": ""}}, "html isn't a property"),
        ({"properties": {}}, "lacks markdown"),
    ],
)
def test_the_schema_finds_faults(damage: dict[str, Any], fault: str) -> None:
    """R6.1: a check that accepts everything would hold nothing."""
    first, *rest = body()["widgets"]
    assert f"widget 0: {fault}" in faults({"widgets": [{**first, **damage}, *rest]})


def test_each_widget_says_which_region_it_draws() -> None:
    """Trap 72: a dashboard belongs to no region, so its name alone says nothing: there is one, each
    graph names its region, and each list of alarms holds those of one, so that it shows at all
    where another region's can't be drawn."""
    assert len(program("global").created("aws:cloudwatch/dashboard:Dashboard")) == 1
    listed = []
    for widget in body()["widgets"]:
        if widget["type"] == "metric":
            assert widget["properties"]["region"] in REGIONS
        if widget["type"] == "alarm":
            (region,) = {arn.split(":")[3] for arn in widget["properties"]["alarms"]}
            assert region in widget["properties"]["title"]
            listed.append(region)
    assert set(listed) == set(REGIONS)


def test_overlapping_widgets_are_a_fault() -> None:
    """R6.1: as above."""
    first, second, *_ = body()["widgets"]
    assert "widget 1: covers widget 0" in faults({"widgets": [first, {**second, "x": 0, "y": 0}]})


def test_the_same_configuration_draws_the_same_bytes() -> None:
    """R6.1: or every deployment would show a change."""
    again = run_program("global").one("aws:cloudwatch/dashboard:Dashboard")
    once = program("global").one("aws:cloudwatch/dashboard:Dashboard")
    assert again.inputs["dashboardBody"] == once.inputs["dashboardBody"]


def test_readiness_and_health_are_on_top() -> None:
    """R6.1: the custom metrics, written in us-west-2, and Route 53's, which are in us-east-1."""
    readiness, lag, health = titled("Failover") + titled("Standby") + titled("Health")
    assert {widget["y"] for widget in (readiness, lag, health)} == {4}
    namespace, name, *dimension = readiness["properties"]["metrics"][0][:-1]
    assert (namespace, name) == ("WarmStandby", "FailoverReadiness")
    assert dimension == ["EnvironmentSuffix", SUFFIX]
    assert readiness["properties"]["region"] == "us-west-2"
    assert health["properties"]["region"] == "us-east-1"
    assert [line[-1]["label"] for line in health["properties"]["metrics"]] == [
        "us-east-1", "us-west-2", "switch released", "primary serves",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "title",
    ["Load balancer", "Function", "Aurora", "Objects replicated to",
     "Events on their way to", "Events that weren't delivered", "Backups", "Alarms"],
)  # fmt: skip
def test_both_regions_stand_side_by_side(title: str) -> None:
    """R6.1: the same graph of each, left the primary, right the standby."""
    left, right = titled(title)
    assert left["properties"]["title"].endswith("us-east-1")
    assert right["properties"]["title"].endswith("us-west-2")
    assert (left["x"], right["x"]) == (0, 12)
    assert left["y"] == right["y"]
    if left["type"] == "metric":
        assert [left["properties"]["region"], right["properties"]["region"]] == list(REGIONS)


def test_thresholds_are_drawn() -> None:
    """R6.1: a graph shows from where on it's an alarm."""
    marks = {
        widget["properties"]["title"]: [
            (mark["value"], mark["yAxis"])
            for mark in widget["properties"]["annotations"]["horizontal"]
        ]
        for widget in body()["widgets"]
        if "annotations" in widget["properties"]
    }
    assert marks == {
        "Standby database behind by (ms)": [(60_000, "left")],
        **{
            f"{title}, {region}": marks
            for region in REGIONS
            for title, marks in {
                "Load balancer": [(1, "right"), (3, "right")],
                "Aurora": [(1441, "left"), (80, "right")],
                "Objects replicated to": [(600, "left"), (100, "right")],
                "Events on their way to": [(300_000, "left")],
                "Events that weren't delivered": [(1, "left")],
            }.items()
        },
    }


def test_the_lag_is_drawn_whichever_region_follows() -> None:
    """R6.1, trap 2: Aurora publishes it in the secondary's region, us-east-1 after a failover."""
    (widget,) = titled("Standby database")
    drawn = {
        (line[1], dict(zip(line[2:-1:2], line[3:-1:2], strict=True))["DBClusterIdentifier"],
         line[-1]["region"])
        for line in widget["properties"]["metrics"]
        if line[0] == "AWS/RDS"
    }  # fmt: skip
    assert drawn == {
        (name, DATA[role]["cluster_identifier"], region)
        for name in ("AuroraGlobalDBReplicationLag", "AuroraGlobalDBRPOLag")
        for role, region in zip(("primary", "secondary"), REGIONS, strict=True)
    }


def test_every_alarm_is_shown() -> None:
    """R6.1: the composite verdict among them."""
    deployment = program("global")
    alarms = [
        *deployment.created("aws:cloudwatch/metricAlarm:MetricAlarm"),
        *deployment.created("aws:cloudwatch/compositeAlarm:CompositeAlarm"),
    ]
    shown = {arn for widget in titled("Alarms") for arn in widget["properties"]["alarms"]}
    assert shown == {entry.outputs["arn"] for entry in alarms}


def test_the_url_opens_the_console_of_the_standby() -> None:
    """R8, trap 10: it is needed most when us-east-1's console doesn't open."""
    assert program("global").exports["dashboard_url"] == (
        "https://us-west-2.console.aws.amazon.com/cloudwatch/home?region=us-west-2"
        f"#dashboards/dashboard/dashboard-overview-us-west-2-{SUFFIX}"
    )
