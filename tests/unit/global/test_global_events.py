"""Buses, policies, forwarding and consumers, as they reach the engine."""

import json
import re
from typing import Any

import pytest
from event_matching import matches
from harness import ACCOUNT, ROOT, SUFFIX, Deployment, Registered, program, sample_outputs

from tapstack.app_settings import TARGET_GROUP_INTERVAL
from tapstack.budget import EVENT_DELIVERY_ALARM_SECONDS
from tapstack.contracts import AppOutputs, DataOutputs
from tapstack.events import DETAIL_TYPES

REGIONS = ("us-east-1", "us-west-2")
ROLE_OF = {"us-east-1": "primary", "us-west-2": "secondary"}
PEER = {"us-east-1": "us-west-2", "us-west-2": "us-east-1"}
APP, DATA = sample_outputs(AppOutputs), sample_outputs(DataOutputs)
TARGET = "aws:cloudwatch/eventTarget:EventTarget"
RULE = "aws:cloudwatch/eventRule:EventRule"
QUEUE = "aws:sqs/queue:Queue"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
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
    """R5.1: the name that ``app`` gave its functions, so nothing runs in circles."""
    bus = program("global").one("aws:cloudwatch/eventBus:EventBus", region=region)
    variables = program("app").one(
        "aws:lambda/function:Function", f"function-api-{region}"
    ).inputs["environment"]["variables"]  # fmt: skip
    assert bus.inputs["name"] == variables["EVENT_BUS_NAME"]


def test_the_pattern_is_what_the_application_publishes() -> None:
    """R5.1: source and detail-type of the publisher's own code."""
    published = tuple(
        name
        for file in ("records", "receipts")
        for name in re.findall(
            r'RECORD_[A-Z]+ = "([^"]+)"', (ROOT / f"lambda_src/api/src/{file}.mjs").read_text()
        )
    )
    assert published == DETAIL_TYPES
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
    """R5.2, trap 69: one statement, one action, this bus; the account and its rule, not a role that
    IAM may not know everywhere yet."""
    policy = program("global").one("aws:cloudwatch/eventBusPolicy:EventBusPolicy", region=region)
    only = statement(policy.inputs["policy"])
    deployed = program("global").one(RULE, f"forward-{PEER[region]}")
    rule = f"rule/{deployed.inputs['eventBusName']}/{deployed.inputs['name']}"
    assert only["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    source = f"arn:aws:events:{PEER[region]}:{ACCOUNT}:{rule}"
    assert only["Condition"] == {"ArnEquals": {"aws:SourceArn": source}}
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
def test_events_wait_in_a_queue_for_longer_than_a_writer_is_away(region: str) -> None:
    """Trap 57: a message is tried every three minutes for a day, the longest that EventBridge
    itself retries, and only then a dead letter; it can't expire before."""
    deployment = program("global")
    waiting = deployment.one(QUEUE, f"waiting-consume-{region}")
    letters = dead_letters(deployment, "consume", region)
    redrive = json.loads(waiting.inputs["redrivePolicy"])
    assert redrive["deadLetterTargetArn"] == letters.outputs["arn"]
    hidden = waiting.inputs["visibilityTimeoutSeconds"]
    assert redrive["maxReceiveCount"] * hidden == 24 * 3600
    assert redrive["maxReceiveCount"] <= 1000
    assert waiting.inputs["messageRetentionSeconds"] == 14 * 86400
    assert waiting.inputs["kmsMasterKeyId"] == DATA[ROLE_OF[region]]["key_arn"]
    allowed = deployment.one("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy", region=region)
    assert json.loads(allowed.inputs["redriveAllowPolicy"]) == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [waiting.outputs["arn"]],
    }
    # AWS advises six times the function's timeout, which is below the target group's interval.
    assert hidden >= 6 * (TARGET_GROUP_INTERVAL - 1)
    assert hidden < EVENT_DELIVERY_ALARM_SECONDS


@both_regions
def test_only_its_rule_writes_to_the_queue_and_only_its_function_reads_it(region: str) -> None:
    """R5.1, R9.3, trap 57: the rule reaches the queue, not the function; what the function couldn't
    store stays, message by message, and no more than five batches run at once (H27)."""
    deployment = program("global")
    app = APP[ROLE_OF[region]]
    target = deployment.one(TARGET, f"consume-{region}")
    waiting = deployment.one(QUEUE, f"waiting-consume-{region}")
    assert target.inputs["arn"] == waiting.outputs["arn"]
    policy = deployment.one("aws:sqs/queuePolicy:QueuePolicy", f"waiting-consume-{region}")
    only = statement(policy.inputs["policy"])
    rule = deployment.one(RULE, f"consume-{region}")
    assert (only["Principal"], only["Action"]) == (
        {"Service": "events.amazonaws.com"}, "sqs:SendMessage",
    )  # fmt: skip
    assert only["Condition"] == {"ArnEquals": {"aws:SourceArn": rule.outputs["arn"]}}
    assert only["Resource"] == waiting.outputs["arn"]
    assert policy.urn in target.dependencies
    mapping = deployment.one(MAPPING, region=region).inputs
    assert mapping["eventSourceArn"] == waiting.outputs["arn"]
    # By its alias (trap 65).
    assert mapping["functionName"] == app["function_arn"]
    assert mapping["functionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["scalingConfig"] == {"maximumConcurrency": 5}
    # Above ten Lambda waits a second for more.
    assert mapping["batchSize"] == 10
    allowed = deployment.created("aws:lambda/permission:Permission", region)
    assert app["function_name"] not in {entry.inputs["function"] for entry in allowed}


@both_regions
def test_the_functions_role_reads_the_queue_that_is_made_later(region: str) -> None:
    """R9.3, trap 57: ``app`` is deployed before ``global``, and both use one place's name."""
    waiting = program("global").one(QUEUE, f"waiting-consume-{region}")
    policy = program("app").one("aws:iam/policy:Policy", f"role-api-{region}").inputs["policy"]
    (own,) = [one for one in json.loads(policy)["Statement"] if one["Sid"] == "Events"]
    assert own["Resource"] == [waiting.outputs["arn"]]
    assert own["Action"] == ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]


def test_the_heartbeat_takes_the_way_of_every_event() -> None:
    """Trap 70: a schedule puts it on us-east-1's own bus every minute, with a role that may do that
    alone; the forwarding of all events carries it. Late ones aren't sent."""
    deployment = program("global")
    schedule = deployment.one("aws:scheduler/schedule:Schedule", region="us-east-1").inputs
    assert schedule["scheduleExpression"] == "rate(1 minute)"
    target = schedule["target"]
    assert target["arn"] == bus_arn("us-east-1")
    assert target["retryPolicy"] == {
        "maximumEventAgeInSeconds": 60, "maximumRetryAttempts": 0,
    }  # fmt: skip
    role = deployment.one("aws:iam/role:Role", "heartbeat-us-east-1")
    assert target["roleArn"] == role.outputs["arn"]
    only = statement(
        deployment.one("aws:iam/policy:Policy", "heartbeat-us-east-1").inputs["policy"]
    )
    assert (only["Action"], only["Resource"]) == ("events:PutEvents", bus_arn("us-east-1"))
    trusted = statement(role.inputs["assumeRolePolicy"])
    assert trusted["Principal"] == {"Service": "scheduler.amazonaws.com"}
    beat = {
        "source": target["eventbridgeParameters"]["source"],
        "detail-type": target["eventbridgeParameters"]["detailType"],
        "region": "us-east-1",
    }
    for rule in ("forward-us-east-1", "heartbeat-us-west-2"):
        assert matches(json.loads(deployment.one(RULE, rule).inputs["eventPattern"]), beat), rule
    # No rule of the application's bus is scheduled: AWS takes those on the default bus alone.
    scheduled = [r.inputs for r in deployment.created(RULE) if "scheduleExpression" in r.inputs]
    assert [inputs for inputs in scheduled if "eventBusName" in inputs] == []
