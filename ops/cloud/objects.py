"""Objects that wait for their replica."""

from __future__ import annotations

from datetime import timedelta

from ops.cloud import metrics
from ops.cloud.clients import Clients
from tapstack.well_known import replication_rule_id

WINDOW = timedelta(minutes=5)
"""What waited all the time is stuck; what comes and goes is work."""


def pending(clients: Clients, source: str, destination: str, region: str) -> int:
    """How many objects have been waiting on their way from one bucket to the other for as long as
    ``WINDOW``; ``region`` is the destination's, where S3 publishes it. boto3's errors are raised.

    S3 reports nothing where nothing is replicated, so no figure is none.
    """
    found = metrics.newest(
        clients.get("cloudwatch", region),
        ("AWS/S3", "OperationsPendingReplication", "Minimum"),
        {
            "SourceBucket": source,
            "DestinationBucket": destination,
            "RuleId": replication_rule_id(region),
        },
        WINDOW,
    )
    return int(min(found, default=0))
