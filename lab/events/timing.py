"""When a schedule is due: expression, time zone, first and last date.

As the EventBridge Scheduler user guide has it ("Schedule types in EventBridge Scheduler"): cron and
one-time expressions are read in the schedule's time zone; nothing is invoked before the start date
or after the end date, and a rate counts from the start date where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Timing:
    """A schedule's times; seconds since the epoch, in lab time."""

    expression: str
    zone: str = "UTC"
    starts: float | None = None
    ends: float | None = None

    def begins(self, now: float) -> float:
        """The moment from which a schedule that is first seen ``now`` counts."""
        return max(now, self.starts or now)

    def is_over(self, now: float) -> bool:
        """Whether the end date has passed."""
        return self.ends is not None and now > self.ends

    def is_due(self, last: float, now: float) -> bool:
        """Whether there is an occurrence in (last, now]; an expression that can't be read never
        has one."""
        from ministack.services import eventbridge, scheduler

        if self.is_over(now):
            return False
        if (seconds := eventbridge._parse_rate_seconds(self.expression)) is not None:
            return now - last >= seconds
        if (at := scheduler._at_time_epoch(self.expression)) is not None:
            local = datetime.fromtimestamp(at, UTC).replace(tzinfo=self._zone())
            return last < local.timestamp() <= now
        if (fields := eventbridge._parse_cron_fields(self.expression)) is None:
            return False
        after = datetime.fromtimestamp(last, self._zone())
        upcoming = eventbridge._cron_next_fire(fields, after)
        return upcoming is not None and upcoming.timestamp() <= now

    def occurrence(self, last: float, now: float) -> float:
        """When a due occurrence counts as fired: a rate keeps its beat, unless the clock ran
        ahead."""
        from ministack.services import eventbridge

        seconds = eventbridge._parse_rate_seconds(self.expression)
        if seconds is None or now - last >= 2 * seconds:
            return now
        return last + seconds

    def comes_once(self) -> bool:
        """Whether it is a one-time schedule."""
        return self.expression.strip().startswith("at(")

    def _zone(self) -> tzinfo:
        return UTC if self.zone == "UTC" else ZoneInfo(self.zone)
