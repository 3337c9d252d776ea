"""Lambda: a function's name is one that AWS takes, so that it names one folder."""

from __future__ import annotations

import re
from functools import cache

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.protocol.operations import service_model

LONGEST_NAME = 64


def install(mending: Mending) -> None:
    """Mends the names of Lambda functions."""
    mending.mend("lambda", "CreateFunction UpdateFunctionConfiguration", check_name)


async def check_name(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """The pattern of Lambda's own model, and 64 characters."""
    name = request.parameters["FunctionName"]
    wrong = []
    if len(name.rpartition(":")[2]) > LONGEST_NAME:
        wrong.append(f"Member must have length less than or equal to {LONGEST_NAME}")
    if not re.fullmatch(_pattern(), name):
        wrong.append(f"Member must satisfy regular expression pattern: {_pattern()}")
    if wrong:
        each = "; ".join(
            f"Value '{name}' at 'functionName' failed to satisfy constraint: {constraint}"
            for constraint in wrong
        )
        errors = "error" if len(wrong) == 1 else "errors"
        raise ApiRefusal(
            "ValidationException", f"{len(wrong)} validation {errors} detected: {each}"
        )
    return await call_next(request)


@cache
def _pattern() -> str:
    return str(service_model("lambda").shape_for("FunctionName").metadata["pattern"])
