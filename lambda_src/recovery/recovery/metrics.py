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


def measure(cloudwatch: CloudWatch, suffix: str, name: str, value: float) -> None:
    """Puts one data point; a failure is logged and forgotten."""
    datum = {
        "MetricName": name,
        "Dimensions": [{"Name": "EnvironmentSuffix", "Value": suffix}],
        "Value": value,
    }
    try:
        cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[datum])
    except Exception as fault:
        logger.warning("%s isn't measured: %s", name, error_code(fault))
