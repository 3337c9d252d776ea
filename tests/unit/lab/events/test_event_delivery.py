"""One event on its way to one target, with pretended targets (EventBridge user guide)."""

import asyncio
import json

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, EndpointConnectionError

from lab.api import ApiRefusal
from lab.clock import Clock
from lab.context import LabContext
from lab.events import delivery as deliveries
from lab.events.delivery import Courier, Delivery
from lab.outage import OutageKind, Outages

EAST, WEST = "us-east-1", "us-west-2"
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
OPEN = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
EVENT = {"Region": EAST, "Source": "app", "DetailType": "made"}


def arn(service, resource, region=EAST):
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


DEAD, QUEUE, TOPIC = arn("sqs", "dead"), arn("sqs", "q"), arn("sns", "t")
LOGS, FUNCTION = arn("logs", "log-group:/g:*"), arn("lambda", "function:f")


class World:
    """Services of both regions that take what they are sent; ``failing`` is what a call of that
    name raises, ``policy`` what every resource policy says."""

    def __init__(self, directory, monkeypatch):
        from ministack.services import eventbridge, lambda_svc, sns, sqs

        self.sent, self.failing, self.policy, self.existing = [], {}, OPEN, True
        self.assumable, self.allowed = True, True
        self.lab = LabContext(directory, 1, "http://127.0.0.1:1", Clock(1000), Outages(directory))
        self.reported = []
        self.lab.observe(lambda event: self.reported.append(vars(event)["outcome"]))
        for service in ("sqs", "sns", "lambda", "logs", "kinesis"):
            for region in (EAST, WEST):
                self.lab._clients[service, region] = self
        self.lab._aws = self  # type: ignore[assignment] - no more of it is asked
        monkeypatch.setattr(deliveries, "trusts", lambda *_given: self.assumable)
        monkeypatch.setattr(deliveries, "role_allows", lambda *_given: self.allowed)
        found = lambda _arn: {"attributes": {"Policy": self.policy}} if self.existing else None  # noqa: E731
        monkeypatch.setattr(
            sqs,
            "_queue_by_arn",
            lambda name: {"attributes": {"Policy": OPEN}} if name == DEAD else found(name),
        )
        monkeypatch.setattr(sns, "_topics", self)
        monkeypatch.setattr(deliveries, "deployed_function", found)
        self.get = found
        monkeypatch.setattr(lambda_svc, "_functions", {"f": {"policy": OPEN}})
        monkeypatch.setattr(eventbridge, "_event_buses", {"b": {}})
        monkeypatch.setattr(eventbridge, "_event_bus_policies", {})
        monkeypatch.setattr(eventbridge, "_archive_event", lambda _event: None)
        monkeypatch.setattr(
            eventbridge, "_dispatch_event", lambda event: self.sent.append(("dispatch", event))
        )

    async def call(self, service, region, operation, **given):
        """A call of the lab's own; only queues are reached so."""
        assert (service, region) == ("sqs", EAST)
        try:
            return getattr(self, xform_name(operation))(**given)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise ApiRefusal(code, code) from None

    def __getattr__(self, operation):
        def call(**given):
            if error := self.failing.get(operation, None):
                if callable(error):
                    error = error(given)
                if error:
                    raise error  # pyright: ignore[reportGeneralTypeIssues]
            self.sent.append((operation, given))
            answers = {
                "get_queue_url": {"QueueUrl": given.get("QueueName")},
                "describe_resource_policies": {
                    "resourcePolicies": [{"policyDocument": json.dumps(self.policy)}]
                },
            }
            return answers.get(operation, {})

        return call

    def deliver(self, target_arn, meanwhile=None, event=None, **given):
        """(outcome, error code of the dead letter) of one delivery."""
        target = {"Arn": target_arn, "DeadLetterConfig": {"Arn": DEAD}, **given.pop("target", {})}
        fact = {"region": EAST, "account": ACCOUNT, "rule": "r", "bus": "own", **given}
        made = Delivery(
            **{"payload": "{}", **fact},
            source_arn=arn("events", "rule/r"),
            target=target,
            event=event,
        )

        async def run():
            courier = Courier(self.lab)
            courier.accept(made)
            if meanwhile:
                await meanwhile()
            async with asyncio.timeout(10):
                while courier.waiting:
                    await asyncio.sleep(0.005)

        asyncio.run(run())
        return self.reported.pop() if self.reported else None, self.dead_letter()

    def dead_letter(self):
        """What the newest dead letter says."""
        letters = [
            given["MessageAttributes"]
            for operation, given in self.sent
            if operation == "send_message" and given["QueueUrl"] == "dead"
        ]
        return {k: v["StringValue"] for k, v in letters[-1].items()} if letters else {}

    def operations(self):
        return [operation for operation, _ in self.sent]


@pytest.fixture
def world(tmp_path, monkeypatch):
    return World(tmp_path, monkeypatch)


def refused(code, operation="SendMessage"):
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


@pytest.mark.parametrize(
    ("target", "operation"),
    [
        (QUEUE, "send_message"),
        (TOPIC, "publish"),
        (FUNCTION, "invoke"),
        (LOGS, "put_log_events"),
        (arn("events", "event-bus/b"), "dispatch"),
        (arn("events", "event-bus/default"), "dispatch"),
    ],
)
def test_every_kind_of_target_that_lets_eventbridge_in_gets_the_event(world, target, operation):
    """R5.1: by the API call that EventBridge makes."""
    assert world.deliver(target, event=EVENT) == ("delivered", {})
    assert world.operations()[-1] == operation


def test_a_log_group_gets_the_event_at_lab_time_in_a_stream_of_its_own(world):
    """R5.1: the group's name without the ARN's ornaments."""
    world.deliver(LOGS)
    (_, stream), (_, put) = world.sent[-2:]
    assert stream["logGroupName"] == put["logGroupName"] == "/g"
    assert stream["logStreamName"] == put["logStreamName"]
    assert put["logEvents"][0]["message"] == "{}"
    assert abs(put["logEvents"][0]["timestamp"] / 1000 - world.lab.clock.now()) < 60


def test_a_bus_of_the_own_region_learns_which_rule_sent_the_event(world):
    """Trap 27: rules that feed each other end, since an event carries the rules it passed; in
    another region it starts without them, as EventBridge knows nothing of them there."""
    world.policy = OPEN
    world.deliver(arn("events", "event-bus/b"), event={**EVENT, "_DispatchPath": ["before"]})
    assert world.sent[-1][1]["_DispatchPath"][0] == "before"
    assert len(world.sent[-1][1]["_DispatchPath"]) == 2
    from ministack.services import eventbridge

    eventbridge._event_bus_policies["b"] = OPEN
    outcome, _ = world.deliver(
        arn("events", "event-bus/b", WEST),
        event={**EVENT, "_DispatchPath": ["before"]},
        target={"RoleArn": ROLE},
    )
    assert outcome == "delivered"
    assert "_DispatchPath" not in world.sent[-1][1]


@pytest.mark.parametrize(
    ("target", "given", "state", "code"),
    [
        (QUEUE, {}, {"existing": False}, "NO_RESOURCE"),
        (TOPIC, {}, {"existing": False}, "NO_RESOURCE"),
        (FUNCTION, {}, {"existing": False}, "NO_RESOURCE"),
        (QUEUE, {}, {"policy": {}}, "NO_PERMISSIONS"),
        (TOPIC, {}, {"policy": {}}, "NO_PERMISSIONS"),
        (LOGS, {}, {"policy": {}}, "NO_PERMISSIONS"),
        (QUEUE, {"target": {"RoleArn": ROLE}}, {"assumable": False}, "NO_PERMISSIONS"),
        (QUEUE, {"target": {"RoleArn": ROLE}}, {"allowed": False}, "NO_PERMISSIONS"),
        (arn("sqs", "q", WEST), {}, {}, "INVALID_TARGET"),
        (arn("kinesis", "stream/s"), {}, {}, "UNSUPPORTED_TARGET"),
        (arn("kinesis", "stream/s"), {"target": {"RoleArn": ROLE}}, {}, "UNSUPPORTED_TARGET"),
        (arn("events", "event-bus/b"), {}, {}, "INVALID_TARGET"),
        (arn("events", "event-bus/none"), {"event": EVENT}, {}, "NO_RESOURCE"),
        (
            arn("events", "event-bus/b", WEST),
            {"event": EVENT, "target": {"RoleArn": ROLE}},
            {},
            "NO_PERMISSIONS",
        ),
        (
            arn("events", "event-bus/b", WEST),
            {"event": {**EVENT, "Region": WEST}, "target": {"RoleArn": ROLE}},
            {},
            "THIRD_REGION_HOP_DETECTED",
        ),
    ],
    ids=str,
)
def test_what_no_retry_mends_goes_to_the_dead_letter_queue_at_once(
    world, target, given, state, code
):
    """Trap 27: the error codes that the operator reads there, without one retry."""
    for name, value in state.items():
        setattr(world, name, value)
    outcome, letter = world.deliver(target, **given)
    assert outcome == "dead-lettered"
    assert (letter["ERROR_CODE"], letter["RETRY_ATTEMPTS"]) == (code, "0")
    assert letter["TARGET_ARN"] == target


@pytest.mark.parametrize(
    ("policy", "condition", "attempts"),
    [
        ({"MaximumRetryAttempts": 1}, "MaximumRetryAttempts", "1"),
        ({"MaximumEventAgeInSeconds": 0}, "MaximumEventAgeInSeconds", "0"),
    ],
    ids=str,
)
def test_a_target_that_errs_is_tried_again_as_far_as_its_policy_goes(
    world, policy, condition, attempts
):
    """R5.1: retries, and what ended them."""

    def to_the_queue(given):
        return refused("InternalError") if given["QueueUrl"] == "q" else None

    world.failing["send_message"] = to_the_queue
    outcome, letter = world.deliver(QUEUE, target={"RetryPolicy": policy})
    assert (outcome, letter["ERROR_CODE"]) == ("dead-lettered", "SDK_CLIENT_ERROR")
    assert letter["EXHAUSTED_RETRY_CONDITION"] == condition
    assert letter["RETRY_ATTEMPTS"] == attempts


def test_a_target_deleted_before_the_call_is_not_tried_again(world):
    """R5.1: the policy was read, the queue is gone."""
    world.failing["get_queue_url"] = lambda given: (
        refused("QueueDoesNotExist") if given["QueueName"] == "q" else None
    )
    outcome, letter = world.deliver(QUEUE)
    assert (outcome, letter["ERROR_CODE"]) == ("dead-lettered", "NO_RESOURCE")
    world.failing["publish"] = refused("NotFound", "Publish")
    outcome, letter = world.deliver(TOPIC)
    assert (outcome, letter["ERROR_CODE"]) == ("dead-lettered", "NO_RESOURCE")


@pytest.mark.parametrize("end", ["other region", "forbidden", "broken", "none"])
def test_without_a_dead_letter_queue_that_takes_it_a_failed_event_is_lost(world, monkeypatch, end):
    """Trap 27: the queue must be of the rule's region and let EventBridge in; the failure is
    counted as FailedInvocations."""
    world.existing = False
    queue = {"other region": arn("sqs", "dead", WEST), "forbidden": arn("sqs", "shut")}
    if end == "broken":
        world.failing["send_message"] = EndpointConnectionError(endpoint_url="http://x")
    dead = {} if end == "none" else {"Arn": queue.get(end, DEAD)}
    assert world.deliver(TOPIC, target={"DeadLetterConfig": dead}) == ("failed", {})


@pytest.mark.parametrize(("allowed", "outcome"), [(True, "dead-lettered"), (False, "failed")])
def test_a_schedule_sends_its_dead_letters_with_its_own_role(world, monkeypatch, allowed, outcome):
    """EventBridge Scheduler user guide, "Configuring a dead-letter queue": the role needs
    sqs:SendMessage; the queue's policy isn't asked."""
    world.assumable = False
    world.allowed = allowed
    reported, _ = world.deliver(QUEUE, service="scheduler.amazonaws.com", target={"RoleArn": ROLE})
    assert reported == outcome


SCHEDULED = {
    "service": "scheduler.amazonaws.com",
    "occurrence": {"EXECUTION_ID": "e", "SCHEDULED_TIME": "2026-01-01T00:01:00Z"},
}
ATTEMPT = '{"attempt": <aws.scheduler.attempt-number>}'


@pytest.mark.parametrize(
    ("policy", "made", "exhausted"),
    [
        ({"MaximumRetryAttempts": 2}, 3, "MaximumRetryAttempts"),
        ({"MaximumRetryAttempts": 0}, 1, "MaximumRetryAttempts"),
        # At clock 1000 the first pause is longer than the event may live.
        ({"MaximumEventAgeInSeconds": 60}, None, "MaximumEventAgeInSeconds"),
    ],
    ids=str,
)
def test_a_schedule_tries_its_target_again_as_its_retry_policy_says(world, policy, made, exhausted):
    """EventBridge Scheduler user guide, "Managing a schedule": growing pauses in lab time, until
    the attempts or the event's age are used up, then the dead-letter queue. The input carries the
    attempt's number ("Adding context attributes")."""
    bodies = []

    def busy(given):
        if given["QueueUrl"] == "dead":
            return None
        bodies.append(given["MessageBody"])
        return refused("ThrottlingException")

    world.failing["send_message"] = busy
    target = {"RoleArn": ROLE, "RetryPolicy": policy}
    outcome, letter = world.deliver(QUEUE, target=target, payload=ATTEMPT, **SCHEDULED)
    assert outcome == "dead-lettered"
    made = made or len(bodies)
    assert [json.loads(body)["attempt"] for body in bodies] == list(range(1, made + 1))
    assert letter["EXHAUSTED_RETRY_CONDITION"] == exhausted
    assert letter["RETRY_ATTEMPTS"] == str(made - 1)


def test_a_schedules_dead_letter_names_schedule_execution_and_time(world):
    """EventBridge Scheduler user guide, "Configuring a schedule's dead-letter queue": the message's
    attributes; the error code is the target's own, and no retry was exhausted."""
    gone = "AWS.SimpleQueueService.NonExistentQueue"
    world.failing["send_message"] = lambda given: (
        None if given["QueueUrl"] == "dead" else refused(gone)
    )
    outcome, letter = world.deliver(QUEUE, target={"RoleArn": ROLE}, **SCHEDULED)
    assert outcome == "dead-lettered"
    assert "RULE_ARN" not in letter
    assert letter["SCHEDULE_ARN"] == arn("events", "rule/r")
    assert {name: letter[name] for name in SCHEDULED["occurrence"]} == SCHEDULED["occurrence"]
    assert (letter["TARGET_ARN"], letter["IS_PAYLOAD_TRUNCATED"]) == (QUEUE, "false")
    assert letter["ERROR_CODE"] == gone
    assert "EXHAUSTED_RETRY_CONDITION" not in letter


def test_a_schedules_event_for_a_bus_carries_the_attempts_number_too(world):
    """EventBridge Scheduler user guide, "Adding context attributes": in the detail of PutEvents."""
    event = {**EVENT, "Detail": ATTEMPT}
    bus = arn("events", "event-bus/b")
    given = {**SCHEDULED, "target": {"RoleArn": ROLE}}
    assert world.deliver(bus, event=event, **given) == ("delivered", {})
    (sent,) = [what for operation, what in world.sent if operation == "dispatch"]
    assert json.loads(sent["Detail"]) == {"attempt": 1}


def test_an_event_that_breaks_the_lab_does_not_wait_for_ever(world):
    """R6.2: it is gone and logged, and the others continue."""
    world.failing["send_message"] = KeyError("broken")
    assert world.deliver(QUEUE) == (None, {})


def test_a_region_that_is_down_delivers_what_it_accepted_when_it_is_back(world):
    """R5.1: nothing is delivered during the outage, and nothing is lost by it."""
    world.lab.outages.begin(EAST, [OutageKind.API])

    async def outage():
        await asyncio.sleep(0.15)
        assert world.sent == []
        world.lab.outages.end(EAST)

    assert world.deliver(QUEUE, meanwhile=outage) == ("delivered", {})


def test_a_bus_of_a_region_that_is_down_is_tried_until_the_region_is_back(world):
    """R5.1: and then at once, not after the rest of the pause."""
    from ministack.services import eventbridge

    eventbridge._event_bus_policies["b"] = OPEN
    world.lab.outages.begin(WEST, [OutageKind.API])

    async def outage():
        await asyncio.sleep(0.05)
        world.lab.outages.end(WEST)

    outcome = world.deliver(
        arn("events", "event-bus/b", WEST),
        meanwhile=outage,
        event=EVENT,
        target={"RoleArn": ROLE},
    )
    assert outcome == ("delivered", {})
