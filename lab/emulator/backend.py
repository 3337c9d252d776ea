"""The emulator's own ASGI application: its start, its stop, its answers."""

from __future__ import annotations

import asyncio
from typing import Any

from lab.call import Answer, Call
from lab.emulator.exchange import Exchange, Proceed


async def answer(exchange: Exchange, _proceed: Proceed) -> Answer | None:
    """The emulator's answer: the end of every request's way."""
    return await emulated(exchange.call)


async def emulated(call: Call) -> Answer:
    """The emulator's answer to one HTTP request."""
    from ministack.app import app

    sent: list[dict[str, Any]] = []
    body_given = False

    async def receive() -> dict[str, Any]:
        nonlocal body_given
        if body_given:
            return {"type": "http.disconnect"}
        body_given = True
        return {"type": "http.request", "body": call.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": call.method,
        "path": call.path,
        "raw_path": call.raw_path.encode("latin-1"),
        "query_string": call.query_string.encode("latin-1"),
        "headers": [
            (name.encode("latin-1"), value.encode("utf-8")) for name, value in call.header_list
        ],
    }
    await app(scope, receive, send)
    start = sent[0]
    return Answer(
        start["status"],
        [(name.decode("latin-1"), value.decode("utf-8")) for name, value in start["headers"]],
        b"".join(message.get("body", b"") for message in sent[1:]),
    )


class Lifespan:
    """The emulator's start, which loads what was saved, and its stop, over ASGI's lifespan
    protocol."""

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._outbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Starts it; raises what ends it during its start."""
        from ministack.app import app

        self._task = asyncio.create_task(
            app({"type": "lifespan"}, self._inbox.get, self._outbox.put)
        )
        await self._exchange("startup")

    async def shutdown(self) -> None:
        """Stops it, if it was started."""
        if self._task is not None:
            await self._exchange("shutdown")

    async def _exchange(self, phase: str) -> None:
        assert self._task is not None  # noqa: S101 - startup comes first
        await self._inbox.put({"type": f"lifespan.{phase}"})
        answer = asyncio.create_task(self._outbox.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            self._task.result()
            raise RuntimeError(f"the emulator ended during its {phase}")
