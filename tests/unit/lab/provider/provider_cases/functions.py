"""Lambda: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from typing import Any

from provider_cases.case import Case, World, named
from pulumi_protocol.values import ARCHIVE, ASSET, SIGNATURE


def code(text: str) -> dict[str, Any]:
    asset = {SIGNATURE: ASSET, "hash": text, "text": f"def handler(e, c): {text}"}
    return {SIGNATURE: ARCHIVE, "hash": text, "assets": {"index.py": asset}}


def function(world: World, body: str, **more: Any) -> dict[str, Any]:
    return named(
        "function",
        name="function-one",
        role=world["role"].outputs["arn"],
        handler="index.handler",
        runtime="python3.12",
        code=code(body),
        publish=True,
        architectures=["arm64"],
        tracingConfig={"mode": "Active"},
        vpcConfig={
            "subnetIds": [world["subnet"].id, world["subnet-b"].id],
            "securityGroupIds": [world["group"].id],
        },
        **{"timeout": 10, "environment": {"variables": {"A": "one"}}, **more},
    )


CASES = [
    Case(
        "function",
        "aws:lambda/function:Function",
        lambda w: function(w, "return e"),
        lambda w: function(w, "return [e]", timeout=11, environment={"variables": {"A": "two"}}),
        needs=("attachment",),  # a role that may make network interfaces
    ),
    Case(
        "permission",
        "aws:lambda/permission:Permission",
        lambda w: {
            "function": w["function"].id,
            "action": "lambda:InvokeFunction",
            "principal": "events.amazonaws.com",
            "sourceArn": "arn:aws:events:us-east-1:000000000000:rule/one",
        },
        got=False,
    ),
    Case(
        "invocation",
        "aws:lambda/invocation:Invocation",
        lambda w: {"functionName": w["function"].id, "input": '{"a": 1}'},
        found=False,
        stays=True,
    ),
    Case(
        "invoke-config",
        "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        lambda w: {
            "functionName": w["function"].id,
            "maximumRetryAttempts": 1,
            "destinationConfig": {"onFailure": {"destination": w["queue"].outputs["arn"]}},
        },
        lambda w: {
            "functionName": w["function"].id,
            "maximumRetryAttempts": 2,
            "destinationConfig": {"onFailure": {"destination": w["queue"].outputs["arn"]}},
        },
    ),
    Case(
        "event-source-mapping",
        "aws:lambda/eventSourceMapping:EventSourceMapping",
        lambda w: named(
            "mapping",
            eventSourceArn=w["queue"].outputs["arn"],
            functionName=w["function"].id,
            functionResponseTypes=["ReportBatchItemFailures"],
            scalingConfig={"maximumConcurrency": 5},
        ),
        lambda w: named(
            "mapping",
            eventSourceArn=w["queue"].outputs["arn"],
            functionName=w["function"].id,
            enabled=False,
            batchSize=5,
            scalingConfig={"maximumConcurrency": 6},
        ),
    ),
    Case(
        "function-alias",
        "aws:lambda/alias:Alias",
        lambda w: {"functionName": w["function"].id, "name": "live", "functionVersion": "1"},
    ),
    Case(
        "lb-permission",
        "aws:lambda/permission:Permission",
        lambda w: {
            "function": w["function"].id,
            "action": "lambda:InvokeFunction",
            "principal": "elasticloadbalancing.amazonaws.com",
            "sourceArn": w["target-group"].id,
        },
        got=False,
    ),
]
