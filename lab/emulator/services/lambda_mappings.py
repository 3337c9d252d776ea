"""Lambda: event source mappings are polled on the lab's clock, and refused as AWS refuses them."""

from __future__ import annotations

from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.lambda_targets import deployed_function
from lab.emulator.mappings import PARTIAL, lacking_permission
from lab.emulator.mending import Mending
from lab.emulator.scope import account_of, scope

MOST_WITHOUT_WINDOW = 10


def install(mending: Mending) -> None:
    """Mends event source mappings of queues; ``lab.emulator.mappings`` polls them."""
    from ministack.services import lambda_svc

    # Its thread may run already, begun when what was saved was loaded.
    lambda_svc._poll_sqs = lambda: False
    lambda_svc._ensure_poller = lambda: None
    mending.mend("lambda", "CreateEventSourceMapping", check_creation)


async def check_creation(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """The queue exists, hides messages for long enough and is read by this function once; the
    function's role may read it."""
    given = request.parameters
    arn = str(given.get("EventSourceArn", ""))
    if arn.split(":")[2:3] != ["sqs"]:
        return await call_next(request)
    with scope(request):
        _check(request, given, arn)
    return await call_next(request)


def _check(request: ApiRequest, given: dict[str, Any], arn: str) -> None:
    from ministack.services import lambda_svc, sqs

    reference = str(given.get("FunctionName", ""))
    prefix = f"arn:aws:lambda:{request.region}:{account_of(request)}:function:"
    function = deployed_function(reference if reference.startswith("arn:") else prefix + reference)
    if function is None:
        return  # the emulator refuses it
    queue = sqs._queue_by_arn(arn)
    if queue is None:
        raise _refusal(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService."
            "NonExistentQueue. SQS Error Message: The specified queue does not exist."
        )
    if lacking := lacking_permission(function, arn):
        raise _refusal(
            "The function execution role does not have permissions to call "
            f"{lacking.partition(':')[2]} on SQS"
        )
    hidden = int(queue["attributes"]["VisibilityTimeout"])
    if hidden < function.timeout:
        raise _refusal(
            f"Queue visibility timeout: {hidden} seconds is less than Function timeout: "
            f"{function.timeout:.0f} seconds"
        )
    window = int(given.get("MaximumBatchingWindowInSeconds") or 0)
    if int(given.get("BatchSize") or 10) > MOST_WITHOUT_WINDOW and window < 1:
        raise _refusal(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            f"greater than {MOST_WITHOUT_WINDOW}"
        )
    unknown = set(given.get("FunctionResponseTypes") or ()) - {PARTIAL}
    if unknown:
        raise _refusal(f"Unknown function response type {sorted(unknown)[0]}")
    for mapping in lambda_svc._esms.values():
        if mapping["EventSourceArn"] == arn and mapping["FunctionArn"] == function.called_arn:
            raise ApiRefusal(
                "ResourceConflictException",
                f'An event source mapping with SQS arn ("{arn}") and function '
                f'("{function.name}") already exists. Please update or delete the existing '
                f"mapping with UUID {mapping['UUID']}",
                409,
            )


def _refusal(message: str) -> ApiRefusal:
    return ApiRefusal("InvalidParameterValueException", message)
