"""What the load balancers answered in the last two minutes, second by second: what a console draws.

CloudWatch counts by the minute, in lab time; this counts by the second, in real time, so that a
person who watches an outage sees it as it happens.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.facts import Event, LoadBalancerRequest

KEPT_SECONDS = 120
ERROR = 500
"""The least HTTP status that counts as an error."""


@dataclass
class Second:
    """The requests of one real second; ``at`` in seconds since the epoch."""

    at: int
    requests: int = 0
    errors: int = 0


class RecentRequests:
    """Counts by region; an observer of the lab's events."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._regions: dict[str, deque[Second]] = {}

    def happened(self, event: Event) -> None:
        """Counts one event, if it is a load balancer's answer."""
        if not isinstance(event, LoadBalancerRequest):
            return
        seconds = self._regions.setdefault(event.region, deque(maxlen=KEPT_SECONDS))
        at = int(self._now())
        if not seconds or seconds[-1].at != at:
            seconds.append(Second(at))
        seconds[-1].requests += 1
        seconds[-1].errors += event.status >= ERROR

    def as_dict(self) -> dict[str, Any]:
        """``{"now": second, "regions": {region: [[second, requests, errors], …]}}``; seconds
        without a request are left out."""
        now = int(self._now())
        return {
            "now": now,
            "regions": {
                region: [
                    [second.at, second.requests, second.errors]
                    for second in seconds
                    if now - second.at < KEPT_SECONDS
                ]
                for region, seconds in sorted(self._regions.items())
            },
        }
