"""Systems Manager: a changed parameter raises an event on the region's default bus.

Source: Systems Manager user guide, "Reference: Amazon EventBridge event patterns and types for
Systems Manager".
"""

from __future__ import annotations

from functools import partial

from lab.api import ApiRequest, ApiResponse, CallNext
from lab.clock import Clock
from lab.emulator.mending import Mending
from lab.emulator.scope import account_of
from lab.emulator.service_events import say


def install(mending: Mending) -> None:
    """Mends Systems Manager."""
    changed_ = partial(changed, mending.lab.clock)
    mending.mend("ssm", "PutParameter DeleteParameter DeleteParameters", changed_)


async def changed(clock: Clock, request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """One event for each parameter that was created, updated or deleted."""
    response = await call_next(request)
    if not response.ok:
        return response
    if request.operation == "PutParameter":
        names = [request.parameters["Name"]]
        operation = "Create" if response.result["Version"] == 1 else "Update"
    else:
        names = response.result.get("DeletedParameters") or [request.parameters["Name"]]
        operation = "Delete"
    account = account_of(request)
    for name in names:
        say(
            account,
            request.region,
            "aws.ssm",
            "Parameter Store Change",
            {"operation": operation, "name": name, "type": request.parameters.get("Type", "")},
            [f"arn:aws:ssm:{request.region}:{account}:parameter{name}"],
            clock.now(),
        )
    return response
