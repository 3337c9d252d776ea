"""Which events each rule takes. Pure, so that the proof against loops can read them.

A forwarded event keeps its ``source`` and its ``region``. Forwarding takes only what was born in
its own region: without ``region`` every received event would match the way back too, which
EventBridge refuses as a third hop, without a retry, into the dead-letter queue (trap 27).
"""

from typing import Any

from tapstack.events import (
    DETAIL_TYPES,
    HEARTBEAT_DETAIL_TYPE,
    HEARTBEAT_SOURCE,
    MARKER_DETAIL_TYPE,
    SOURCE,
)

Pattern = dict[str, Any]


def application_events() -> Pattern:
    """What the application publishes, wherever it was born."""
    return {"source": [SOURCE], "detail-type": list(DETAIL_TYPES)}


def born_in(region: str) -> Pattern:
    """What goes to the other region: what the application published in this one, and this one's
    signs of life and markers, which test the very way that events take (trap 70)."""
    return {
        "source": [SOURCE, HEARTBEAT_SOURCE],
        "detail-type": [*DETAIL_TYPES, HEARTBEAT_DETAIL_TYPE, MARKER_DETAIL_TYPE],
        "region": [region],
    }


def heartbeat_of(region: str) -> Pattern:
    """One region's sign of life, as it arrives on the other region's bus."""
    return {
        "source": [HEARTBEAT_SOURCE],
        "detail-type": [HEARTBEAT_DETAIL_TYPE],
        "region": [region],
    }


def marker_of(region: str) -> Pattern:
    """What the other region's validator sent over one region's bus, as it arrives."""
    return {
        "source": [HEARTBEAT_SOURCE],
        "detail-type": [MARKER_DETAIL_TYPE],
        "region": [region],
    }
