"""EventBridge Scheduler: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from typing import Any

from provider_cases.case import Case, World


def schedule(world: World, **more: Any) -> dict[str, Any]:
    return {
        "name": "schedule-one",
        "flexibleTimeWindow": {"mode": "OFF"},
        "target": {
            "arn": world["function"].outputs["arn"],
            "roleArn": world["role"].outputs["arn"],
            "input": "{}",
            "retryPolicy": {"maximumRetryAttempts": 0, "maximumEventAgeInSeconds": 60},
        },
        **more,
    }


CASES = [
    Case(
        "schedule",
        "aws:scheduler/schedule:Schedule",
        lambda w: schedule(w, scheduleExpression="rate(1 minute)"),
        lambda w: schedule(w, scheduleExpression="rate(2 minutes)", state="DISABLED"),
    ),
]
