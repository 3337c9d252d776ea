"""What each rule takes and leaves, of events as EventBridge delivers them."""

from __future__ import annotations

from typing import Any

import pytest
from event_matching import matches

import event_patterns
from tapstack.events import DETAIL_TYPES

EAST, WEST = "us-east-1", "us-west-2"
APPLICATION, HEARTBEAT = "warm-standby.app", "warm-standby.heartbeat"


def event(source: str, kind: str, region: str) -> dict[str, Any]:
    return {"source": source, "detail-type": kind, "region": region, "detail": {}}


TAKEN = {
    # Rule: the (source, detail type) that it takes of us-east-1's, and of us-west-2's.
    "application": (
        event_patterns.application_events(),
        {(APPLICATION, kind) for kind in DETAIL_TYPES},
        {(APPLICATION, kind) for kind in DETAIL_TYPES},
    ),
    "born in us-east-1": (
        event_patterns.born_in(EAST),
        {
            *((APPLICATION, kind) for kind in DETAIL_TYPES),
            (HEARTBEAT, "heartbeat"),
            (HEARTBEAT, "marker"),
        },
        set(),
    ),
    "heartbeat of us-east-1": (
        event_patterns.heartbeat_of(EAST),
        {(HEARTBEAT, "heartbeat")},
        set(),
    ),
    "marker of us-west-2": (event_patterns.marker_of(WEST), set(), {(HEARTBEAT, "marker")}),
}
PUBLISHED = (
    *((APPLICATION, kind) for kind in DETAIL_TYPES),
    (HEARTBEAT, "heartbeat"),
    (HEARTBEAT, "marker"),
    ("warm-standby.schedule", "outbox.drain"),
    ("aws.ec2", "heartbeat"),
)


@pytest.mark.parametrize("name", TAKEN)
def test_a_rule_takes_these_and_no_others(name: str) -> None:
    """R5.1, trap 27: what was born in a region goes out of it, and never back."""
    pattern, *expected = TAKEN[name]
    for region, wanted in zip((EAST, WEST), expected, strict=True):
        taken = {one for one in PUBLISHED if matches(pattern, event(*one, region))}
        assert taken == wanted, region
