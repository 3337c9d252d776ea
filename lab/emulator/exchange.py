"""A request on its way through the lab, and the steps of that way (``lab.application`` lists
them)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial

from lab.call import Answer, Call
from lab.emulator.protocol.operations import Operation

DEFAULT_REGION = "us-east-1"


@dataclass
class Exchange:
    """One HTTP request and what the steps have found out about it. The identity's fields are
    empty until ``lab.emulator.identity`` has set them."""

    call: Call
    principal: str = ""
    """The access key id that signed it."""
    region: str = DEFAULT_REGION
    service: str = ""
    """botocore's name of the service it is signed for; empty for an unsigned one."""
    operation: Operation | None = None
    """None where it can't be read: the emulator answers it as it is."""
    internal: bool = False
    """Whether a part of the lab has sent it."""


Proceed = Callable[[Exchange], Awaitable[Answer | None]]
Step = Callable[[Exchange, Proceed], Awaitable[Answer | None]]
"""Answers a request, or passes it on; None drops the connection without an answer."""


def chain(steps: Iterable[Step]) -> Proceed:
    """One function that takes a request through ``steps``, in their order."""
    proceed: Proceed = _end
    for step in reversed(list(steps)):
        proceed = partial(_take, step, proceed)
    return proceed


async def _take(step: Step, proceed: Proceed, exchange: Exchange) -> Answer | None:
    return await step(exchange, proceed)


async def _end(exchange: Exchange) -> Answer | None:
    raise LookupError(f"no step answers {exchange.call.method} {exchange.call.path}")
