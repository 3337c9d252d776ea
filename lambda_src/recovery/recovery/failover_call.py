"""The one call that promotes, and what its answers mean.

``failover_global_cluster`` is called in the *target's* region, with the target's ARN (recovery.md
1.1). The client's own retries must be off: a retried call would be a second one (H11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from recovery.model import Answer, Called
from recovery.stored import error_code

THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"}
)


class Rds(Protocol):
    """What is used of boto3's RDS client."""

    def failover_global_cluster(self, **arguments: Any) -> Mapping[str, Any]:
        """The unplanned failover, with ``AllowDataLoss``."""
        ...


def fail_over(client: Rds, global_cluster: str, target_arn: str) -> Called:
    """Calls once; returns the request id, or the fault and whether anything may have begun."""
    try:
        answer = client.failover_global_cluster(
            GlobalClusterIdentifier=global_cluster,
            TargetDbClusterIdentifier=target_arn,
            AllowDataLoss=True,
        )
    except Exception as fault:
        return Called(meaning(fault), error_code(fault))
    return Called(Answer.ACCEPTED, str(answer.get("ResponseMetadata", {}).get("RequestId", "")))


def meaning(fault: Exception) -> Answer:
    """Returns what a fault says: only a 4xx answer of AWS proves that nothing began.

    A time-out, a lost connection and every 5xx leave it open.
    """
    response = getattr(fault, "response", None)
    if not isinstance(response, dict):
        return Answer.UNCLEAR
    if error_code(fault) in THROTTLED:
        return Answer.THROTTLED
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return Answer.REFUSED if 400 <= status < 500 else Answer.UNCLEAR
