"""The hooks in front of the emulator: the parts' own, and inside them the mends."""

from __future__ import annotations

import copy
import logging
from functools import partial
from typing import Any

from lab.api import ApiHook, ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.call import Answer
from lab.context import LabContext
from lab.emulator.exchange import Exchange, Proceed
from lab.emulator.protocol.answers import read_answer, read_error, write_answer, write_error
from lab.emulator.protocol.operations import Operation
from lab.emulator.protocol.requests import read_parameters

logger = logging.getLogger("lab")


class EmulatorResponse(ApiResponse):
    """The emulator's answer. Its result is parsed when a hook asks for it, and the answer goes
    out as it came unless the result was changed."""

    def __init__(self, operation: Operation, answer: Answer) -> None:
        self.operation, self.answer = operation, answer
        self.status = answer.status
        self.error_code, self.error_message = "", ""
        self._result: dict[str, Any] | None = None
        self._original: dict[str, Any] = {}
        if answer.status >= 300:
            self.error_code, self.error_message = read_error(operation, answer)
            self._result = {}

    @property
    def result(self) -> dict[str, Any]:  # pyright: ignore
        """The parsed result; changes to it are sent."""
        if self._result is None:
            self._result = read_answer(self.operation, self.answer)
            self._original = copy.deepcopy(self._result)
        return self._result

    @result.setter
    def result(self, result: dict[str, Any]) -> None:  # pyright: ignore
        self._result = result

    @property
    def unchanged(self) -> bool:
        """Whether the emulator's own bytes may be sent."""
        return self._result is None or bool(self.error_code) or self._result == self._original


class Hooks:
    """Runs the hooks of a request's operation. Those registered later run outermost; mends run
    inside the parts' hooks, and for the lab's own calls too."""

    def __init__(self, lab: LabContext) -> None:
        self.lab = lab
        self.mends: list[tuple[str, frozenset[str], ApiHook]] = []

    def mend(self, service: str, operations: str, hook: ApiHook) -> None:
        """Puts ``hook`` in front of the emulator for the operations named (space-separated; none:
        all)."""
        self.mends.append((service, frozenset(operations.split()), hook))

    async def answer(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        """Runs the hooks around the rest of the way."""
        operation = exchange.operation
        hooks = self._hooks_of(exchange)
        if operation is None or not hooks:
            return await proceed(exchange)
        try:
            parameters = read_parameters(operation, exchange.call)
        except Exception as error:
            logger.warning("%s %s could not be read: %r", exchange.service, operation.name, error)
            return await proceed(exchange)

        async def innermost(request: ApiRequest) -> ApiResponse:
            exchange.call = request.call or exchange.call
            answer = await proceed(exchange)
            if answer is None:
                raise ConnectionAbortedError(f"{operation.name} was dropped without an answer")
            return EmulatorResponse(operation, answer)

        run: CallNext = innermost
        for hook in hooks:
            run = partial(_run_hook, hook, run)
        request = ApiRequest(
            exchange.service,
            operation.name,
            exchange.region,
            parameters,
            exchange.principal,
            exchange.call,
        )
        try:
            response = await run(request)
        except ApiRefusal as refusal:
            return write_error(operation, refusal.code, refusal.message, refusal.status)
        except OSError as error:
            # A part's file that can't be written, as on a full disk: the change doesn't count.
            logger.exception("%s %s", exchange.service, operation.name)
            cause = f"the lab could not save what {operation.name} changes: {error.strerror}"
            return write_error(operation, "InternalFailure", cause, 500)
        if isinstance(response, EmulatorResponse) and response.unchanged:
            return response.answer
        if not response.ok:
            status = response.status if response.status >= 400 else 400
            return write_error(operation, response.error_code, response.error_message, status)
        return write_answer(operation, response.result)

    def _hooks_of(self, exchange: Exchange) -> list[ApiHook]:
        if exchange.operation is None:
            return []
        entries = self.mends if exchange.internal else [*self.mends, *self.lab.hooks]
        return [
            hook
            for service, names, hook in entries
            if service == exchange.service and (not names or exchange.operation.name in names)
        ]


async def _run_hook(hook: ApiHook, run: CallNext, request: ApiRequest) -> ApiResponse:
    return await hook(request, run)
