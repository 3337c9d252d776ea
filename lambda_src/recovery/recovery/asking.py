"""Questions side by side, each bounded: what isn't answered is ``Missing``, never an exception."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from recovery.facts import Missing
from recovery.ports import UnavailableError
from recovery.side_by_side import side_by_side
from recovery.stored import error_code

THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException"}
)
CLIENT_ERRORS = range(400, 500)


class UnreadableError(Exception):
    """Nothing answered, or something else than what was asked; the text says what."""


def ask_all(questions: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, Any]:
    """Returns each question's answer or ``Missing``; threads that come late end by themselves."""
    asked = side_by_side(questions, seconds)
    return {name: _answer(name, future, seconds) for name, future in asked.items()}


def is_answer(fault: Exception) -> bool:
    """Whether an error is AWS's own answer: refused, not found; not silence, haste or a fault of
    its own."""
    response = getattr(fault, "response", None)
    if not isinstance(response, dict):
        return False
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status in CLIENT_ERRORS and error_code(fault) not in THROTTLED


def _answer(name: str, future: Future[Any], seconds: float) -> Any:
    if not future.done() or future.cancelled():
        return Missing(f"{name}: no answer within {seconds:.0f} s", asked=False)
    try:
        return future.result()
    except Exception as fault:
        ours = isinstance(fault, UnreadableError | UnavailableError)
        reason = str(fault) if ours else error_code(fault)
        return Missing(f"{name}: {reason}", asked=is_answer(fault))
