"""Event source mappings: what stays in the queue, until when, and whom Lambda refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from emulator_world import ACCOUNT, EAST, World, refused

from lab.emulator.mappings import failed_messages
from lab.emulator.services.sqs import expire
from lab.emulator.worker import Outcome
from lab.outage import OutageKind

FAILS_ON_BAD = """
import json
def handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    print("got", json.dumps(bodies))
    if "raise" in bodies:
        raise ValueError("no")
    bad = [r["messageId"] for r in event["Records"] if r["body"] == "bad"]
    return {"batchItemFailures": [{"itemIdentifier": one} for one in bad]}
"""
READ = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


def queue(world: World, name: str, **attributes: str) -> tuple[str, str]:
    """A queue's URL and ARN."""
    url = world.aws("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:{EAST}:{ACCOUNT}:{name}"


def reader(world: World, name: str, *actions: str, **settings: Any) -> str:
    """A function whose role may do ``actions`` on every queue; its ARN."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    role = world.role(f"role-{name}", "lambda.amazonaws.com", *([statement] if actions else []))
    return world.function(name, code=FAILS_ON_BAD, Role=role, **settings)


def depth(world: World, url: str) -> tuple[int, int]:
    """(visible, hidden) messages."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = world.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])


def until(holds: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def polling(world: World) -> Iterator[World]:
    """The pollers run, and an hour of the lab's passes in 36 s."""

    async def start() -> None:
        world.emulator.mappings.start()

    async def stop() -> None:
        world.emulator.mappings.stop()

    world.lab.clock.factor = 100
    world.run(start())
    try:
        yield world
    finally:
        world.run(stop())
        world.lab.clock.factor = 1


def test_only_what_failed_comes_back_and_ends_as_a_dead_letter(polling: World) -> None:
    """Trap 57: the good ones are deleted, the bad one is hidden for the visibility timeout of lab
    time, tried as often as the queue says, and then in the dead-letter queue."""
    dead, dead_arn = queue(polling, "mapped-dead")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, arn = queue(polling, "mapped", RedrivePolicy=redrive, VisibilityTimeout="120")
    function = reader(polling, "mapped", *READ)
    polling.aws("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName=function, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    for body in ("good", "bad", "better"):
        polling.aws("sqs").send_message(QueueUrl=url, MessageBody=body)
    assert until(lambda: depth(polling, url) == (0, 1)), depth(polling, url)
    # Twice 120 s of the lab's.
    assert until(lambda: depth(polling, dead) == (1, 0)), depth(polling, dead)
    assert depth(polling, url) == (0, 0)
    (letter,) = polling.aws("sqs").receive_message(QueueUrl=dead)["Messages"]
    assert letter["Body"] == "bad"


def test_a_function_that_fails_keeps_the_whole_batch(polling: World) -> None:
    """Lambda developer guide: without a partial answer all of a batch becomes visible again."""
    url, arn = queue(polling, "mapped-whole", VisibilityTimeout="1200")
    function = reader(polling, "mapped-whole", *READ)
    made = polling.aws("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName=function, Enabled=False
    )
    entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(("good", "raise"))]
    polling.aws("sqs").send_message_batch(QueueUrl=url, Entries=entries)
    assert not until(lambda: depth(polling, url) != (2, 0), 0.5)
    polling.aws("lambda").update_event_source_mapping(UUID=made["UUID"], Enabled=True)
    read = polling.aws("lambda").get_event_source_mapping
    assert until(lambda: "failed" in read(UUID=made["UUID"])["LastProcessingResult"])
    assert depth(polling, url) == (0, 2)


def test_a_lost_region_and_a_revoked_role_take_nothing_out_of_the_queue(polling: World) -> None:
    """R5.1: messages wait, and are handed over when the region is back and the role may read."""
    url, arn = queue(polling, "mapped-lost")
    function = reader(polling, "mapped-lost", *READ)
    made = polling.aws("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName=function
    )
    iam = polling.aws("iam")
    policy = {"RoleName": "role-mapped-lost", "PolicyName": "own"}
    held = json.dumps(iam.get_role_policy(**policy)["PolicyDocument"])
    polling.lab.outages.begin(EAST, [OutageKind.COMPUTE])
    try:
        polling.aws("sqs").send_message(QueueUrl=url, MessageBody="good")
        assert not until(lambda: depth(polling, url) != (1, 0), 0.5)
        iam.delete_role_policy(**policy)
    finally:
        polling.lab.outages.end(EAST)
    read = polling.aws("lambda").get_event_source_mapping
    assert until(lambda: "ReceiveMessage" in read(UUID=made["UUID"])["LastProcessingResult"])
    assert depth(polling, url) == (1, 0)
    iam.put_role_policy(**policy, PolicyDocument=held)
    assert until(lambda: depth(polling, url) == (0, 0))


def test_a_batch_that_meets_no_free_function_is_tried_again_while_it_is_hidden(
    polling: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda developer guide: throttled batches are retried; one whose messages come back meanwhile
    is received anew."""
    url, arn = queue(polling, "mapped-throttled", VisibilityTimeout="60")
    function = reader(polling, "mapped-throttled", *READ)
    busy = Outcome(error={"errorType": "TooManyRequestsException"}, throttled=True)
    counts: list[str] = []

    async def invoke(_function: Any, event: Any) -> Outcome:
        (message,) = event["Records"]
        counts.append(message["attributes"]["ApproximateReceiveCount"])
        return Outcome() if message["attributes"]["ApproximateReceiveCount"] == "2" else busy

    monkeypatch.setattr(polling.emulator.mappings, "functions", SimpleNamespace(invoke=invoke))
    polling.aws("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=function)
    polling.aws("sqs").send_message(QueueUrl=url, MessageBody="good")
    assert until(lambda: depth(polling, url) == (0, 0) and "2" in counts), counts
    assert counts.count("1") > 1
    assert counts.count("2") == 1


def test_mappings_that_aws_refuses(world: World) -> None:
    """Trap 57: a role that can't read, a queue that hides too briefly, too large a batch, a second
    mapping of the same pair, no queue."""
    create = world.aws("lambda").create_event_source_mapping
    _, arn = queue(world, "mapped-refused", VisibilityTimeout="20")
    poor = reader(world, "mapped-poor", "sqs:ReceiveMessage")
    said = refused("InvalidParameterValueException", create, EventSourceArn=arn, FunctionName=poor)
    assert said.endswith("does not have permissions to call DeleteMessage on SQS")
    slow = reader(world, "mapped-slow", *READ, Timeout=25)
    assert (
        refused(
            "InvalidParameterValueException", create, EventSourceArn=arn, FunctionName="mapped-slow"
        )
        == "Queue visibility timeout: 20 seconds is less than Function timeout: 25 seconds"
    )
    quick = reader(world, "mapped-quick", *READ)
    for wrong, says in (
        ({"BatchSize": 11}, "Maximum batch window"),
        ({"EventSourceArn": f"{arn}-absent"}, "does not exist"),
    ):
        given = {"EventSourceArn": arn, "FunctionName": quick} | wrong
        assert says in refused("InvalidParameterValueException", create, **given)
    create(EventSourceArn=arn, FunctionName=quick)
    refused("ResourceConflictException", create, EventSourceArn=arn, FunctionName=quick)
    refused("ResourceNotFoundException", create, EventSourceArn=arn, FunctionName=f"{slow}-absent")


BATCH = ["a", "b"]


@pytest.mark.parametrize(
    ("answer", "stay"),
    [
        (None, set()),
        ("", set()),
        ({}, set()),
        ({"batchItemFailures": None}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, {"b"}),
        ('{"batchItemFailures": [{"itemIdentifier": "b"}]}', {"b"}),
        ("not JSON", {"a", "b"}),
        ([], {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, {"a", "b"}),
        ({"batchItemFailures": [{"other": "b"}]}, {"a", "b"}),
        ({"batchItemFailures": ["b"]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": "c"}]}, {"a", "b"}),
    ],
)
def test_what_an_answer_means(answer: Any, stay: set[str]) -> None:
    """Lambda developer guide, "Success and failure conditions" of partial batch responses."""
    assert failed_messages(Outcome(answer), BATCH, partial=True) == stay


def test_without_partial_answers_only_an_error_keeps_messages() -> None:
    """Lambda developer guide: the answer isn't looked at unless the mapping says so."""
    named = {"batchItemFailures": [{"itemIdentifier": "b"}]}
    assert failed_messages(Outcome(named), BATCH, partial=False) == set()
    failed = Outcome(error={"errorType": "E", "errorMessage": "m"})
    assert failed_messages(failed, BATCH, partial=False) == {"a", "b"}


def test_messages_expire_by_their_age() -> None:
    """SQS developer guide: retention counts from the sending."""
    old, young = {"sent_at": 100.0}, {"sent_at": 150.0}
    kept: dict[str, Any] = {
        "attributes": {"MessageRetentionPeriod": "60"},
        "messages": [old, young],
    }
    expire(kept, 170.0)
    assert kept["messages"] == [young]
