"""What a driver talks to in place of an endpoint: PostgreSQL's first bytes with TLS, then the
deployed way to the server, or silence.

One listener on 127.0.0.1 for each (source region, endpoint). The servers themselves are built
without TLS and know nothing of regions.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from lab.database.connections import Connections
from lab.database.links import Links

HOST = "127.0.0.1"
CHUNK = 256 * 1024
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102
LONGEST_STARTUP = 10_000
"""PostgreSQL's own limit for a startup packet, bytes."""

Action = Literal["allow", "drop", "hang", "refuse", "unknown"]


@dataclass(frozen=True)
class Way:
    """How a connection attempt ends: ``allow`` to the server at ``port``; ``drop``: no answer,
    as from a closed security group or a missing route; ``hang``: it is taken and never answered;
    ``refuse``: nothing listens there; ``unknown``: the name doesn't resolve."""

    action: Action
    reason: str = ""
    region: str = ""
    """Where the server is."""
    port: int = 0
    force_ssl: bool = False


Decide = Callable[[str, str], Awaitable[Way]]
"""(source region, endpoint) → the way"""


class Proxy:
    """The listener of one endpoint as one region sees it."""

    def __init__(
        self,
        source: str,
        host: str,
        decide: Decide,
        links: Links,
        tls: Callable[[], ssl.SSLContext],
    ) -> None:
        self.source, self.host = source, host
        self._decide, self._links, self._tls = decide, links, tls
        self._server: asyncio.Server | None = None
        self._connections = Connections()

    async def start(self, port: int = 0) -> int:
        """Listens; on ``port`` if it is free, else on any other. Returns the port."""
        try:
            self._server = await asyncio.start_server(self._accept, HOST, port, backlog=512)
        except OSError:
            self._server = await asyncio.start_server(self._accept, HOST, 0, backlog=512)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Closes the listener and all its connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._connections.stop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._connections.take(self._serve, reader, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = await self._decide(self.source, self.host)
        if way.action in ("drop", "hang"):
            while await reader.read(CHUNK):
                pass
            return
        if way.action != "allow":
            return
        await self._links.passes(self.source, way.region)  # the connection's own round trip
        startup = await self._greet(reader, writer, way)
        if startup is None:
            return
        upstream_reader, upstream_writer = await asyncio.open_connection(HOST, way.port)
        try:
            upstream_writer.write(startup)
            pumps = {
                asyncio.create_task(self._pump(reader, upstream_writer, way.region)),
                asyncio.create_task(self._pump(upstream_reader, writer, way.region)),
            }
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            upstream_writer.transport.abort()
        with contextlib.suppress(OSError, TimeoutError):
            # What the server said last (a FATAL message) still reaches the client.
            writer.close()
            await asyncio.wait_for(writer.wait_closed(), 1)

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way
    ) -> bytes | None:
        """Negotiates TLS; the startup packet for the server, or None when it ends here."""
        encrypted = False
        while True:
            header = await reader.readexactly(8)
            length, code = struct.unpack("!II", header)
            if code == SSL_REQUEST and not encrypted:
                writer.write(b"S")
                await writer.drain()
                await writer.start_tls(self._tls())
                encrypted = True
            elif code == GSS_REQUEST:
                writer.write(b"N")
            else:
                break
        if not 8 <= length <= LONGEST_STARTUP:
            return None
        startup = header + await reader.readexactly(length - 8)
        if way.force_ssl and not encrypted and code != CANCEL_REQUEST:
            writer.write(no_encryption(startup))
            await writer.drain()
            writer.close()
            return None
        return startup

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, region: str
    ) -> None:
        while True:
            chunk = await reader.read(CHUNK)
            await self._links.passes(self.source, region)
            if not chunk:
                return
            writer.write(chunk)
            await writer.drain()


def no_encryption(startup: bytes) -> bytes:
    """PostgreSQL's FATAL answer to a startup packet without TLS where TLS is asked for."""
    words = startup[8:].split(b"\0")
    given = dict(zip(words[::2], words[1::2], strict=False))
    user = given.get(b"user", b"").decode(errors="replace")
    database = given.get(b"database", b"").decode(errors="replace") or user
    message = (
        f'no pg_hba.conf entry for host "{HOST}", user "{user}", database "{database}", '
        "no encryption"
    )
    body = b"".join(
        code + text.encode() + b"\0"
        for code, text in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", "28000"), (b"M", message))
    )
    return b"E" + struct.pack("!I", len(body) + 5) + body + b"\0"
