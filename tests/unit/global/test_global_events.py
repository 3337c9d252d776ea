"""Buses, policies, forwarding and consumers, as they reach the engine."""

import json
import re
from typing import Any

import pytest
from harness import ACCOUNT, ROOT, SUFFIX, Deployment, Registered, program, sample_outputs

from tapstack.contracts import AppOutputs, DataOutputs
from tapstack.events import DETAIL_TYPES

REGIONS = ("us-east-1", "us-west-2")
ROLE_OF = {"us-east-1": "primary", "us-west-2": "secondary"}
PEER = {"us-east-1": "us-west-2", "us-west-2": "us-east-1"}
APP, DATA = sample_outputs(AppOutputs), sample_outputs(DataOutputs)
TARGET = "aws:cloudwatch/eventTarget:EventTarget"
RULE = "aws:cloudwatch/eventRule:EventRule"
QUEUE = "aws:sqs/queue:Queue"
both_regions = pytest.mark.parametrize("region", REGIONS)
each_delivery = pytest.mark.parametrize("purpose", ["forward", "consume"])


def bus_arn(region: str) -> str:
    return f"arn:aws:events:{region}:{ACCOUNT}:event-bus/bus-app-{region}-{SUFFIX}"


def dead_letters(deployment: Deployment, purpose: str, region: str) -> Registered:
    return deployment.one(QUEUE, f"dead-letters-{purpose}-{region}")


def statement(document: str) -> dict[str, Any]:
    (only,) = json.loads(document)["Statement"]
    return only


@both_regions
def test_each_region_has_the_bus_that_the_application_knows(region: str) -> None:
    """R5.1: the name that `app` gave its functions, so nothing runs in circles."""
    bus = program("global").one("aws:cloudwatch/eventBus:EventBus", region=region)
    variables = program("app").one(
        "aws:lambda/function:Function", f"function-api-{region}"
    ).inputs["environment"]["variables"]  # fmt: skip
    assert bus.inputs["name"] == variables["EVENT_BUS_NAME"]


def test_the_pattern_is_what_the_application_publishes() -> None:
    """R5.1: source and detail-type of the publisher's own code."""
    source = (ROOT / "lambda_src/api/src/records.mjs").read_text()
    assert tuple(re.findall(r'RECORD_CREATED = "([^"]+)"', source)) == DETAIL_TYPES
    variables = program("app").one(
        "aws:lambda/function:Function", "function-api-us-east-1"
    ).inputs["environment"]["variables"]  # fmt: skip
    pattern = json.loads(program("global").one(RULE, "consume-us-east-1").inputs["eventPattern"])
    assert pattern == {"source": [variables["EVENT_SOURCE"]], "detail-type": list(DETAIL_TYPES)}


@both_regions
def test_forwarding_takes_what_was_born_here(region: str) -> None:
    """Trap 27: without the region every received event would take the way back."""
    pattern = json.loads(program("global").one(RULE, f"forward-{region}").inputs["eventPattern"])
    assert pattern["region"] == [region]


@both_regions
def test_only_the_peers_forwarding_may_put_events_from_elsewhere(region: str) -> None:
    """R5.2: one statement, one principal, one action, this bus."""
    policy = program("global").one("aws:cloudwatch/eventBusPolicy:EventBusPolicy", region=region)
    only = statement(policy.inputs["policy"])
    role = f"role-forward-events-{PEER[region]}-{SUFFIX}"
    assert only["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:role/{role}"}
    assert only["Action"] == "events:PutEvents"
    assert only["Resource"] == bus_arn(region)


@both_regions
def test_the_forwarding_role_reaches_only_the_peers_bus(region: str) -> None:
    """Trap 26: EventBridge needs a role to cross; it may do nothing else."""
    deployment = program("global")
    name = f"role-forward-events-{region}"
    only = statement(deployment.one("aws:iam/policy:Policy", name).inputs["policy"])
    assert (only["Action"], only["Resource"]) == ("events:PutEvents", bus_arn(PEER[region]))
    trusted = statement(deployment.one("aws:iam/role:Role", name).inputs["assumeRolePolicy"])
    assert trusted["Principal"] == {"Service": "events.amazonaws.com"}
    assert trusted["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


@both_regions
def test_the_peers_policy_and_the_role_come_before_the_target(region: str) -> None:
    """Trap 26: terraform-provider-aws 31444."""
    deployment = program("global")
    target = deployment.one(TARGET, f"forward-{region}")
    assert target.inputs["arn"] == bus_arn(PEER[region])
    role = deployment.one("aws:iam/role:Role", f"role-forward-events-{region}")
    assert target.inputs["roleArn"] == role.outputs["arn"]
    policy = deployment.one("aws:cloudwatch/eventBusPolicy:EventBusPolicy", region=PEER[region])
    attachment = deployment.one(
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment", f"role-forward-events-{region}"
    )
    assert {policy.urn, attachment.urn} <= set(target.dependencies)


@both_regions
@each_delivery
def test_delivery_is_tried_as_long_as_allowed_and_then_kept(purpose: str, region: str) -> None:
    """Trap 27: 24 h, 185 attempts; then two weeks in a queue that only this rule writes to."""
    deployment = program("global")
    target = deployment.one(TARGET, f"{purpose}-{region}")
    queue = dead_letters(deployment, purpose, region)
    assert target.inputs["retryPolicy"] == {
        "maximumEventAgeInSeconds": 86400, "maximumRetryAttempts": 185,
    }  # fmt: skip
    assert target.inputs["deadLetterConfig"] == {"arn": queue.outputs["arn"]}
    assert queue.inputs["messageRetentionSeconds"] == 14 * 86400
    assert queue.inputs["kmsMasterKeyId"] == DATA[ROLE_OF[region]]["key_arn"]
    policy = deployment.one("aws:sqs/queuePolicy:QueuePolicy", f"dead-letters-{purpose}-{region}")
    only = statement(policy.inputs["policy"])
    rule = deployment.one(RULE, f"{purpose}-{region}")
    assert only["Principal"] == {"Service": "events.amazonaws.com"}
    assert only["Condition"] == {"ArnEquals": {"aws:SourceArn": rule.outputs["arn"]}}
    assert only["Resource"] == queue.outputs["arn"]
    assert policy.urn in target.dependencies


@both_regions
def test_the_consumer_calls_its_regions_function_with_permission(region: str) -> None:
    """R5.1: the permission is of this rule alone, and comes first."""
    deployment = program("global")
    app = APP[ROLE_OF[region]]
    target = deployment.one(TARGET, f"consume-{region}")
    rule = deployment.one(RULE, f"consume-{region}")
    permission = deployment.one("aws:lambda/permission:Permission", region=region)
    assert target.inputs["arn"] == app["function_arn"]
    assert permission.inputs["function"] == app["function_name"]
    assert permission.inputs["principal"] == "events.amazonaws.com"
    assert permission.inputs["sourceArn"] == rule.outputs["arn"]
    assert permission.urn in target.dependencies


def test_the_heartbeat_is_sent_every_minute_and_never_late() -> None:
    """Trap 11: from us-east-1's default bus, where alone scheduled rules exist."""
    deployment = program("global")
    sent = deployment.one(RULE, "heartbeat-us-east-1")
    assert sent.inputs["scheduleExpression"] == "rate(1 minute)"
    assert "eventBusName" not in sent.inputs
    target = deployment.one(TARGET, "heartbeat-us-east-1")
    assert target.inputs["retryPolicy"] == {
        "maximumEventAgeInSeconds": 60, "maximumRetryAttempts": 0,
    }  # fmt: skip
    assert target.inputs["arn"] == bus_arn("us-west-2")
    queue = deployment.one(QUEUE, "heartbeats-us-west-2")
    assert queue.inputs["messageRetentionSeconds"] == 60
    received = json.loads(deployment.one(RULE, "heartbeat-us-west-2").inputs["eventPattern"])
    assert received["resources"] == [sent.outputs["arn"]]
