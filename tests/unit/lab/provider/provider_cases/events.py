"""EventBridge: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from typing import Any

from provider_cases.case import Case, World, named, policy


def event_target(world: World, **more: Any) -> dict[str, Any]:
    return {
        "rule": world["rule"].inputs["name"],
        "eventBusName": world["bus"].id,
        "targetId": "queue",
        "arn": world["queue"].outputs["arn"],
        "retryPolicy": {"maximumEventAgeInSeconds": 86400, "maximumRetryAttempts": 185},
        **more,
    }


CASES = [
    Case(
        "bus",
        "aws:cloudwatch/eventBus:EventBus",
        lambda w: named("bus", name="bus-one", description="one"),
        lambda w: named("bus", name="bus-one", description="two"),
    ),
    Case(
        "bus-policy",
        "aws:cloudwatch/eventBusPolicy:EventBusPolicy",
        lambda w: {
            "eventBusName": w["bus"].id,
            "policy": policy(
                Sid="Account", Principal={"AWS": "000000000000"}, Action="events:PutEvents"
            ),
        },
    ),
    Case(
        "rule",
        "aws:cloudwatch/eventRule:EventRule",
        lambda w: named(
            "rule", name="rule-one", eventBusName=w["bus"].id, eventPattern='{"source": ["a"]}'
        ),
        lambda w: named(
            "rule", name="rule-one", eventBusName=w["bus"].id, eventPattern='{"source": ["b"]}'
        ),
    ),
    Case(
        "event-target",
        "aws:cloudwatch/eventTarget:EventTarget",
        lambda w: event_target(
            w,
            deadLetterConfig={"arn": w["queue-two"].outputs["arn"]},
            inputTransformer={"inputPaths": {"a": "$.detail"}, "inputTemplate": '{"x": <a>}'},
        ),
        event_target,
    ),
    Case(
        "archive",
        "aws:cloudwatch/eventArchive:EventArchive",
        lambda w: {
            "name": "archive-one",
            "eventSourceArn": w["bus"].outputs["arn"],
            "retentionDays": 7,
        },
        lambda w: {
            "name": "archive-one",
            "eventSourceArn": w["bus"].outputs["arn"],
            "retentionDays": 8,
        },
    ),
]
