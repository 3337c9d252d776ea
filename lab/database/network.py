"""The way to the database's endpoints from inside the regions.

``Network`` keeps the listeners and answers resolvers; ``address`` and the hooks for Node.js
and Python (``network_hook.cjs``, ``python_hook``) ask it, by way of ``network.json`` in the lab's
state directory:

    {"resolver": port, "black_hole": port, "certificate_authority": path,
     "proxies": {source region: {endpoint: port}}}
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from lab.certificates import CertificateAuthority, server_context
from lab.database.links import Links
from lab.database.proxy import HOST, Proxy, Way
from lab.errors import LabError
from lab.outage import REGIONS
from pulumi_protocol.files import write_atomically

MAP_NAME = "network.json"
LONGEST_QUESTION = 4096
RESOLVER_TIMEOUT = 15.0

Decide = Callable[[str, str | None, str], Awaitable[Way]]
"""(source region, function or None, endpoint) → the way"""


def address(state_dir: Path, source_region: str, host: str) -> tuple[str, int]:
    """Where a driver connects to reach ``host`` as a client in ``source_region`` would:
    ``psycopg.connect(host=host, hostaddr=address, port=port, sslmode="verify-full",
    sslrootcert=certificate_authority(state_dir))``. Ask it for every connection.

    The connection then behaves as deployed: where no way leads to the database it gets no answer.
    Raises LabError when the lab knows no such endpoint.
    """
    port = _map(state_dir)["proxies"].get(source_region, {}).get(host)
    if port is None:
        raise LabError(
            f"lab database: {host} is no endpoint as seen from {source_region}: deploy the data "
            "layer, or see `./inv lab.status`"
        )
    return HOST, port


def certificate_authority(state_dir: Path) -> Path:
    """The certificate (PEM) that signs the endpoints' certificates."""
    return Path(_map(state_dir)["certificate_authority"])


def resolve(state_dir: Path, region: str, host: str, function: str | None = None) -> Way:
    """How a connection attempt of ``function`` (or of any client in ``region``) to ``host`` would
    end now, and why."""
    question = json.dumps({"region": region, "function": function, "host": host})
    with socket.create_connection(
        (HOST, _map(state_dir)["resolver"]), timeout=RESOLVER_TIMEOUT
    ) as connection:
        connection.sendall(question.encode() + b"\n")
        with connection.makefile() as answers:
            answer = json.loads(answers.readline())
    return Way(answer["action"], answer["reason"], answer["region"], answer["port"])


def _map(state_dir: Path) -> dict[str, Any]:
    try:
        return json.loads((state_dir / MAP_NAME).read_text())
    except FileNotFoundError:
        raise LabError(
            f"lab database: {state_dir / MAP_NAME} is missing: start the lab with ./inv lab.up"
        ) from None


class Network:
    """The lab's side: listeners for each endpoint and source region, and the resolver."""

    def __init__(
        self,
        state_dir: Path,
        authority: CertificateAuthority,
        decide: Decide,
        links: Links,
        now: Callable[[], datetime],
    ) -> None:
        self.map_path = state_dir / MAP_NAME
        self._authority = authority
        self._decide, self._links, self._now = decide, links, now
        self._proxies: dict[tuple[str, str], tuple[Proxy, int]] = {}
        self._resolver: asyncio.Server | None = None
        self._black_hole: list[socket.socket] = []
        self._tls: ssl.SSLContext | None = None
        self._named: frozenset[str] = frozenset()
        self._remembered = self._remember()

    async def start(self) -> None:
        """Opens the resolver; endpoints follow by ``serve``."""
        self._resolver = await asyncio.start_server(
            self._answer, HOST, 0, limit=LONGEST_QUESTION, backlog=512
        )
        self._black_hole = _black_hole()
        self._write_map()

    async def stop(self) -> None:
        """Closes everything."""
        for proxy, _ in self._proxies.values():
            await proxy.stop()
        self._proxies.clear()
        if self._resolver is not None:
            self._resolver.close()
            self._resolver = None
        for opened in self._black_hole:
            opened.close()
        self._black_hole = []
        self._named = frozenset()

    async def serve(self, hosts: frozenset[str]) -> None:
        """Listens for these endpoints, and for no others."""
        if hosts == self._named:
            return
        self._tls = self._context(hosts)
        self._named = hosts
        for key in [key for key in self._proxies if key[1] not in hosts]:
            proxy, _ = self._proxies.pop(key)
            await proxy.stop()
        for source in REGIONS:
            for host in sorted(hosts):
                if (source, host) not in self._proxies:
                    proxy = Proxy(
                        source, host, self._decide_for_any, self._links, self._context_now
                    )
                    port = await proxy.start(self._remembered.get((source, host), 0))
                    self._proxies[source, host] = proxy, port
        self._write_map()

    def _context_now(self) -> ssl.SSLContext:
        assert self._tls is not None  # noqa: S101 - made before the first listener
        return self._tls

    def _context(self, hosts: frozenset[str]) -> ssl.SSLContext:
        context = server_context()
        self._authority.load_into(context, hosts, self._now())
        return context

    async def _decide_for_any(self, source: str, host: str) -> Way:
        return await self._decide(source, None, host)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, ValueError, KeyError):
                question = json.loads(await reader.readline())
                region, host = question["region"], question["host"]
                way = await self._decide(region, question.get("function"), host)
                known = self._proxies.get((region, host))
                answer = {
                    "action": way.action,
                    "reason": way.reason,
                    "region": way.region,
                    "port": known[1] if known else 0,
                }
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        finally:
            writer.close()

    def _write_map(self) -> None:
        proxies: dict[str, dict[str, int]] = {region: {} for region in REGIONS}
        for (source, host), (_, port) in self._proxies.items():
            proxies[source][host] = port
        content = {
            "resolver": self._resolver.sockets[0].getsockname()[1] if self._resolver else 0,
            "black_hole": self._black_hole[0].getsockname()[1] if self._black_hole else 0,
            "certificate_authority": str(self._authority.certificate_path),
            "proxies": proxies,
        }
        write_atomically(self.map_path, json.dumps(content, indent=1))

    def _remember(self) -> dict[tuple[str, str], int]:
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
            known = json.loads(self.map_path.read_text())["proxies"]
            return {(r, h): port for r, hosts in known.items() for h, port in hosts.items()}
        return {}


def _black_hole() -> list[socket.socket]:
    """A port whose connections never come about: its queue is full and nobody accepts. (Linux
    drops what doesn't fit; elsewhere the connection is made and never answered.)"""
    listener = socket.socket()
    listener.bind((HOST, 0))
    listener.listen(0)
    opened = [listener]
    for _ in range(2):
        filler = socket.socket()
        filler.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            filler.connect(listener.getsockname())
        opened.append(filler)
    return opened
