"""The lab's ASGI application: the whole way of a request, in one list."""

from __future__ import annotations

from typing import Any

from lab import guard
from lab.call import Answer, Call, drop, read_call, send_answer
from lab.control import Control
from lab.emulator import backend
from lab.emulator.emulator import Emulator
from lab.emulator.exchange import Exchange, Step, chain


def way(control: Control, emulator: Emulator) -> tuple[Step, ...]:
    """The steps of every request, in their order; each answers it or passes it on."""
    return (
        # A deployed load balancer, by its host name: listener, rule, target.
        emulator.load_balancers.answer,
        # Web pages may send to sites, and to nothing below.
        guard.refuse_pages,
        # The lab itself: /_lab/status, clock, outage, restore, errors.
        control.answer,
        # From here it is an AWS API: who signed for which service, region and operation.
        emulator.identity.answer,
        # Nobody has signed it: refused.
        guard.want_signature,
        # Who may do no more than given policies allow.
        emulator.permissions.answer,
        # A region that is lost refuses.
        emulator.regions.answer,
        # Errors that were asked for.
        emulator.faulty.answer,
        emulator.injection.answer,
        # A change of the control plane is answered once it is on disk.
        emulator.saver.answer,
        # The parts' hooks (the latest outermost), and inside them the mends.
        emulator.hooks.answer,
        # The emulator's own answer.
        backend.answer,
    )


class Application:
    """Serves HTTP over ASGI."""

    def __init__(self, control: Control, emulator: Emulator) -> None:
        self._proceed = chain(way(control, emulator))

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        call = await read_call(scope, receive)
        if call is None:
            return
        answer = await self.answer(call)
        if answer is None:
            drop(call)
            return
        await send_answer(send, answer, head=call.method == "HEAD")

    async def answer(self, call: Call) -> Answer | None:
        """Takes one request its whole way; None where the connection is dropped."""
        return await self._proceed(Exchange(call))
