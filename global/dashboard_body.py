"""The dashboard's body: readiness on top, then both regions side by side.

Pure; the values may be Outputs. Form: "Dashboard Body Structure and Syntax" (CloudWatch API
reference), 24 columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

import alarm_specs
import cloudwatch_metrics as metrics
from cloudwatch_metrics import Metric
from tapstack.budget import DATABASE_LAG_ALARM_SECONDS, EVENT_DELIVERY_ALARM_SECONDS
from tapstack.pair import Pair
from tapstack.well_known import FAILOVER_READINESS
from watched_region import WatchedRegion

Widget = dict[str, Any]

HALF = 12
THIRD = 8
HEIGHT = 6
METRICS_REGION_OF_ROUTE_53 = "us-east-1"


@dataclass(frozen=True)
class Dashboard:
    """What the dashboard shows."""

    suffix: str
    fqdn: str
    regions: Pair[WatchedRegion]
    health_checks: Mapping[str, pulumi.Input[str]]
    """Label → id."""
    alarm_arns: Pair[Sequence[pulumi.Input[str]]]


@dataclass(frozen=True)
class Line:
    """One line of a graph."""

    metric: Metric
    statistic: str
    label: str
    right: bool = False
    """Drawn against the right axis."""
    region: str = ""
    """Where the metric is; empty: where the graph's others are."""


@dataclass(frozen=True)
class Threshold:
    """A value from which on it's an alarm."""

    label: str
    value: float
    right: bool = False
    """Marked on the right axis."""


def body(dashboard: Dashboard) -> dict[str, Any]:
    """``{"widgets": […]}``, ready to be JSON."""
    rows = [
        [_header(dashboard)],
        [_readiness(dashboard), _lag(dashboard), _health(dashboard)],
        *(
            [draw(watched) for watched in dashboard.regions]
            for draw in (
                _requests,
                _function,
                _database,
                _objects,
                _propagation,
                _dead_letters,
                _backups,
            )
        ),
        [_alarms(watched, arns) for watched, arns in dashboard.regions.zip(dashboard.alarm_arns)],
    ]
    return {"start": "-PT3H", "periodOverride": "inherit", "widgets": _placed(rows)}


def _placed(rows: Sequence[Sequence[Widget]]) -> list[Widget]:
    placed: list[Widget] = []
    y = 0
    for row in rows:
        x = 0
        for widget in row:
            placed.append({**widget, "x": x, "y": y})
            x += widget["width"]
        y += row[0]["height"]
    return placed


def _header(dashboard: Dashboard) -> Widget:
    links = " · ".join(
        f"[alarms in {name}](https://{name}.console.aws.amazon.com/cloudwatch/home"
        f"?region={name}#alarmsV2:)"
        for name in (watched.region.name for watched in dashboard.regions)
    )
    checks = "https://console.aws.amazon.com/route53/healthchecks/home"
    text = (
        f"# Warm standby {dashboard.suffix}: http://{dashboard.fqdn}\n"
        f"{links} · [health checks]({checks}) · "
        "[Aurora global database](https://console.aws.amazon.com/rds/home#databases:)\n\n"
        "When something is red: `./inv status`, then **docs/runbook.md**. Traffic fails over by "
        "itself and comes back only when a person releases the switch."
    )
    return {
        "type": "text",
        "width": 24,
        "height": 4,
        "properties": {"markdown": text},
    }


def _readiness(dashboard: Dashboard) -> Widget:
    metric = metrics.recovery(FAILOVER_READINESS, dashboard.suffix)
    names = [watched.region.name for watched in dashboard.regions.swapped()]
    return _graph(
        "Failover readiness (1 = ready)",
        names[0],
        [Line(metric, "Minimum", f"by {name}", region=name) for name in names],
        width=THIRD,
        view="singleValue",
    )


def _lag(dashboard: Dashboard) -> Widget:
    """Aurora publishes both where the secondary is: in us-east-1 after roles were swapped, where
    they say when it has caught up for the way back."""
    standby = dashboard.regions.secondary
    lines = [
        Line(metrics.recovery("ReplicationLag", dashboard.suffix), "Maximum", "lag seen"),
        *(
            Line(
                metrics.cluster(name, watched.cluster_identifier),
                "Maximum",
                f"{label}, {watched.region.name}",
                region=watched.region.name,
            )
            for watched in dashboard.regions.swapped()
            for name, label in (
                ("AuroraGlobalDBReplicationLag", "lag by Aurora"),
                ("AuroraGlobalDBRPOLag", "data at risk"),
            )
        ),
    ]
    return _graph(
        "Standby database behind by (ms)",
        standby.region.name,
        lines,
        width=THIRD,
        thresholds=[Threshold("alarm", DATABASE_LAG_ALARM_SECONDS * 1000)],
    )


def _health(dashboard: Dashboard) -> Widget:
    lines = [
        Line(metrics.health_check(check_id), "Minimum", label)
        for label, check_id in dashboard.health_checks.items()
    ]
    return _graph("Health checks (1 = healthy)", METRICS_REGION_OF_ROUTE_53, lines, width=THIRD)


def _requests(watched: WatchedRegion) -> Widget:
    app = watched.app
    return _regional(
        "Load balancer",
        watched,
        [
            Line(metrics.load_balancer("RequestCount", app), "Sum", "requests"),
            Line(metrics.load_balancer("HTTPCode_Target_5XX_Count", app), "Sum", "5xx by function"),
            Line(metrics.load_balancer("HTTPCode_ELB_5XX_Count", app), "Sum", "5xx by balancer"),
            Line(metrics.target_group("HealthyHostCount", app), "Minimum", "healthy targets", True),
            Line(metrics.target_group("TargetResponseTime", app), "p99", "p99 seconds", True),
        ],
        [
            Threshold("no healthy target below", 1, right=True),
            Threshold("p99 alarm", alarm_specs.SLOWEST_ANSWER_SECONDS, right=True),
        ],
    )


def _function(watched: WatchedRegion) -> Widget:
    return _regional(
        "Function",
        watched,
        [
            Line(metrics.function("Invocations", watched.app), "Sum", "calls"),
            Line(metrics.function("Errors", watched.app), "Sum", "errors"),
            Line(metrics.function("Throttles", watched.app), "Sum", "throttles"),
            Line(metrics.function("Duration", watched.app), "p99", "p99 ms", True),
        ],
    )


def _database(watched: WatchedRegion) -> Widget:
    identifier = watched.cluster_identifier
    return _regional(
        "Aurora",
        watched,
        [
            Line(metrics.cluster("DatabaseConnections", identifier), "Maximum", "connections"),
            Line(metrics.cluster("CPUUtilization", identifier), "Maximum", "CPU %", True),
        ],
        [
            Threshold("connections near the maximum", watched.most_connections),
            Threshold("CPU alarm", alarm_specs.CPU_PERCENT, right=True),
        ],
    )


def _objects(watched: WatchedRegion) -> Widget:
    lines = []
    for rule in watched.received:
        pending = metrics.object_replication("OperationsPendingReplication", rule)
        latency = metrics.object_replication("ReplicationLatency", rule)
        lines.append(Line(latency, "Maximum", "seconds behind"))
        lines.append(Line(pending, "Maximum", "objects waiting", True))
    # Without replication into this region there is nothing to draw, and a graph needs a metric.
    if not lines:
        return {
            "type": "text",
            "width": HALF,
            "height": HEIGHT,
            "properties": {"markdown": f"No objects are replicated to {watched.region.name}."},
        }
    return _regional(
        "Objects replicated to",
        watched,
        lines,
        [
            Threshold("latency alarm", alarm_specs.OBJECT_LATENCY_SECONDS),
            Threshold("waiting alarm", alarm_specs.BACKLOG_OPERATIONS, right=True),
        ],
    )


def _propagation(watched: WatchedRegion) -> Widget:
    metric = metrics.recovery("EventPropagation", watched.region.suffix)
    return _regional(
        "Events on their way to",
        watched,
        [Line(metric, "Maximum", "slowest, ms")],
        [Threshold("alarm", EVENT_DELIVERY_ALARM_SECONDS * 1000)],
    )


def _backups(watched: WatchedRegion) -> Widget:
    return _regional(
        "Backups",
        watched,
        [
            Line(metrics.backup_vault(name, watched.vault_name), "Sum", label)
            for name, label in (
                ("NumberOfBackupJobsCompleted", "completed"),
                ("NumberOfCopyJobsCompleted", "copied"),
                ("NumberOfBackupJobsFailed", "failed"),
                ("NumberOfBackupJobsExpired", "expired"),
                ("NumberOfCopyJobsFailed", "copies failed"),
            )
        ],
    )


def _dead_letters(watched: WatchedRegion) -> Widget:
    return _regional(
        "Events that weren't delivered",
        watched,
        [
            Line(metrics.queue_depth(queue), "Maximum", purpose)
            for purpose, queue in watched.dead_letter_queues.items()
        ],
        [Threshold("alarm", 1)],
    )


def _alarms(watched: WatchedRegion, arns: Sequence[pulumi.Input[str]]) -> Widget:
    return {
        "type": "alarm",
        "width": HALF,
        "height": HEIGHT,
        "properties": {"title": f"Alarms, {watched.region.name}", "alarms": list(arns)},
    }


def _regional(
    title: str,
    watched: WatchedRegion,
    lines: Sequence[Line],
    thresholds: Sequence[Threshold] = (),
) -> Widget:
    region = watched.region.name
    return _graph(f"{title}, {region}", region, lines, width=HALF, thresholds=thresholds)


def _graph(
    title: str,
    region: str,
    lines: Sequence[Line],
    *,
    width: int,
    thresholds: Sequence[Threshold] = (),
    view: str = "timeSeries",
) -> Widget:
    properties: dict[str, Any] = {
        "title": title,
        "region": region,
        "view": view,
        "stacked": False,
        "period": 60,
        "metrics": [_drawn(line) for line in lines],
        "yAxis": {"left": {"min": 0}, "right": {"min": 0}},
    }
    if thresholds:
        properties["annotations"] = {
            "horizontal": [
                {"label": mark.label, "value": mark.value, "yAxis": _axis(mark.right)}
                for mark in thresholds
            ]
        }
    return {"type": "metric", "width": width, "height": HEIGHT, "properties": properties}


def _drawn(line: Line) -> list[Any]:
    """``[namespace, name, dimension, value, …, {options}]``"""
    dimensions = [part for pair in line.metric.dimensions.items() for part in pair]
    options = {"stat": line.statistic, "label": line.label, "yAxis": _axis(line.right)}
    if line.region:
        options["region"] = line.region
    return [line.metric.namespace, line.metric.name, *dimensions, options]


def _axis(right: bool) -> str:
    return "right" if right else "left"
