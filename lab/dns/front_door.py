"""One local URL that behaves like a browser on the internet.

It resolves each request's host through the lab's DNS, keeps the answer for its TTL (lab time), and
sends the request to the load balancer behind the address it got.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

from dnslib import QTYPE, DNSRecord

from lab.call import is_loopback
from lab.clock import Clock

RESPONSE_SECONDS = 30.0
QUERY_SECONDS = 2.0
LARGEST_HEAD = 64 * 1024


@dataclass(frozen=True)
class Cached:
    """An answer that a client holds; ``expires`` in lab time. Not found: no addresses."""

    addresses: tuple[str, ...]
    expires: float


class FrontDoor:
    """Listens on 127.0.0.1.

    ``balancer_of(address)`` gives the DNS name of the load balancer that an address stands for;
    ``default_name()`` the name asked for when the request's host isn't one of the lab's zones;
    ``knows(name)`` says whether it is. Other names than the zones' and this machine's are refused.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        lab_port: int,
        dns_port: Callable[[], int],
        balancer_of: Callable[[str], str],
        default_name: Callable[[], str],
        knows: Callable[[str], bool],
    ) -> None:
        self._clock = clock
        self._lab_port = lab_port
        self._dns_port = dns_port
        self._balancer_of = balancer_of
        self._default_name = default_name
        self._knows = knows
        self._cache: dict[str, Cached] = {}
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, port: int) -> None:
        """Listens on ``port``, or on a free one when it's taken or 0."""
        try:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        except OSError:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stops listening; safe to call twice."""
        if self._server:
            self._server.close()
        self._server = None

    @property
    def listening(self) -> bool:
        """Whether it accepts requests."""
        return bool(self._server and self._server.is_serving())

    def forget(self) -> None:
        """Drops every cached answer, as a new browser would start."""
        self._cache.clear()

    async def resolve(self, name: str) -> tuple[str, ...]:
        """Addresses of ``name``: the cached answer while its TTL lasts, else asked of the DNS."""
        cached = self._cache.get(name)
        if cached and cached.expires > self._clock.now():
            return cached.addresses
        question = bytes(DNSRecord.question(name, "A").pack())
        reply = DNSRecord.parse(await _ask(question, self._dns_port()))
        found = [resource for resource in reply.rr if resource.rtype == QTYPE.A]
        addresses = tuple(str(resource.rdata) for resource in found)
        ttl = min((resource.ttl for resource in found), default=0)
        self._cache[name] = Cached(addresses, self._clock.now() + ttl)
        return addresses

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if len(head) <= LARGEST_HEAD:
                await self._forward(head.decode("latin-1"), reader, writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _forward(
        self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        request_line, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        length = headers.get("content-length", "") or "0"
        if not length.isdecimal():
            return _refuse(writer, 400, f"Content-Length {length!r} is no number")
        body = await reader.readexactly(int(length))
        host = headers.get("host", "").partition(":")[0].lower().rstrip(".") + "."
        known = self._knows(host)
        name = host if known else self._default_name()
        if not name:
            return _refuse(writer, 503, "nothing is deployed: the lab has no failover record")
        if not known and "host" in headers and not is_loopback(headers["host"]):
            # A page that rebound its own name to this machine would read the site as its own.
            return _refuse(writer, 421, f"{host.rstrip('.')} is no site of the lab")
        try:
            addresses = await self.resolve(name)
        except (TimeoutError, OSError):
            return _refuse(writer, 503, f"the lab's DNS gave no answer for {name}")
        balancer = next(filter(None, map(self._balancer_of, addresses)), "")
        if not balancer:
            return _refuse(writer, 503, f"{name} doesn't resolve to a load balancer")
        dropped = ("host", "connection", "keep-alive", "proxy-connection")
        kept = [line for line in lines if line.partition(":")[0].strip().lower() not in dropped]
        # The load balancer is reached by its address, as on the internet; the site's host stays.
        sent = [
            request_line,
            f"Host: {name.rstrip('.')}",
            f"X-Lab-Load-Balancer: {balancer.rstrip('.')}",
            "Connection: close",
            *kept,
        ]
        try:
            async with asyncio.timeout(RESPONSE_SECONDS):
                answer = await self._exchange("\r\n".join(sent) + "\r\n\r\n", body)
        except (TimeoutError, OSError):
            answer = b""
        if not answer:
            return _refuse(writer, 502, f"{balancer} doesn't answer")
        status_line, _, rest = answer.partition(b"\r\n")
        via = f"X-Lab-Load-Balancer: {balancer.rstrip('.')}\r\n".encode()
        writer.write(status_line + b"\r\n" + via + rest)
        await writer.drain()
        return None

    async def _exchange(self, head: str, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._lab_port)
        try:
            writer.write(head.encode("latin-1") + body)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()


def _refuse(writer: asyncio.StreamWriter, status: int, reason: str) -> None:
    body = json.dumps({"error": reason}).encode()
    writer.write(
        f"HTTP/1.1 {status} Front-Door\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        + body
    )


class _Reply(asyncio.DatagramProtocol):
    def __init__(self, reply: "asyncio.Future[bytes]") -> None:
        self._reply = reply

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self._reply.done():
            self._reply.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._reply.done():
            self._reply.set_exception(exc)


async def _ask(question: bytes, port: int) -> bytes:
    loop = asyncio.get_running_loop()
    reply: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Reply(reply), remote_addr=("127.0.0.1", port)
    )
    try:
        transport.sendto(question)
        async with asyncio.timeout(QUERY_SECONDS):
            return await reply
    finally:
        transport.close()
