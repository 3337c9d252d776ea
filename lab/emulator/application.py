"""The ASGI application around the emulator: every request passes here once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lab.context import LabContext
from lab.emulator.call import Answer, Call, read_call, send_answer
from lab.emulator.gateway import Gateway

if TYPE_CHECKING:
    from lab.control import Control


class Emulator:
    """Routes a request to the control API, a load balancer, or an AWS API."""

    control: Control

    def __init__(self, lab: LabContext) -> None:
        self.lab = lab
        self.gateway = Gateway(lab)

    async def start(self) -> None:
        """Load what was saved, and be ready to serve."""
        await self.gateway.start()

    async def stop(self) -> None:
        """Save everything."""
        await self.gateway.stop()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            call = await read_call(scope, receive)
            answer = await self._answer(call)
            if answer is not None:
                await send_answer(send, answer)

    async def _answer(self, call: Call) -> Answer | None:
        if call.path.startswith("/_lab/"):
            status, body = await self.control.handle(
                call.method, call.path, call.headers, call.body
            )
            return Answer(status, [("content-type", "application/json")], json.dumps(body).encode())
        return await self.gateway.answer(call)
