"""The metrics of ``WarmStandby``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from recovery.stored import error_code

logger = logging.getLogger(__name__)

NAMESPACE = "WarmStandby"


class CloudWatch(Protocol):
    """What is used of boto3's CloudWatch client."""

    def put_metric_data(self, **arguments: Any) -> Mapping[str, Any]:
        """Puts data points."""
        ...


def put(cloudwatch: CloudWatch, suffix: str, name: str, value: float) -> None:
    """Puts one data point; boto3's errors are raised."""
    datum = {
        "MetricName": name,
        "Dimensions": [{"Name": "EnvironmentSuffix", "Value": suffix}],
        "Value": value,
    }
    cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[datum])


def measure(cloudwatch: CloudWatch, suffix: str, name: str, value: float) -> None:
    """Puts one data point; a failure is logged and forgotten."""
    try:
        put(cloudwatch, suffix, name, value)
    except Exception as fault:
        logger.warning("%s isn't measured: %s", name, error_code(fault))
