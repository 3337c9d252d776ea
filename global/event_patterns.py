"""Which events each rule takes. Pure, so that the proof against loops can read them.

A forwarded event keeps its ``source`` and its ``region``. Forwarding takes only what was born in
its own region: without ``region`` every received event would match the way back too, which
EventBridge refuses as a third hop, without a retry, into the dead-letter queue (trap 27).
"""

from typing import Any

from tapstack.events import DETAIL_TYPES, SOURCE

Pattern = dict[str, Any]

SCHEDULED_SOURCE = "aws.events"
SCHEDULED_DETAIL_TYPE = "Scheduled Event"


def application_events() -> Pattern:
    """What the application publishes, wherever it was born."""
    return {"source": [SOURCE], "detail-type": list(DETAIL_TYPES)}


def born_in(region: str) -> Pattern:
    """What the application published in this region."""
    return {**application_events(), "region": [region]}


def heartbeat_of(region: str, rule_arn: Any) -> Pattern:
    """The scheduled event of one rule of one region, as it arrives on the other region's bus.

    ``rule_arn`` may be an Output.
    """
    return {
        "source": [SCHEDULED_SOURCE],
        "detail-type": [SCHEDULED_DETAIL_TYPE],
        "region": [region],
        "resources": [rule_arn],
    }
