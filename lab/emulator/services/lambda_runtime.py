"""Lambda: functions run in the lab's own workers, asynchronous invocations on the lab's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from lab.emulator.functions import Function
from lab.emulator.mending import Mending
from lab.emulator.worker import Outcome


def install(mending: Mending) -> None:
    """Takes the place of the emulator's executors; they are called from its threads."""
    from ministack.services import lambda_svc

    settle_transitions()
    loop = asyncio.get_running_loop()

    def execute(record: Mapping[str, Any], event: Any) -> dict[str, Any]:
        function = _function(record)
        if function is None:
            return {"body": {"errorMessage": "no code deployed"}, "error": True}
        invocation = mending.invoke(function, event)
        return _as_emulator(asyncio.run_coroutine_threadsafe(invocation, loop).result())

    def execute_later(record: Mapping[str, Any], event: Any) -> None:
        if function := _function(record):
            loop.call_soon_threadsafe(
                mending.invoke_later, function, invoke_settings(record), event
            )

    lambda_svc._execute_function = execute
    lambda_svc.invoke_async_with_retry = execute_later
    lambda_svc._emit_lambda_metrics = lambda *_, **__: None
    lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = 0.05
    # Its guard against recursion counts hops over a header of its own SDK stubs.
    lambda_svc._recursive_loop_drop = lambda *_, **__: None


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


def invoke_settings(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A function's event-invoke configuration, empty without one."""
    by_qualifier = record.get("event_invoke_configs") or {}
    return record.get("event_invoke_config") or by_qualifier.get("$LATEST") or {}


def _function(record: Mapping[str, Any]) -> Function | None:
    config, code = record.get("config") or record, record.get("code_zip")
    return Function(config, code) if code else None


def _as_emulator(outcome: Outcome) -> dict[str, Any]:
    log = "\n".join(outcome.log)
    if outcome.error is None:
        return {"body": outcome.result, "log": log}
    if outcome.throttled:
        body = {"Type": "User", "message": "Rate Exceeded.", "Reason": "CallerRateLimitExceeded"}
        return {"body": body, "error": True, "throttle": True, "log": log}
    return {"body": outcome.error, "error": True, "function_error": "Unhandled", "log": log}
