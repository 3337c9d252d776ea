"""Questions side by side, each bounded: what isn't answered is ``Missing``, never an exception."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from recovery.facts import Missing
from recovery.ports import UnavailableError
from recovery.stored import error_code

THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException"}
)
CLIENT_ERRORS = range(400, 500)


class UnreadableError(Exception):
    """Nothing answered, or something else than what was asked; the text says what."""


def ask_all(questions: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, Any]:
    """Returns each question's answer or ``Missing``; threads that come late end by themselves."""
    pool = ThreadPoolExecutor(len(questions), thread_name_prefix="question")
    asked = {name: pool.submit(question) for name, question in questions.items()}
    wait(asked.values(), timeout=seconds)
    pool.shutdown(wait=False, cancel_futures=True)
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
