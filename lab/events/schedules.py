"""Schedules on the lab's clock: rules with a schedule expression, and EventBridge Scheduler's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lab.api import ApiRefusal
from lab.context import LabContext
from lab.events.delivery import Delivery
from lab.events.timing import Timing
from lab.facts import Event, Invocation
from lab.outage import OutageKind

logger = logging.getLogger("lab")

LOOK_SECONDS = 0.1
LONGEST_SECONDS = 60.0
"""How long a function that was called on a schedule counts as running if nothing is heard of it."""
SCHEDULER = "scheduler.amazonaws.com"


@dataclass(frozen=True)
class Timed:
    """An enabled schedule: where it is, when it is due, and what it delivers then."""

    key: tuple[str, str, str, str]
    timing: Timing
    region: str
    fire: Callable[[float], list[Delivery]]
    ephemeral: bool = False
    """Whether it is deleted once it has completed (``ActionAfterCompletion``)."""


class Schedules:
    """Fires what is due; an occurrence in a region without compute or API is missed, as nothing
    there runs."""

    def __init__(self, lab: LabContext, accept: Callable[[Delivery], None]) -> None:
        self.lab, self._accept = lab, accept
        self._last: dict[tuple[str, str, str, str], tuple[Timing, float]] = {}
        self._completed: list[tuple[str, str, str, str]] = []
        self._called: dict[tuple[str, str], float] = {}
        """region and function → when a schedule has called it, by ``time.monotonic``"""

    async def run(self) -> None:
        """Watches the schedules for ever."""
        self.lab.observe(self._heard)
        while True:
            try:
                self._look()
                await self._delete_completed()
            except Exception:
                logger.exception("the schedules")
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        now = self.lab.clock.now()
        seen = set()
        for timed in (*_rules(), *_schedules()):
            seen.add(timed.key)
            timing, (known, last) = timed.timing, self._last.get(timed.key, (None, now))
            if known != timing:
                # The countdown begins when the schedule is made, changed or enabled.
                self._last[timed.key] = (timing, timing.begins(now))
                continue
            is_due = timing.is_due(last, now)
            if timed.ephemeral and (timing.is_over(now) or (is_due and timing.comes_once())):
                self._completed.append(timed.key)
            if not is_due:
                continue
            at = timing.occurrence(last, now)
            self._last[timed.key] = (timing, at)
            lost = self.lab.outages.lost(timed.region)
            if OutageKind.API in lost or OutageKind.COMPUTE in lost:
                continue
            # An event carries the time that it was due at, not that of its delivery.
            for delivery in timed.fire(at):
                if not self._overlaps(delivery):
                    self._accept(delivery)
        for key in set(self._last) - seen:
            del self._last[key]

    async def _delete_completed(self) -> None:
        completed, self._completed = self._completed, []
        for _, _, region, key in completed:
            group, _, name = key.partition("/")
            with contextlib.suppress(ApiRefusal):  # somebody has deleted it meanwhile
                await self.lab.aws.call(
                    "scheduler", region, "DeleteSchedule", Name=name, GroupName=group
                )

    def _overlaps(self, delivery: Delivery) -> bool:
        """Whether a function still runs that a schedule has called: only where the lab's minutes
        are shorter than real ones does a call meet the one before, since functions run in real
        time. Then the occurrence is missed."""
        arn = str(delivery.target.get("Arn", "")).split(":")
        if len(arn) < 7 or arn[2] != "lambda" or self.lab.clock.factor <= 1:
            return False
        function, now = (arn[3], arn[6]), time.monotonic()
        if now - self._called.get(function, -LONGEST_SECONDS) < LONGEST_SECONDS:
            return True
        self._called[function] = now
        return False

    def _heard(self, event: Event) -> None:
        if isinstance(event, Invocation):
            self._called.pop((event.region, event.function_name), None)


def _rules() -> Iterator[Timed]:
    from ministack.services import eventbridge

    for (account, region, key), rule in list(eventbridge._rules._data.items()):
        expression = rule.get("ScheduleExpression")
        if expression and rule.get("State") == "ENABLED":
            targets = eventbridge._targets._data.get((account, region, key), [])
            yield Timed(
                ("rule", account, region, key),
                Timing(expression),
                region,
                _rule_fires(rule, targets, account, region),
            )


def _rule_fires(
    rule: dict[str, Any], targets: list[dict[str, Any]], account: str, region: str
) -> Callable[[float], list[Delivery]]:
    def fire(now: float) -> list[Delivery]:
        identifier = str(uuid.uuid4())
        event = {
            "version": "0",
            "id": identifier,
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": account,
            "time": _timestamp(now),
            "region": region,
            "resources": [rule["Arn"]],
            "detail": {},
        }
        kept = {
            "EventId": event["id"],
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": "{}",
            "Time": int(now),
            "Resources": event["resources"],
            "Account": account,
            "Region": region,
        }
        return [
            Delivery(
                region=region,
                account=account,
                rule=rule["Name"],
                bus=rule.get("EventBusName", "default"),
                source_arn=rule["Arn"],
                target=dict(target),
                payload=target.get("Input") or json.dumps(event),
                # For a bus as target, in the form that buses keep their events in.
                event=kept,
            )
            for target in targets
        ]

    return fire


def _schedules() -> Iterator[Timed]:
    from ministack.services import scheduler

    for (account, region, key), schedule in list(scheduler._schedules._data.items()):
        if schedule["State"] == "ENABLED":
            timing = Timing(
                schedule["ScheduleExpression"],
                schedule.get("ScheduleExpressionTimezone") or "UTC",
                scheduler._to_epoch(schedule.get("StartDate")),
                scheduler._to_epoch(schedule.get("EndDate")),
            )
            yield Timed(
                ("schedule", account, region, key),
                timing,
                region,
                _schedule_fires(schedule, account, region, key),
                ephemeral=schedule.get("ActionAfterCompletion") == "DELETE",
            )


def _schedule_fires(
    schedule: dict[str, Any], account: str, region: str, key: str
) -> Callable[[float], list[Delivery]]:
    def fire(now: float) -> list[Delivery]:
        target = dict(schedule["Target"])
        execution = str(uuid.uuid4())
        payload = target.get("Input") or "{}"
        for name, value in (
            ("schedule-arn", schedule["Arn"]),
            ("scheduled-time", _timestamp(now)),
            ("execution-id", execution),
        ):
            payload = payload.replace(f"<aws.scheduler.{name}>", value)
        event = None
        if put := target.get("EventBridgeParameters"):
            # The input is the event's detail ("Using templated targets", PutEvents).
            event = {
                "EventId": execution,
                "Source": put["Source"],
                "DetailType": put["DetailType"],
                "Detail": payload,
                "Time": int(now),
                "Resources": [schedule["Arn"]],
                "Account": account,
                "Region": region,
            }
        return [
            Delivery(
                region=region,
                account=account,
                rule=key,
                bus="",
                source_arn=schedule["Arn"],
                target=target,
                payload=payload,
                event=event,
                service=SCHEDULER,
                occurrence={"EXECUTION_ID": execution, "SCHEDULED_TIME": _timestamp(now)},
            )
        ]

    return fire


def _timestamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
