"""SQS: attributes can be taken away; old messages expire."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import unwrap
from typing import Any

from lab.api import ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.scope import scope

REMOVABLE = ("Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId")


def install(mending: Mending) -> None:
    """Mends SQS."""
    from ministack.services import sqs

    mending.mend("sqs", "SetQueueAttributes CreateQueue", attributes)
    now = mending.lab.clock.now
    sqs._refresh_counts = _after_expiry(sqs._refresh_counts, now)
    sqs._collect_msgs = _after_expiry(sqs._collect_msgs, now)
    sqs._dlq_sweep = _after_expiry(sqs._dlq_sweep, now)


def expire(queue: dict[str, Any], now: float) -> None:
    """Takes away what is older than the queue keeps messages. Moving to a dead-letter queue doesn't
    make a message younger."""
    keeps = float(queue["attributes"]["MessageRetentionPeriod"])
    if any(message.get("sent_at", now) + keeps < now for message in queue["messages"]):
        queue["messages"] = [
            message for message in queue["messages"] if message.get("sent_at", now) + keeps >= now
        ]


def _after_expiry(act: Callable[..., Any], now: Callable[[], float]) -> Callable[..., Any]:
    act = unwrap(act)

    @wraps(act)
    def expire_and_act(queue: dict[str, Any], *more: Any) -> Any:
        expire(queue, now())
        return act(queue, *more)

    return expire_and_act


async def attributes(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """Empty policies and keys are removed, which the emulator refuses."""
    from ministack.services import sqs

    given = request.parameters.get("Attributes") or {}
    removed = [name for name in REMOVABLE if given.get(name) == ""]
    if not removed or request.call is None:
        return await call_next(request)
    kept = {name: value for name, value in given.items() if name not in removed}
    request.parameters["Attributes"] = kept
    request.rewrite()
    if request.operation == "SetQueueAttributes":
        name = request.parameters["QueueUrl"].rpartition("/")[2]
        with scope(request):
            for queue in sqs._queues.values():
                if queue["attributes"]["QueueArn"].rpartition(":")[2] == name:
                    for attribute in removed:
                        queue["attributes"].pop(attribute, None)
        if not kept:
            return ApiResponse({})
    return await call_next(request)
