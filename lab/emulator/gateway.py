"""The AWS APIs: outages, hooks and mends in front of the emulator's own handlers."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from lab.context import LabContext
from lab.emulator.call import Answer, Call

logger = logging.getLogger("lab")


class Gateway:
    """Answers AWS API calls."""

    def __init__(self, lab: LabContext) -> None:
        self.lab = lab
        self._lifespan: _Lifespan | None = None

    async def start(self) -> None:
        """Start the emulator, which loads what it saved."""
        self._lifespan = _Lifespan()
        await self._lifespan.startup()

    async def stop(self) -> None:
        """Stop the emulator, which saves its state."""
        if self._lifespan:
            await self._lifespan.shutdown()

    async def answer(self, call: Call) -> Answer | None:
        """Answer one AWS API call; None when its connection was dropped."""
        return await self.raw(call)

    async def raw(self, call: Call) -> Answer:
        """The emulator's own answer."""
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


class _Lifespan:
    """The emulator's start and stop, spoken over ASGI's lifespan protocol."""

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._outbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        from ministack.app import app

        self._task = asyncio.create_task(
            app({"type": "lifespan"}, self._inbox.get, self._outbox.put)
        )
        await self._exchange("startup")

    async def shutdown(self) -> None:
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
