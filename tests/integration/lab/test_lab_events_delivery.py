"""EventBridge across regions: roles, policies, hops, outages, dead letters, schedules."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from aws_resources import document
from lab_core_world import ACCOUNT, EAST, WEST, World, allow, eventually, running

from lab import client

OTHER = {EAST: WEST, WEST: EAST}


def bus(region: str) -> str:
    """The ARN of a region's bus."""
    return f"arn:aws:events:{region}:{ACCOUNT}:event-bus/bus-{region}"


def queue(region: str, name: str) -> str:
    """The ARN of a region's queue."""
    return f"arn:aws:sqs:{region}:{ACCOUNT}:{name}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Buses in both regions that forward to each other, each seen by a queue."""
    with running(tmp_path_factory.mktemp("events") / "lab", clock=60) as world:
        world.role("forward", "events.amazonaws.com", allow("events:PutEvents"))
        for region, other in OTHER.items():
            _deploy(world, region, other)
        yield world


def _deploy(world: World, region: str, other: str) -> None:
    events, sqs = world.aws("events", region), world.aws("sqs", region)
    for name in ("seen", "dead"):
        source = {"ArnLike": {"aws:SourceArn": f"arn:aws:events:{region}:{ACCOUNT}:rule/*"}}
        statement = allow(
            "sqs:SendMessage",
            resource=queue(region, name),
            Principal={"Service": "events.amazonaws.com"},
            Condition=source,
        )
        sqs.create_queue(QueueName=name, Attributes={"Policy": document(statement)})
    events.create_event_bus(Name=f"bus-{region}")
    _let_in(world, region)
    forward = {
        "Id": "bus",
        "Arn": bus(other),
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/forward",
        "DeadLetterConfig": {"Arn": queue(region, "dead")},
    }
    _rule(events, region, "see", {"source": ["app"]}, {"Id": "q", "Arn": queue(region, "seen")})
    _rule(events, region, "forward", {"source": ["app"], "region": [region]}, forward)


def _let_in(world: World, region: str) -> None:
    role = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/forward"}
    statement = allow("events:PutEvents", resource=bus(region), Principal=role, Sid="forward")
    world.aws("events", region).put_permission(
        EventBusName=f"bus-{region}", Policy=document(statement)
    )


def _rule(events: Any, region: str, name: str, pattern: dict[str, Any], *targets: Any) -> None:
    events.put_rule(Name=name, EventBusName=f"bus-{region}", EventPattern=json.dumps(pattern))
    if targets:
        events.put_targets(Rule=name, EventBusName=f"bus-{region}", Targets=list(targets))


def put(world: World, region: str, key: str) -> None:
    """Puts one event on a region's bus."""
    entry = {"Source": "app", "DetailType": "record.created", "EventBusName": f"bus-{region}"}
    answer = world.aws("events", region).put_events(
        Entries=[{**entry, "Detail": json.dumps({"eventId": key})}]
    )
    assert answer["FailedEntryCount"] == 0


def received(
    world: World, region: str, name: str, key: str, seconds: float = 10
) -> dict[str, Any] | None:
    """The message with that event, taken from a queue: its body, and what the dead letter says."""
    sqs = world.aws("sqs", region)
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]

    def take() -> dict[str, Any] | None:
        messages = sqs.receive_message(
            QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10
        ).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            body = json.loads(message["Body"])
            if body["detail"].get("eventId") == key:
                given = message.get("MessageAttributes", {})
                return {**body, "dead": {k: v["StringValue"] for k, v in given.items()}}
        return None

    return eventually(take, seconds)


@pytest.mark.parametrize("region", [EAST, WEST])
def test_an_event_arrives_in_the_other_region_as_itself(world: World, region: str) -> None:
    """R5.1, trap 27: source and region stay those of its origin, in both directions."""
    put(world, region, f"there-{region}")
    arrived = received(world, OTHER[region], "seen", f"there-{region}")
    assert arrived is not None
    assert (arrived["source"], arrived["region"]) == ("app", region)
    assert received(world, region, "seen", f"there-{region}")


def test_a_second_hop_lands_in_the_dead_letter_queue(world: World) -> None:
    """Trap 27, N9: without its region filter the return rule dead-letters what it received."""
    events = world.aws("events", WEST)
    _rule(events, WEST, "forward", {"source": ["app"]})
    try:
        put(world, EAST, "hop")
        letter = received(world, WEST, "dead", "hop")
    finally:
        _rule(events, WEST, "forward", {"source": ["app"], "region": [WEST]})
    assert letter is not None
    assert letter["dead"]["ERROR_CODE"] == "THIRD_REGION_HOP_DETECTED"
    assert letter["dead"]["RULE_ARN"].endswith(f"rule/bus-{WEST}/forward")
    put(world, EAST, "filtered")
    assert received(world, WEST, "seen", "filtered")
    assert received(world, WEST, "dead", "filtered", 0.5) is None


def test_the_role_must_allow_it(world: World) -> None:
    """Trap 26: a role that may not put events on that bus delivers nothing."""
    iam = world.aws("iam")
    iam.delete_role_policy(RoleName="forward", PolicyName="own")
    try:
        put(world, EAST, "no-role")
        letter = received(world, EAST, "dead", "no-role")
    finally:
        iam.put_role_policy(
            RoleName="forward",
            PolicyName="own",
            PolicyDocument=document(allow("events:PutEvents")),
        )
    assert letter is not None
    assert letter["dead"]["ERROR_CODE"] == "NO_PERMISSIONS"
    assert received(world, WEST, "seen", "no-role", 0.3) is None


def test_the_receiving_bus_must_allow_it(world: World) -> None:
    """R5.2: without the resource policy of the receiving bus nothing arrives."""
    world.aws("events", WEST).remove_permission(
        EventBusName=f"bus-{WEST}", RemoveAllPermissions=True
    )
    try:
        put(world, EAST, "no-policy")
        letter = received(world, EAST, "dead", "no-policy")
    finally:
        _let_in(world, WEST)
    assert letter is not None
    assert letter["dead"]["ERROR_CODE"] == "NO_PERMISSIONS"


def test_events_wait_for_a_dead_region(world: World) -> None:
    """N2: what was accepted while the other region was down arrives when it is back, also when
    the lab was restarted in between."""
    client.outage(world.state_dir, WEST)
    put(world, EAST, "waits")
    assert eventually(
        lambda: "1 events waiting" in client.status(world.state_dir).parts["events"]["detail"]
    )
    time.sleep(0.6)
    world.restart()
    client.restore(world.state_dir, WEST)
    client.set_clock(world.state_dir, 60)
    arrived = received(world, WEST, "seen", "waits")
    assert arrived is not None
    assert arrived["region"] == EAST


def test_schedules_follow_the_clock_and_reach_the_other_region(world: World) -> None:
    """R10: a scheduled rule fires each minute of the lab's time; its event reaches another
    region's bus with the declared role, as the heartbeat does."""
    events = world.aws("events", EAST)
    pattern = {"source": ["aws.events"], "detail-type": ["Scheduled Event"]}
    west = world.aws("events", WEST)
    _rule(west, WEST, "beats", pattern, {"Id": "q", "Arn": queue(WEST, "seen")})
    events.put_rule(Name="heartbeat", ScheduleExpression="rate(1 minute)")
    role = f"arn:aws:iam::{ACCOUNT}:role/forward"
    events.put_targets(Rule="heartbeat", Targets=[{"Id": "1", "Arn": bus(WEST), "RoleArn": role}])
    sqs = world.aws("sqs", WEST)
    url = sqs.get_queue_url(QueueName="seen")["QueueUrl"]
    beats: list[dict[str, Any]] = []

    def listen() -> bool:
        for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            beats.append(json.loads(message["Body"]))
        return len(beats) >= 2

    assert eventually(listen, 15)
    assert beats[0]["region"] == EAST
    assert beats[0]["resources"][0].endswith("rule/heartbeat")


def test_a_scheduler_needs_its_role(world: World) -> None:
    """R10: EventBridge Scheduler calls a function only with a role that may."""
    call = world.role("worker", "lambda.amazonaws.com")
    code = "def handler(event, context):\n    print('called with', event)\n"
    function = world.function("scheduled", code, call, Runtime="python3.12")
    scheduler = world.aws("scheduler")
    for name, statement in (("may", allow("lambda:InvokeFunction")), ("maynot", allow("s3:Get*"))):
        role = world.role(name, "scheduler.amazonaws.com", statement)
        scheduler.create_schedule(
            Name=name,
            ScheduleExpression="rate(1 minute)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": function, "RoleArn": role, "Input": json.dumps({"by": name})},
        )
    logs = world.aws("logs")

    def lines() -> str:
        groups = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/scheduled")["logGroups"]
        return "".join(
            event["message"]
            for group in groups
            for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
        )

    assert eventually(lambda: "{'by': 'may'}" in lines(), 15)
    assert "maynot" not in lines()
