"""EventBridge Scheduler: what AWS refuses in a schedule.

Limits from the EventBridge Scheduler API reference (CreateSchedule, RetryPolicy, DeadLetterConfig)
and its user guide ("Set up the execution role", "Configuring a schedule's dead-letter queue").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.identities import trusts
from lab.emulator.mending import Mending
from lab.emulator.scope import account_of

SERVICE = "scheduler.amazonaws.com"
LIMITS = {"MaximumRetryAttempts": (0, 185), "MaximumEventAgeInSeconds": (60, 86_400)}


def install(mending: Mending) -> None:
    """Mends schedules."""
    mending.mend("scheduler", "CreateSchedule UpdateSchedule", check)


async def check(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """The schedule's zone, retry policy, dead-letter queue and role must be usable."""
    given = request.parameters
    target = given["Target"] or {}
    problem = _unusable(given.get("ScheduleExpressionTimezone") or "UTC", target)
    problem = problem or _untrusting(request, target)
    if problem:
        raise ApiRefusal("ValidationException", problem)
    return await call_next(request)


def _unusable(zone: str, target: Mapping[str, Any]) -> str:
    """What can't be in a schedule; empty when all can."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return f"Invalid Schedule Expression Timezone {zone}."
    for name, (least, most) in LIMITS.items():
        value = (target.get("RetryPolicy") or {}).get(name, least)
        if not least <= value <= most:
            return f"{name} must be between {least} and {most}, not {value}."
    if (target.get("DeadLetterConfig") or {}).get("Arn", "").endswith(".fifo"):
        return "A FIFO queue can't be a schedule's dead-letter queue."
    return ""


def _untrusting(request: ApiRequest, target: Mapping[str, Any]) -> str:
    account = account_of(request)
    group, name = request.parameters.get("GroupName") or "default", request.parameters["Name"]
    arn = f"arn:aws:scheduler:{request.region}:{account}:schedule/{group}/{name}"
    if trusts(str(target.get("RoleArn", "")), SERVICE, arn):
        return ""
    return "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
