"""One event on its way to one target: attempts, retries, the dead-letter queue.

As the EventBridge user guide has it ("Retry policy and dead-letter queues", "Sending and receiving
events between AWS Regions"): a target that can't be reached is tried again with growing pauses, at
most 185 times within 24 hours unless the target says less; a missing permission or a missing target
isn't retried; what can't be delivered goes to the target's dead-letter queue, if there is one and
its policy lets EventBridge send to it.

EventBridge Scheduler does the same with a schedule's target ("Managing a schedule", "Configuring a
schedule's dead-letter queue"): its dead letters name schedule, execution and scheduled time, and
are sent with the schedule's role; their error code is what the target's API answered.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from botocore.exceptions import ClientError

from lab.api import ApiRefusal
from lab.context import LabContext
from lab.emulator.asynchronous import send
from lab.emulator.identities import role_allows, trusts
from lab.emulator.lambda_targets import deployed_function
from lab.emulator.policies import Access, allows
from lab.emulator.resource_policies import policy_of
from lab.facts import EventDelivery
from lab.outage import OutageKind

logger = logging.getLogger("lab")

MOST_ATTEMPTS = 185
OLDEST_SECONDS = 24 * 3600.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0
SERVICE = "events.amazonaws.com"
ATTEMPT_NUMBER = "<aws.scheduler.attempt-number>"
Outcome = Literal["delivered", "failed", "dead-lettered"]


class Undeliverable(Exception):  # noqa: N818 - EventBridge's word for it
    """An attempt failed; ``code`` as EventBridge gives it in ERROR_CODE, ``answered`` as the
    target's API did, which is what its scheduler gives there."""

    def __init__(self, code: str, message: str, *, retry: bool = False, answered: str = "") -> None:
        super().__init__(message)
        self.code, self.retry, self.answered = code, retry, answered


@dataclass
class Delivery:
    """What is to be delivered. Plain data, so that it outlives the process."""

    region: str
    account: str
    rule: str
    """name of the rule; of a schedule ``GROUP/NAME``"""
    bus: str
    source_arn: str
    """the rule's or schedule's ARN"""
    target: dict[str, Any]
    payload: str
    """what a target gets that isn't a bus"""
    event: dict[str, Any] | None
    """the emulator's event record, for a bus"""
    service: str = SERVICE
    """the service principal that delivers: EventBridge or its scheduler"""
    occurrence: dict[str, str] = field(default_factory=dict)
    """of a schedule: ``EXECUTION_ID`` and ``SCHEDULED_TIME``; empty for a rule"""
    born: float = 0.0
    attempts: int = 0
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()))


class Courier:
    """Attempts deliveries."""

    def __init__(self, lab: LabContext) -> None:
        self.lab = lab
        self.waiting: dict[str, Delivery] = {}
        """Accepted and not yet delivered, by identifier."""
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, delivery: Delivery) -> None:
        """Delivers it, from now on."""
        delivery.born = delivery.born or self.lab.clock.now()
        self.waiting[delivery.identifier] = delivery
        task = asyncio.create_task(self._deliver(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Stops trying; what waits stays in ``waiting``."""
        for task in self._tasks:
            task.cancel()

    async def _deliver(self, delivery: Delivery) -> None:
        policy = delivery.target.get("RetryPolicy") or {}
        most = int(policy.get("MaximumRetryAttempts", MOST_ATTEMPTS))
        oldest = float(policy.get("MaximumEventAgeInSeconds", OLDEST_SECONDS))
        clock = self.lab.clock
        while True:
            await self._own_region_up(delivery)
            try:
                await self._attempt(delivery)
            except Undeliverable as failure:
                problem, exhausted = failure, ""
                if failure.retry:
                    pause = min(FIRST_PAUSE_SECONDS * 2**delivery.attempts, LONGEST_PAUSE_SECONDS)
                    if delivery.attempts >= most:
                        exhausted = "MaximumRetryAttempts"
                    elif clock.now() + pause - delivery.born > oldest:
                        exhausted = "MaximumEventAgeInSeconds"
                    else:
                        delivery.attempts += 1
                        await self._pause(delivery, pause)
                        continue
                await self._give_up(delivery, problem, exhausted)
            except Exception:
                logger.exception("an event of rule %s was lost", delivery.rule)
            else:
                self._emit(delivery, "delivered")
            self.waiting.pop(delivery.identifier, None)
            return

    async def _own_region_up(self, delivery: Delivery) -> None:
        """A dead region delivers nothing; what it has accepted is delivered when it is back."""
        while self.lab.outages.has_lost(delivery.region, OutageKind.API):
            await asyncio.sleep(0.1)

    async def _pause(self, delivery: Delivery, pause: float) -> None:
        """Waits, but at most until the target's region comes back: AWS's pauses are jittered, so a
        region that is up again is soon found to be."""
        region = _region_of(delivery)
        was_down = self._down(region)
        until = self.lab.clock.now() + pause
        while self.lab.clock.now() < until:
            await asyncio.sleep(0.1)
            if was_down and not self._down(region):
                return

    def _down(self, region: str) -> bool:
        return self.lab.outages.has_lost(region, OutageKind.API)

    async def _attempt(self, delivery: Delivery) -> None:
        delivery = _numbered(delivery)
        arn = delivery.target["Arn"]
        service = arn.split(":")[2]
        if self._down(_region_of(delivery)):
            raise Undeliverable("SERVICE_UNAVAILABLE", f"{arn} can't be reached", retry=True)
        if service == "events" and ":event-bus/" in arn:
            await self._to_bus(delivery)
            return
        if _region_of(delivery) != delivery.region:
            raise Undeliverable(
                "INVALID_TARGET", f"{arn} is in another region, where only buses are targets"
            )
        self._check_permission(delivery, service)
        try:
            if service == "sqs":
                await self._send_to_queue(delivery)
            else:
                await asyncio.to_thread(self._send, delivery, service)
        except (ApiRefusal, ClientError) as error:
            code = _code(error)
            missing = any(word in code for word in ("NotFound", "NonExistent", "NotExist"))
            raise Undeliverable(
                "NO_RESOURCE" if missing else "SDK_CLIENT_ERROR",
                str(error),
                retry=not missing,
                answered=code,
            ) from None
        except ValueError as error:
            raise Undeliverable("UNSUPPORTED_TARGET", str(error)) from None

    def _send(self, delivery: Delivery, service: str) -> None:
        arn = delivery.target["Arn"]
        if service == "logs":
            self._send_to_logs(delivery)
        else:
            send(self.lab, arn, delivery.payload, {})

    async def _send_to_queue(self, delivery: Delivery) -> None:
        """In this process: every event of the application goes to a queue in each region, and a
        client's signed request takes ten times as long."""
        _, _, _, region, account, name = delivery.target["Arn"].split(":", 5)
        found = await self.lab.aws.call(
            "sqs", region, "GetQueueUrl", QueueName=name, QueueOwnerAWSAccountId=account
        )
        group = (delivery.target.get("SqsParameters") or {}).get("MessageGroupId")
        extra = {"MessageGroupId": group} if group else {}
        given = {"QueueUrl": found["QueueUrl"], "MessageBody": delivery.payload, **extra}
        await self.lab.aws.call("sqs", region, "SendMessage", **given)

    def _send_to_logs(self, delivery: Delivery) -> None:
        _, _, _, region, _, name = delivery.target["Arn"].split(":", 5)
        group = name.removeprefix("log-group:").removesuffix(":*")
        client, stream = self.lab.client("logs", region), str(uuid.uuid4())
        client.create_log_stream(logGroupName=group, logStreamName=stream)
        client.put_log_events(
            logGroupName=group,
            logStreamName=stream,
            logEvents=[
                {"timestamp": int(self.lab.clock.now() * 1000), "message": delivery.payload}
            ],
        )

    def _check_permission(self, delivery: Delivery, service: str) -> None:
        """The target's own policy must allow the service, unless a role is given that may."""
        arn, role = delivery.target["Arn"], delivery.target.get("RoleArn", "")
        action = _ACTIONS.get(service, f"{service}:Send")
        if role:
            self._check_role(delivery, role, Access(action, arn))
            return
        context = {"aws:SourceArn": delivery.source_arn, "aws:SourceAccount": delivery.account}
        access = Access(action, arn, service=delivery.service, context=context)
        policies = _resource_policies(self.lab, delivery, service)
        if policies is None:
            raise Undeliverable("NO_RESOURCE", f"{arn} does not exist")
        if not allows(policies, access):
            raise Undeliverable(
                "NO_PERMISSIONS", f"the policy of {arn} doesn't let {delivery.service} use it"
            )

    def _check_role(self, delivery: Delivery, role: str, access: Access) -> None:
        if not trusts(role, delivery.service, delivery.source_arn):
            raise Undeliverable("NO_PERMISSIONS", f"{delivery.service} can't assume {role}")
        if not role_allows(role, access):
            raise Undeliverable(
                "NO_PERMISSIONS",
                f"{role} is not authorized to perform {access.action} on {access.resource}",
            )

    async def _to_bus(self, delivery: Delivery) -> None:
        from ministack.core.responses import request_scope
        from ministack.services import eventbridge

        arn, event = delivery.target["Arn"], delivery.event
        if event is None:
            raise Undeliverable("INVALID_TARGET", f"{arn} takes events only")
        _, _, _, region, account, resource = arn.split(":", 5)
        bus = resource.partition("/")[2]
        crossing = region != delivery.region
        if crossing:
            await self.lab.clock.sleep(self.lab.one_way_seconds)
        if crossing and event["Region"] != delivery.region:
            raise Undeliverable(
                "THIRD_REGION_HOP_DETECTED",
                "An event that was received from another Region can't be sent on to a third one",
            )
        role = delivery.target.get("RoleArn", "")
        if crossing or role:
            self._check_role(delivery, role, Access("events:PutEvents", arn))
        with request_scope(account, region):
            if bus != "default" and bus not in eventbridge._event_buses:
                raise Undeliverable("NO_RESOURCE", f"{arn} does not exist")
            policy = eventbridge._event_bus_policies.get(bus)
            context = {
                "aws:PrincipalAccount": delivery.account,
                "aws:SourceArn": delivery.source_arn,
                "aws:SourceAccount": delivery.account,
                "events:source": str(event.get("Source", "")),
                "events:detail-type": str(event.get("DetailType", "")),
            }
            access = Access(
                "events:PutEvents", arn, principal=role, service=SERVICE, context=context
            )
            if crossing and not allows([policy or {}], access):
                raise Undeliverable(
                    "NO_PERMISSIONS", f"the policy of {arn} doesn't let {role} put events"
                )
            forwarded = {**event, "EventBusName": bus}
            if crossing:
                forwarded.pop("_DispatchPath", None)
            else:
                path = event.get("_DispatchPath") or []
                own = eventbridge._rule_key(delivery.rule, delivery.bus)
                forwarded["_DispatchPath"] = [*path, own]
            eventbridge._dispatch_event(forwarded)
            archived = {**forwarded}
            archived.pop("_DispatchPath", None)
            eventbridge._archive_event(archived)

    async def _give_up(self, delivery: Delivery, problem: Undeliverable, exhausted: str) -> None:
        logger.warning(
            "event of rule %s in %s for %s: %s: %s",
            delivery.rule,
            delivery.region,
            delivery.target["Arn"],
            problem.code,
            problem,
        )
        queue = (delivery.target.get("DeadLetterConfig") or {}).get("Arn", "")
        if not queue or not self._may_dead_letter(delivery, queue):
            self._emit(delivery, "failed")
            return
        attributes = {
            **_sender(delivery),
            "TARGET_ARN": delivery.target["Arn"],
            "ERROR_CODE": (delivery.occurrence and problem.answered) or problem.code,
            "ERROR_MESSAGE": str(problem)[:1024],
            "EXHAUSTED_RETRY_CONDITION": exhausted,
            "RETRY_ATTEMPTS": str(delivery.attempts),
        }
        try:
            await asyncio.to_thread(send, self.lab, queue, delivery.payload, attributes)
        except Exception as error:
            logger.warning("dead letter of rule %s: %s", delivery.rule, error)
            self._emit(delivery, "failed")
        else:
            self._emit(delivery, "dead-lettered")

    def _may_dead_letter(self, delivery: Delivery, queue: str) -> bool:
        if queue.split(":")[3] != delivery.region:
            return False
        probe = Delivery(**{**delivery.__dict__, "target": {"Arn": queue}})
        role = delivery.target.get("RoleArn", "")
        if delivery.service != SERVICE:
            # The scheduler sends dead letters with the schedule's role.
            return role_allows(role, Access("sqs:SendMessage", queue))
        try:
            self._check_permission(probe, "sqs")
        except Undeliverable as error:
            logger.warning("dead letter of rule %s: %s", delivery.rule, error)
            return False
        return True

    def _emit(self, delivery: Delivery, outcome: Outcome) -> None:
        self.lab.emit(
            EventDelivery(
                region=delivery.region,
                bus=delivery.bus,
                rule=delivery.rule,
                target=delivery.target["Arn"],
                outcome=outcome,
                seconds=self.lab.clock.now() - delivery.born,
            )
        )


def _code(error: ApiRefusal | ClientError) -> str:
    if isinstance(error, ApiRefusal):
        return error.code
    return str(error.response.get("Error", {}).get("Code"))


def _sender(delivery: Delivery) -> dict[str, str]:
    """Who has sent a dead letter, in its attributes."""
    if not delivery.occurrence:
        return {"RULE_ARN": delivery.source_arn}
    return {
        "SCHEDULE_ARN": delivery.source_arn,
        **delivery.occurrence,
        "IS_PAYLOAD_TRUNCATED": "false",
    }


def _numbered(delivery: Delivery) -> Delivery:
    """The delivery with the attempt's number, where a schedule's input asks for it (Scheduler user
    guide, "Adding context attributes")."""
    if not delivery.occurrence:
        return delivery
    number = str(delivery.attempts + 1)
    payload = delivery.payload.replace(ATTEMPT_NUMBER, number)
    event = delivery.event and {
        **delivery.event,
        "Detail": delivery.event["Detail"].replace(ATTEMPT_NUMBER, number),
    }
    return replace(delivery, payload=payload, event=event)


_ACTIONS = {
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "lambda": "lambda:InvokeFunction",
    "logs": "logs:PutLogEvents",
}


def _region_of(delivery: Delivery) -> str:
    return delivery.target["Arn"].split(":")[3] or delivery.region


def _resource_policies(lab: LabContext, delivery: Delivery, service: str) -> list[Any] | None:
    """The policies of a target; None when it doesn't exist."""
    from ministack.core.responses import request_scope
    from ministack.services import sns, sqs

    arn = delivery.target["Arn"]
    _, _, _, region, account, _ = arn.split(":", 5)
    with request_scope(account, region):
        match service:
            case "sqs":
                return None if sqs._queue_by_arn(arn) is None else [policy_of(arn)]
            case "sns":
                return None if sns._topics.get(arn) is None else [policy_of(arn)]
            case "lambda":
                return None if deployed_function(arn) is None else [policy_of(arn)]
            case "logs":
                held = lab.client("logs", region).describe_resource_policies()
                return [json.loads(p["policyDocument"]) for p in held["resourcePolicies"]]
    raise Undeliverable("UNSUPPORTED_TARGET", f"the lab delivers no events to {arn}")
