"""SQS: an attribute set to nothing is taken away."""

from __future__ import annotations

from lab.api import ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.scope import scope

REMOVABLE = ("Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId")


def install(mending: Mending) -> None:
    """Mend SQS."""
    mending.mend("sqs", "SetQueueAttributes CreateQueue", attributes)


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
