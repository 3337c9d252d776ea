"""What CloudWatch has measured of late."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

PERIOD_SECONDS = 60


def newest(
    client: Any, metric: tuple[str, str, str], dimensions: Mapping[str, str], window: timedelta
) -> list[float]:
    """The values of the last ``window``, a minute each, oldest first; boto3's errors are raised.

    ``metric`` is namespace, name and statistic.
    """
    namespace, name, statistic = metric
    now = datetime.now(UTC)
    points = client.get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - window,
        EndTime=now,
        Period=PERIOD_SECONDS,
        Statistics=[statistic],
    )["Datapoints"]
    return [point[statistic] for point in sorted(points, key=lambda point: point["Timestamp"])]
