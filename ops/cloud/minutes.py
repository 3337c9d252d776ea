"""What CloudWatch counts of a region by the minute: requests, errors, and what is on its way from
the other region. One ``GetMetricData`` call a region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from tapstack.well_known import METRIC_NAMESPACE, SUFFIX_TAG, replication_rule_id

WINDOW = timedelta(minutes=60)
PERIOD = 60
REQUESTS, BY_TARGET, BY_BALANCER = "requests", "errors_target", "errors_balancer"
EVENTS, OBJECTS, OBJECTS_WAITING = "events", "objects", "objects_waiting"


@dataclass(frozen=True)
class Minutes:
    """One region's hour; ``unknown`` says why nothing is known.

    What crosses is what comes *to* this region; None where nothing was measured.
    """

    requests: tuple[tuple[int, int, int], ...] = ()
    """(start of the minute in seconds since the epoch, requests, 5xx)"""
    event_ms: float | None = None
    """Of the newest minute, the slowest event's way (``EventPropagation``)."""
    object_seconds: float | None = None
    """S3's ``ReplicationLatency``."""
    objects_waiting: int | None = None
    """S3's ``OperationsPendingReplication``."""
    unknown: str = ""


def minutes(
    outputs: Mapping[str, Any], role: str, clients: Clients, region: str, suffix: str
) -> Minutes:
    """The last hour of one region, by ``outputs`` (docs/names.md)."""
    balancer = outputs.get(f"app.{role}.load_balancer_arn_suffix")
    if not balancer:
        return Minutes(unknown="not deployed")
    now = datetime.now(UTC)
    try:
        answer = clients.get("cloudwatch", region).get_metric_data(
            StartTime=now - WINDOW,
            EndTime=now,
            ScanBy="TimestampAscending",
            MetricDataQueries=_queries(outputs, role, balancer, region, suffix),
        )
    except (ClientError, BotoCoreError) as error:
        return Minutes(unknown=reason(error))
    found = {
        result["Id"]: dict(zip(result["Timestamps"], result["Values"], strict=True))
        for result in answer["MetricDataResults"]
    }
    errors = [found.get(name, {}) for name in (BY_TARGET, BY_BALANCER)]
    counted = found.get(REQUESTS, {})
    every = sorted({at for series in (counted, *errors) for at in series})
    waiting = _newest(found.get(OBJECTS_WAITING, {}))
    return Minutes(
        tuple(
            (
                int(at.timestamp()),
                int(counted.get(at, 0)),
                int(sum(series.get(at, 0) for series in errors)),
            )
            for at in every
        ),
        _newest(found.get(EVENTS, {})),
        _newest(found.get(OBJECTS, {})),
        None if waiting is None else int(waiting),
    )


def _queries(
    outputs: Mapping[str, Any], role: str, balancer: str, region: str, suffix: str
) -> list[dict[str, Any]]:
    other = "secondary" if role == "primary" else "primary"
    of_balancer = {"LoadBalancer": balancer}
    copied = {
        "SourceBucket": outputs.get(f"data.{other}.bucket_name", ""),
        "DestinationBucket": outputs.get(f"data.{role}.bucket_name", ""),
        "RuleId": replication_rule_id(region),
    }
    queries = [
        _query(REQUESTS, "AWS/ApplicationELB", "RequestCount", of_balancer, "Sum"),
        _query(BY_TARGET, "AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", of_balancer, "Sum"),
        _query(BY_BALANCER, "AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", of_balancer, "Sum"),
        _query(EVENTS, METRIC_NAMESPACE, "EventPropagation", {SUFFIX_TAG: suffix}, "Maximum"),
    ]
    if all(copied.values()):
        queries += [
            _query(OBJECTS, "AWS/S3", "ReplicationLatency", copied, "Maximum"),
            _query(OBJECTS_WAITING, "AWS/S3", "OperationsPendingReplication", copied, "Maximum"),
        ]
    return queries


def _query(
    name: str, namespace: str, metric: str, dimensions: Mapping[str, str], statistic: str
) -> dict[str, Any]:
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    measured = {"Namespace": namespace, "MetricName": metric, "Dimensions": named}
    return {"Id": name, "MetricStat": {"Metric": measured, "Period": PERIOD, "Stat": statistic}}


def _newest(series: Mapping[datetime, float]) -> float | None:
    return series[max(series)] if series else None
