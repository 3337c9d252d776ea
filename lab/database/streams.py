"""Aurora's replication on its way from region to region: each standby gets its writer's WAL
through a relay on 127.0.0.1, late by as much as the lab is asked for.

What a relay holds when its writer dies is lost with it, as it is on AWS.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from lab.clock import Clock
from lab.database.connections import Connections

HOST = "127.0.0.1"
CHUNK = 256 * 1024
MOST_HELD = 128 * 1024 * 1024
"""Bytes on their way to one standby; beyond them the relay reads no more."""
LOOK_SECONDS = 0.05
"""Real seconds between looks at the lag asked for, while bytes wait."""
COPY_BOTH = b"W"
"""PostgreSQL's message that begins streaming ("Message Formats", PostgreSQL documentation)."""

Lag = Callable[[str], float]
"""Standby's ARN → lab seconds that its WAL comes late, now"""


class Streams:
    """The relays, by the ARN of the standby. On the event loop, but for ``port``."""

    def __init__(self, clock: Clock, lag: Lag, writer_port: Callable[[str], int]) -> None:
        self._clock, self._lag, self._writer_port = clock, lag, writer_port
        self._servers: dict[str, asyncio.Server] = {}
        self._ports: dict[str, int] = {}
        self._connections = Connections()

    def port(self, arn: str) -> int | None:
        """Where the standby reaches its writer; None while it has no relay. Thread-safe."""
        return self._ports.get(arn)

    async def serve(self, arns: Iterable[str]) -> None:
        """Has a relay for each of these clusters, and for no other."""
        wanted = set(arns)
        for gone in self._servers.keys() - wanted:
            self._servers.pop(gone).close()
            self._ports.pop(gone, None)
        for arn in sorted(wanted - self._servers.keys()):
            accept = partial(self._connections.take, partial(self._relay, arn))
            server = self._servers[arn] = await asyncio.start_server(accept, HOST, 0)
            self._ports[arn] = int(server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Closes all of it."""
        await self.serve(())
        await self._connections.stop()

    async def _relay(
        self, arn: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(
            HOST, self._writer_port(arn)
        )
        held = _Held()
        work = {
            asyncio.create_task(_copy(reader, upstream_writer)),
            asyncio.create_task(self._take(upstream_reader, writer, held)),
            asyncio.create_task(self._give(arn, held, writer)),
        }
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            upstream_writer.transport.abort()

    async def _take(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, held: _Held
    ) -> None:
        await _until_streaming(reader, writer)
        while chunk := await reader.read(CHUNK):
            held.put(self._clock.now(), chunk)
            while held.size > MOST_HELD:
                await asyncio.sleep(LOOK_SECONDS)
        # The writer ended in order: the standby still gets what is on its way.
        held.ended = True
        held.filled.set()
        await asyncio.Event().wait()

    async def _give(self, arn: str, held: _Held, writer: asyncio.StreamWriter) -> None:
        while True:
            await held.filled.wait()
            if not held.chunks:
                with contextlib.suppress(OSError, TimeoutError):
                    writer.close()
                    await asyncio.wait_for(writer.wait_closed(), 1)
                return
            arrived, chunk = held.chunks[0]
            left = arrived + self._lag(arn) - self._clock.now()
            if left > 0:
                await asyncio.sleep(min(self._clock.real_seconds(left), LOOK_SECONDS))
                continue
            held.take()
            writer.write(chunk)
            await writer.drain()


class _Held:
    """What is on its way: (lab time of its coming, bytes)."""

    def __init__(self) -> None:
        self.chunks: deque[tuple[float, bytes]] = deque()
        self.size = 0
        self.ended = False
        self.filled = asyncio.Event()

    def put(self, now: float, chunk: bytes) -> None:
        self.chunks.append((now, chunk))
        self.size += len(chunk)
        self.filled.set()

    def take(self) -> None:
        _, chunk = self.chunks.popleft()
        self.size -= len(chunk)
        if not self.chunks and not self.ended:
            self.filled.clear()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK):
        writer.write(chunk)
        await writer.drain()


async def _until_streaming(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on what the server says until it begins to stream: a standby that connects doesn't
    wait for its lag at each question and answer."""
    while True:
        header = await reader.readexactly(5)
        (length,) = struct.unpack("!I", header[1:])
        writer.write(header + await reader.readexactly(length - 4))
        await writer.drain()
        if header[:1] == COPY_BOTH:
            return
