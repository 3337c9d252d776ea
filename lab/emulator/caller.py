"""Calls of AWS APIs by the lab's own parts, in this process: no socket and no thread between.

A call takes the same steps as a part's request over HTTP: it passes outages and the parts' hooks,
and goes through saving and the mends.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jmespath
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader

from lab.api import ApiRefusal
from lab.emulator.exchange import Exchange, Proceed
from lab.emulator.protocol.answers import read_answer, read_error
from lab.emulator.protocol.operations import read_operation
from lab.emulator.protocol.requests import write_call


class Caller:
    """What ``LabContext.aws`` is; to be called on the event loop."""

    def __init__(self, proceed: Proceed, principal: str) -> None:
        self._proceed, self._principal = proceed, principal

    async def call(
        self, service: str, region: str, operation: str, **parameters: Any
    ) -> dict[str, Any]:
        """The result of one call with botocore's names and nesting. Raises ApiRefusal when AWS
        would refuse it, botocore's ParamValidationError for parameters that aren't valid."""
        call = write_call(service, region, operation, self._principal, parameters)
        read = read_operation(service, call)
        if read is None or read.name != operation:
            raise LookupError(f"the lab can't call {service}:{operation} itself")
        exchange = Exchange(call, self._principal, region, service, read, internal=True)
        answer = await self._proceed(exchange)
        if answer is None:
            raise ConnectionAbortedError(f"{operation} was dropped without an answer")
        if answer.status >= 300:
            code, message = read_error(read, answer)
            raise ApiRefusal(code, message, answer.status)
        return read_answer(read, answer)

    async def every(
        self, service: str, region: str, operation: str, key: str, **parameters: Any
    ) -> list[dict[str, Any]]:
        """The items below ``key`` of all pages of a call."""
        found: list[dict[str, Any]] = []
        token: dict[str, Any] = {}
        while True:
            page = await self.call(service, region, operation, **parameters, **token)
            found += page.get(key) or []
            token = _next_page(_paginators(service).get(operation, {}), page)
            if not token:
                return found


@cache
def _paginators(service: str) -> dict[str, Any]:
    try:
        return Loader().load_service_model(service, "paginators-1")["pagination"]
    except DataNotFoundError:
        return {}


def _next_page(paginator: dict[str, Any], page: dict[str, Any]) -> dict[str, Any]:
    """The parameters that ask for the page after ``page``; empty after the last one."""
    more = paginator.get("more_results")
    if not paginator or (more and not jmespath.search(more, page)):
        return {}
    names, outputs = paginator["input_token"], paginator["output_token"]
    if isinstance(names, str):
        names, outputs = [names], [outputs]
    values = {
        name: jmespath.search(output, page) for name, output in zip(names, outputs, strict=True)
    }
    return {name: value for name, value in values.items() if value}
