"""EventBridge: PutEvents takes what AWS takes; every other entry has its error in the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.scope import scope

LARGEST = 256 * 1024
"""Bytes of a request's entries together (EventBridge user guide, "Calculating PutEvents event entry
size")."""
LONGEST_DETAIL_TYPE = 128
MOST_NOTED = 100


def install(mending: Mending) -> None:
    """Mends PutEvents."""
    mending.mend("events", "PutEvents", put_events)


async def put_events(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """Only entries without a fault reach the bus; the answer keeps the request's order."""
    entries: list[dict[str, Any]] = request.parameters.get("Entries") or []
    if sum(map(entry_size, entries)) > LARGEST:
        raise ApiRefusal(
            "ValidationException", "Total size of the entries in the request is over the limit."
        )
    faults = [fault(entry) for entry in entries]
    if not any(faults) or request.call is None:
        response = await call_next(request)
        forget_old_events(request)
        return response
    answers: list[dict[str, Any]] = []
    if not all(faults):
        # From the body: parameters have times that JSON hasn't.
        body = json.loads(request.call.body)
        body["Entries"] = [
            entry for entry, wrong in zip(body["Entries"], faults, strict=True) if not wrong
        ]
        request.call = request.call.with_body(json.dumps(body).encode())
        response = await call_next(request)
        if not response.ok:
            return response
        answers = response.result["Entries"]
        forget_old_events(request)
    accepted = iter(answers)
    merged = [_failure(*wrong) if wrong else next(accepted) for wrong in faults]
    failed = sum("ErrorCode" in entry for entry in merged)
    return ApiResponse({"FailedEntryCount": failed, "Entries": merged})


def forget_old_events(request: ApiRequest) -> None:
    """The emulator notes every event that was put, for nobody, and never forgets one."""
    from ministack.services import eventbridge

    with scope(request):
        del eventbridge._events_log_list()[:-MOST_NOTED]


def entry_size(entry: Mapping[str, Any]) -> int:
    """Bytes of an entry as EventBridge counts them."""
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")]
    texts += entry.get("Resources") or []
    return sum(len(text.encode()) for text in texts) + (14 if entry.get("Time") else 0)


def fault(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    """(code, message) of what AWS refuses in an entry; None when it takes it."""
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return "InvalidArgument", _invalid(name, f"{name} is a required argument.")
    if entry["Source"].startswith("aws."):
        return "NotAuthorizedForSourceException", "Not authorized for the source."
    if len(entry["DetailType"]) > LONGEST_DETAIL_TYPE:
        return "InvalidArgument", _invalid(
            "DetailType", f"DetailType is longer than {LONGEST_DETAIL_TYPE} characters."
        )
    try:
        detail = json.loads(entry["Detail"], parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        detail = None
    return None if isinstance(detail, dict) else ("MalformedDetail", "Detail is malformed.")


def _invalid(name: str, reason: str) -> str:
    return f"Parameter {name} is not valid. Reason: {reason}"


def _failure(code: str, message: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _refuse_constant(literal: str) -> None:
    raise ValueError(f"{literal} is no JSON")
