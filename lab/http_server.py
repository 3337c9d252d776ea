"""Serves HTTP on 127.0.0.1 by Hypercorn: the lab's own port and its front door."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config

from lab.call import connection

HOST = "127.0.0.1"
FAREWELL_SECONDS = 2.0
"""How long the end waits for requests that are being answered."""
LARGEST_HEAD = 64 * 1024
"""Bytes of a request's line and headers, as a load balancer takes them; more is answered 431."""

Asgi = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class Limits:
    """``idle_seconds``: how long a connection may wait for a request, its head included.
    ``connections``: how many may be open; more are closed at once."""

    idle_seconds: float
    connections: int


def listen(port: int) -> socket.socket:
    """A socket that listens on a port of 127.0.0.1, 0 being a free one. Raises OSError."""
    # With its protocol named, asyncio switches off Nagle's delay on accepted connections.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


class Connection(TCPServer):
    """A connection that ends with its client. Hypercorn's waits until its keep-alive time is over
    when the client has closed it, and keeps the socket as long."""

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


async def serve(
    application: Asgi,
    listener: socket.socket,
    stop: asyncio.Event,
    limits: Limits,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serves an ASGI application on one listening socket until ``stop`` is set; over TLS with
    ``tls``."""
    config = Config()
    config.keep_alive_timeout = limits.idle_seconds
    config.h11_max_incomplete_size = LARGEST_HEAD
    config.include_server_header = False
    config.errorlog = logging.getLogger("lab.http")
    loop = asyncio.get_running_loop()
    context = WorkerContext(None)
    wrapped = ASGIWrapper(application)  # pyright: ignore[reportArgumentType] - plain ASGI
    connections: set[asyncio.Task[Any]] = set()

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(connections) >= limits.connections:
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs callbacks as tasks
        connections.add(task)
        task.add_done_callback(connections.discard)
        connection.set(writer)
        await Connection(wrapped, loop, config, context, {}, reader, writer)

    server = await asyncio.start_server(on_connection, sock=listener, backlog=512, ssl=tls)
    try:
        await stop.wait()
    finally:
        server.close()
        await context.terminated.set()
        if connections:
            await asyncio.wait(connections, timeout=FAREWELL_SECONDS)
        for task in connections:
            task.cancel()
