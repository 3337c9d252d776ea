"""Event source mappings from SQS: what Lambda's pollers do with a queue and a function.

As the Lambda developer guide has it ("Using Lambda with Amazon SQS", "Handling errors for an SQS
event source in Lambda"): what the function succeeded with is deleted; what it failed on comes back
when its visibility timeout is over, the whole batch unless the function may name the messages. The
emulator's own poller runs one batch at a time, on the machine's clock, with whatever role.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from lab.context import LabContext
from lab.emulator.functions import Function, Functions
from lab.emulator.identities import role_allows
from lab.emulator.lambda_targets import deployed_function
from lab.emulator.policies import Access
from lab.emulator.worker import Outcome
from lab.outage import OutageKind

logger = logging.getLogger("lab")

POLL_SECONDS = 0.1
"""Real seconds between two looks at the queues; a look reads memory."""
RETRY_SECONDS = 5.0
"""Lab seconds until a batch that met no free function is tried again."""
USUAL_CONCURRENCY = 5
"""Batches at once without a ScalingConfig: as many as Lambda begins with."""
PERMISSIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
PARTIAL = "ReportBatchItemFailures"
NOTHING_DONE = "No records processed"
DONE = "OK"
FAILED = "PROBLEM: Function call failed"


class Mappings:
    """The pollers of all event source mappings of queues."""

    def __init__(self, lab: LabContext, functions: Functions) -> None:
        self.lab, self.functions = lab, functions
        self._poller: asyncio.Task[None] | None = None
        self._batches: dict[str, set[asyncio.Task[None]]] = {}

    def start(self) -> None:
        """Polls, from now on."""
        self._poller = asyncio.create_task(self._poll())

    def stop(self) -> None:
        """Stops polling; batches in flight stay in their queues."""
        if self._poller:
            self._poller.cancel()
        for batches in self._batches.values():
            for batch in batches:
                batch.cancel()
        self._batches.clear()

    async def _poll(self) -> None:
        from ministack.services import lambda_svc

        while True:
            for (account, region, identifier), mapping in list(lambda_svc._esms._data.items()):
                try:
                    while self._begin(account, region, identifier, mapping):
                        pass
                except Exception:
                    logger.exception("event source mapping %s", identifier)
            await asyncio.sleep(POLL_SECONDS)

    def _begin(self, account: str, region: str, identifier: str, mapping: dict[str, Any]) -> bool:
        """Begins with one batch of what can be received; whether there was one."""
        from ministack.core.responses import request_scope
        from ministack.services import sqs

        arn = str(mapping.get("EventSourceArn", ""))
        running = self._batches.setdefault(identifier, set())
        scaling = mapping.get("ScalingConfig") or {}
        most = int(scaling.get("MaximumConcurrency") or USUAL_CONCURRENCY)
        if not mapping.get("Enabled", True) or arn.split(":")[2] != "sqs" or len(running) >= most:
            return False
        lost = (OutageKind.API, OutageKind.COMPUTE)
        if any(self.lab.outages.has_lost(region, kind) for kind in lost):
            return False
        with request_scope(account, region):
            queue = sqs._queue_by_arn(arn)
            # Most looks end here: nothing waits, or all is hidden.
            if queue is None or not _any_visible(queue, self.lab.clock.now()):
                return False
            function = deployed_function(mapping["FunctionArn"])
            if function is None:
                return False
            if lacking := lacking_permission(function, arn):
                mapping["LastProcessingResult"] = f"PROBLEM: the role may not call {lacking}"
                return False
            size = int(mapping.get("BatchSize") or 10)
            messages = sqs._receive_messages_for_esm(queue["url"], size)
        if not messages:
            return False
        # What is received later under the same id has another receipt handle.
        received = [dict(message) for message in messages]
        work = self._work(account, region, mapping, function, queue, received)
        task = asyncio.create_task(work)
        running.add(task)
        task.add_done_callback(running.discard)
        return True

    async def _work(
        self,
        account: str,
        region: str,
        mapping: dict[str, Any],
        function: Function,
        queue: Mapping[str, Any],
        messages: Sequence[Mapping[str, Any]],
    ) -> None:
        from ministack.core.responses import request_scope
        from ministack.services import sqs

        clock = self.lab.clock
        visible_again = min(float(message["visible_at"]) for message in messages)
        arn = str(mapping["EventSourceArn"])
        event = {"Records": [record(message, arn, region, account) for message in messages]}
        outcome = await self.functions.invoke(function, event)
        while outcome.throttled or outcome.unavailable:
            if clock.now() + RETRY_SECONDS >= visible_again:
                return
            await clock.sleep(RETRY_SECONDS)
            outcome = await self.functions.invoke(function, event)
        partial = PARTIAL in (mapping.get("FunctionResponseTypes") or ())
        failed = failed_messages(outcome, [str(m["id"]) for m in messages], partial=partial)
        mapping["LastProcessingResult"] = FAILED if len(failed) == len(messages) else DONE
        done = {str(m["receipt_handle"]) for m in messages if m["id"] not in failed}
        with request_scope(account, region):
            if sqs._queues.get(queue["url"]) is not None:
                sqs._delete_messages_for_esm(queue["url"], done)


def _any_visible(queue: Mapping[str, Any], now: float) -> bool:
    return any(message.get("visible_at", now) <= now for message in queue["messages"])


def lacking_permission(function: Function, queue_arn: str) -> str:
    """The first action on the queue that the function's role may not do; empty when it may all."""
    role = str(function.config.get("Role", ""))
    lacking = [action for action in PERMISSIONS if not role_allows(role, Access(action, queue_arn))]
    return lacking[0] if lacking else ""


def record(message: Mapping[str, Any], queue_arn: str, region: str, account: str) -> dict[str, Any]:
    """A message as the function gets it."""
    first = float(message.get("first_receive_at") or message["sent_at"])
    return {
        "messageId": message["id"],
        "receiptHandle": message["receipt_handle"],
        "body": message["body"],
        "attributes": {
            "ApproximateReceiveCount": str(message["receive_count"]),
            "SentTimestamp": str(int(float(message["sent_at"]) * 1000)),
            "SenderId": account,
            "ApproximateFirstReceiveTimestamp": str(int(first * 1000)),
        },
        "messageAttributes": {
            name: {key[:1].lower() + key[1:]: value for key, value in attribute.items()}
            for name, attribute in (message.get("message_attributes") or {}).items()
        },
        "md5OfBody": message.get("md5_body") or "",
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }


def failed_messages(outcome: Outcome, batch: Sequence[str], *, partial: bool) -> set[str]:
    """Which messages of a batch (their ids) stay in the queue.

    None when the function named none; all when it failed, or when it may name messages and names
    one that isn't in the batch or answers what can't be read ("Success and failure conditions").
    """
    if outcome.error is not None:
        return set(batch)
    if not partial:
        return set()
    answer = outcome.result
    if isinstance(answer, str):
        try:
            answer = json.loads(answer) if answer else None
        except ValueError:
            return set(batch)
    if not isinstance(answer, Mapping):
        return set() if answer is None else set(batch)
    failures = answer.get("batchItemFailures") or []
    named = {
        failure.get("itemIdentifier") if isinstance(failure, Mapping) else None
        for failure in failures
    }
    return {str(name) for name in named} if named <= set(batch) else set(batch)
