"""The ASGI application around the emulator: every request passes here once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lab.call import Answer, Call, drop, read_call, send_answer
from lab.context import LabContext
from lab.emulator import mends
from lab.emulator.asynchronous import Asynchronous
from lab.emulator.functions import Functions
from lab.emulator.gateway import Gateway
from lab.emulator.load_balancers import LoadBalancers
from lab.emulator.target_health import TargetHealth
from lab.outage import OutageKind

if TYPE_CHECKING:
    from lab.control import Control


class Emulator:
    """Routes a request to the control API, a load balancer, or an AWS API."""

    control: Control

    def __init__(self, lab: LabContext) -> None:
        self.lab = lab
        self.gateway = Gateway(lab)
        self.functions = Functions(lab)
        self.asynchronous = Asynchronous(lab, self.functions)
        self.load_balancers = LoadBalancers(lab, self.functions)
        self.target_health = TargetHealth(lab, self.load_balancers)

    async def start(self) -> None:
        """Load what was saved, and be ready to serve."""
        await self.gateway.start()
        mends.install(self)
        await self.functions.start()
        self.target_health.start()

    async def stop(self) -> None:
        """Stop what runs, and save everything."""
        self.target_health.stop()
        self.asynchronous.stop()
        await self.functions.stop()
        await self.gateway.stop()

    def outage(self, region: str) -> None:
        """A region has lost something: its functions stop with its compute."""
        if self.lab.outages.has_lost(region, OutageKind.COMPUTE):
            self.functions.stop_region(region)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        call = await read_call(scope, receive)
        answer = await self._answer(call)
        if answer is None:
            drop(call)
            return
        await send_answer(send, answer, head=call.method == "HEAD")

    async def _answer(self, call: Call) -> Answer | None:
        if call.path.startswith("/_lab/"):
            status, body = await self.control.handle(
                call.method, call.path, call.headers, call.body
            )
            return Answer(status, [("content-type", "application/json")], json.dumps(body).encode())
        if balancer := self.load_balancers.find(call):
            return await self.load_balancers.serve(balancer, call)
        return await self.gateway.answer(call)
