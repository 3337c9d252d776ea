"""Asynchronous invocations: retries, then the dead-letter queue and the failure destination.

As the Lambda developer guide ("Asynchronous invocation") has it: two retries, after one and after
two minutes, while the event is younger than its maximum age; then the dead-letter target gets the
event and the on-failure destination a record of it. Waits run on the lab's clock.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Mapping
from typing import Any

from lab.context import LabContext
from lab.emulator.functions import Function, Functions
from lab.emulator.identities import role_allows
from lab.emulator.policies import Access
from lab.emulator.worker import Outcome

logger = logging.getLogger("lab")

PAUSES = (60.0, 120.0)
OLDEST_EVENT_SECONDS = 6 * 3600
POLL_SECONDS = 5.0
"""How often an event of a region without compute looks whether it is back."""


class Asynchronous:
    """Functions' asynchronous invocations in flight."""

    def __init__(self, lab: LabContext, functions: Functions) -> None:
        self.lab, self.functions = lab, functions
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, function: Function, settings: Mapping[str, Any], event: Any) -> None:
        """Accepts an event; ``settings`` is the function's event-invoke configuration."""
        task = asyncio.create_task(self._run(function, settings, event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Gives up what is in flight."""
        for task in self._tasks:
            task.cancel()

    async def _run(self, function: Function, settings: Mapping[str, Any], event: Any) -> None:
        clock = self.lab.clock
        request_id = str(uuid.uuid4())
        born = clock.now()
        oldest = float(settings.get("MaximumEventAgeInSeconds") or OLDEST_EVENT_SECONDS)
        retries = settings.get("MaximumRetryAttempts")
        retries = len(PAUSES) if retries is None else int(retries)
        attempts = 0
        while True:
            outcome = await self.functions.invoke(function, event, request_id)
            if outcome.error is None:
                await self._destination(
                    function, settings, "OnSuccess", event, request_id, outcome, attempts + 1
                )
                return
            if outcome.unavailable or outcome.throttled:
                pause = POLL_SECONDS
            else:
                attempts += 1
                if attempts > retries:
                    condition = "RetriesExhausted"
                    break
                pause = PAUSES[min(attempts, len(PAUSES)) - 1]
            if clock.now() + pause - born > oldest:
                condition = "EventAgeExceeded"
                break
            await clock.sleep(pause)
        await self._dead_letter(function, event, request_id, outcome)
        await self._destination(
            function, settings, "OnFailure", event, request_id, outcome, attempts, condition
        )

    async def _dead_letter(
        self, function: Function, event: Any, request_id: str, outcome: Outcome
    ) -> None:
        target = (function.config.get("DeadLetterConfig") or {}).get("TargetArn", "")
        if not target:
            return
        error = outcome.error or {}
        attributes = {
            "RequestID": request_id,
            "ErrorCode": "200",
            "ErrorMessage": str(error.get("errorMessage", ""))[:1024],
        }
        await self._send(function, target, json.dumps(event), attributes)

    async def _destination(
        self,
        function: Function,
        settings: Mapping[str, Any],
        kind: str,
        event: Any,
        request_id: str,
        outcome: Outcome,
        attempts: int,
        condition: str = "Success",
    ) -> None:
        target = ((settings.get("DestinationConfig") or {}).get(kind) or {}).get("Destination", "")
        if not target:
            return
        response: dict[str, Any] = {
            "statusCode": 200,
            "executedVersion": function.version,
        }
        if outcome.error:
            response["functionError"] = "Unhandled"
        record = {
            "version": "1.0",
            "timestamp": self.lab.clock.utc_now().isoformat(timespec="milliseconds"),
            "requestContext": {
                "requestId": request_id,
                "functionArn": f"{function.arn}:{function.qualifier or '$LATEST'}",
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "requestPayload": event,
            "responseContext": response,
            "responsePayload": outcome.error or outcome.result,
        }
        await self._send(function, target, json.dumps(record, default=str), {})

    async def _send(
        self, function: Function, target: str, body: str, attributes: dict[str, str]
    ) -> None:
        service = target.split(":")[2]
        action = {
            "sqs": "sqs:SendMessage",
            "sns": "sns:Publish",
            "lambda": "lambda:InvokeFunction",
            "events": "events:PutEvents",
        }.get(service)
        role = str(function.config.get("Role", ""))
        if action is None or not role_allows(role, Access(action, target)):
            logger.warning("%s may not send its failed event to %s", function.name, target)
            return
        try:
            await asyncio.to_thread(send, self.lab, target, body, attributes)
        except Exception as error:
            logger.warning("%s could not send its event to %s: %s", function.name, target, error)


def send(lab: LabContext, target: str, body: str, attributes: Mapping[str, str]) -> None:
    """Delivers a message to an SQS queue, SNS topic or Lambda function by ARN (blocking)."""
    _, _, service, region, account, name = target.split(":", 5)
    typed = {
        key: {"DataType": "String", "StringValue": value}
        for key, value in attributes.items()
        if value
    }
    client = lab.client(service, region)
    match service:
        case "sqs":
            url = client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
            client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=typed)
        case "sns":
            client.publish(TopicArn=target, Message=body, MessageAttributes=typed)
        case "lambda":
            client.invoke(FunctionName=target, InvocationType="Event", Payload=body)
        case _:
            raise ValueError(f"{service} is no target the lab knows")
