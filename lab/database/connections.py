"""The connections of a listener of the database part: each ends when either end goes, and all end
with the listener."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Connections:
    """Those that are open."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()

    async def take(
        self, serve: Serve, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serves one, to its end."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs callbacks as tasks
        self._open.add(task)
        try:
            await serve(reader, writer)
        except (OSError, EOFError, ssl.SSLError, asyncio.CancelledError):
            # An end went away, or the lab stops: the other end is closed below.
            pass
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def stop(self) -> None:
        """Ends them all."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
