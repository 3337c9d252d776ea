"""Application events: what is published, and the deterministic names of what carries them.

``app`` publishes to a bus that ``global`` makes later, so both take its name from here and nothing
runs in circles.
"""

from tapstack.naming import physical_name
from tapstack.well_known import CONSUME, PROJECT

SOURCE = f"{PROJECT}.app"
"""The ``source`` of every event that the application publishes."""

DETAIL_TYPES = ("record.created", "record.withdrawn")
"""The ``detail-type`` of the application's events; consumers deduplicate on ``detail.eventId``."""

SCHEDULE_SOURCE = f"{PROJECT}.schedule"
"""The ``source`` of what the one-minute schedule hands to the function."""

DRAIN_DETAIL_TYPE = "outbox.drain"
"""Asks the function to publish what its outbox still holds."""


HEARTBEAT_SOURCE = f"{PROJECT}.heartbeat"
"""The ``source`` of the primary region's sign of life."""

HEARTBEAT_DETAIL_TYPE = "heartbeat"
"""Its ``detail-type``."""

MARKER_DETAIL_TYPE = "marker"
"""The ``detail-type`` of the validator's markers, whose source is that of the signs of life."""

LONGEST_WRITER_OUTAGE_SECONDS = 24 * 3600
"""For so long an event waits for the writer before it is a dead letter: as long as EventBridge
retries its own deliveries (trap 57)."""


def event_bus_name(region: str, suffix: str) -> str:
    """The custom bus of one region."""
    return physical_name("bus", "app", region, suffix)


def event_bus_arn(region: str, suffix: str, account_id: str) -> str:
    """Its ARN, known before it exists."""
    return f"arn:aws:events:{region}:{account_id}:event-bus/{event_bus_name(region, suffix)}"


def consume_queue_arn(region: str, suffix: str, account_id: str) -> str:
    """Returns the ARN of the queue in which one region's events wait.

    ``global`` makes the queue, ``app`` lets its function read it.
    """
    return f"arn:aws:sqs:{region}:{account_id}:{physical_name('queue', CONSUME, region, suffix)}"
