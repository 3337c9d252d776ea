"""Lambda: functions run in the lab's own workers, asynchronous invocations on the lab's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from lab.api import ApiRequest, ApiResponse, CallNext
from lab.emulator.functions import Function
from lab.emulator.mending import Mending
from lab.emulator.worker import Outcome

_called: ContextVar[str] = ContextVar("lambda_qualifier", default="")
"""The alias or version that the call of Invoke under way names."""


def install(mending: Mending) -> None:
    """Takes the place of the emulator's executors; they are called from its threads."""
    from ministack.services import lambda_svc

    settle_transitions()
    loop = asyncio.get_running_loop()

    def execute(record: Mapping[str, Any], event: Any) -> dict[str, Any]:
        function = _function(record, _called.get())
        if function is None:
            return {"body": {"errorMessage": "no code deployed"}, "error": True}
        invocation = mending.invoke(function, event)
        return _as_emulator(asyncio.run_coroutine_threadsafe(invocation, loop).result())

    def execute_later(record: Mapping[str, Any], event: Any) -> None:
        if function := _function(record, _called.get()):
            settings = invoke_settings(_whole(function), function.qualifier)
            loop.call_soon_threadsafe(mending.invoke_later, function, settings, event)

    lambda_svc._execute_function = execute
    lambda_svc.invoke_async_with_retry = execute_later
    lambda_svc._emit_lambda_metrics = lambda *_, **__: None
    lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = 0.05
    # Its guard against recursion counts hops over a header of its own SDK stubs.
    lambda_svc._recursive_loop_drop = lambda *_, **__: None
    mending.mend("lambda", "Invoke", remember_qualifier)


async def remember_qualifier(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """An alias or version has event-invoke settings of its own, which its record doesn't hold."""
    given = request.parameters
    _called.set(qualifier_of(str(given["FunctionName"]), str(given.get("Qualifier") or "")))
    return await call_next(request)


def qualifier_of(reference: str, given: str = "") -> str:
    """The alias or version that a reference (name, partial or whole ARN) or ``given`` names; empty
    for the function itself, which $LATEST is as well."""
    behind = reference.rpartition(":function:")[2].partition(":")[2]
    found = given or behind
    return "" if found == "$LATEST" else found


def settle_transitions() -> None:
    """Ends what a thread of a killed lab would have ended: no function stays Pending."""
    from ministack.services import lambda_svc

    for record in list(lambda_svc._functions._data.values()):
        versions = (record.get("versions") or {}).values()
        for config in (record.get("config"), *(version.get("config") for version in versions)):
            if not config:
                continue
            if config.get("State") == "Pending":
                config.update({"State": "Active", "StateReason": "", "StateReasonCode": ""})
            if config.get("LastUpdateStatus") == "InProgress":
                config.update({"LastUpdateStatus": "Successful", "LastUpdateStatusReason": ""})
                config["LastUpdateStatusReasonCode"] = ""


def invoke_settings(record: Mapping[str, Any], qualifier: str = "") -> Mapping[str, Any]:
    """The event-invoke configuration of a function, or of its alias or version; empty without
    one."""
    by_qualifier = record.get("event_invoke_configs") or {}
    if qualifier:
        return by_qualifier.get(qualifier) or {}
    return record.get("event_invoke_config") or by_qualifier.get("$LATEST") or {}


def _whole(function: Function) -> Mapping[str, Any]:
    """The emulator's record of the function that a version belongs to."""
    from ministack.services import lambda_svc

    key = (function.arn.split(":")[4], function.region, function.name)
    return lambda_svc._functions._data.get(key) or {}


def _function(record: Mapping[str, Any], qualifier: str) -> Function | None:
    config, code = record.get("config") or record, record.get("code_zip")
    return Function(config, code, qualifier) if code else None


def _as_emulator(outcome: Outcome) -> dict[str, Any]:
    log = "\n".join(outcome.log)
    if outcome.error is None:
        return {"body": outcome.result, "log": log}
    if outcome.throttled:
        body = {
            "__type": "TooManyRequestsException",
            "Type": "User",
            "message": "Rate Exceeded.",
            "Reason": outcome.reason,
        }
        return {"body": body, "error": True, "throttle": True, "log": log}
    return {"body": outcome.error, "error": True, "function_error": "Unhandled", "log": log}
