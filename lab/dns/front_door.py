"""One local URL that behaves like a browser on the internet.

It resolves each request's host through the lab's DNS, keeps the answer for its TTL (lab time), and
sends the request to the load balancer behind the address it got: to its HTTPS listener where it has
one on 443, whose certificate must be for the host, else to port 80.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from dnslib import QTYPE, DNSRecord

from lab.call import Answer, BodyTooLargeError, Call, is_loopback, read_call, send_answer
from lab.clock import Clock
from lab.http_server import Limits, listen, serve

RESPONSE_SECONDS = 30.0
QUERY_SECONDS = 2.0
BODY_SECONDS = 60.0
"""How long a request's body may take to arrive."""
LARGEST_BODY = 8 * 1024 * 1024
"""Bytes; a load balancer refuses less (1 MB to a function) in its own words."""
LIMITS = Limits(idle_seconds=20.0, connections=2_000)

Answering = Callable[[Call], Awaitable[Answer | None]]


@dataclass(frozen=True)
class Cached:
    """An answer that a client holds; ``expires`` in lab time. Not found: no addresses."""

    addresses: tuple[str, ...]
    expires: float


class FrontDoor:
    """Listens on 127.0.0.1.

    ``answering()`` gives what answers a request at a load balancer, ``balancer_of(address)`` the
    DNS name of the load balancer that an address stands for; ``objection(balancer, name)`` what is
    wrong with its certificate for that name (None: it serves no HTTPS); ``default_name()`` the name
    asked for when the request's host isn't one of the lab's zones; ``knows(name)`` says whether it
    is. Other names than the zones' and this machine's are refused.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        answering: Callable[[], Answering | None],
        dns_port: Callable[[], int],
        balancer_of: Callable[[str], str],
        objection: Callable[[str, str], str | None],
        default_name: Callable[[], str],
        knows: Callable[[str], bool],
    ) -> None:
        self._clock = clock
        self._answering = answering
        self._dns_port = dns_port
        self._balancer_of = balancer_of
        self._objection = objection
        self._default_name = default_name
        self._knows = knows
        self._cache: dict[str, Cached] = {}
        self._stop = asyncio.Event()
        self._server: asyncio.Task[None] | None = None
        self._asked: set[asyncio.Task[Answer | None]] = set()
        self.port = 0

    async def start(self, port: int) -> None:
        """Listens on ``port``, or on a free one when it's taken or 0."""
        try:
            listener = listen(port)
        except OSError:
            listener = listen(0)
        self.port = listener.getsockname()[1]
        self._stop = asyncio.Event()
        self._server = asyncio.create_task(serve(self, listener, self._stop, LIMITS))
        await asyncio.sleep(0)

    async def stop(self) -> None:
        """Stops listening; safe to call twice."""
        if self._server:
            self._stop.set()
            await self._server
        self._server = None

    @property
    def listening(self) -> bool:
        """Whether it accepts requests."""
        return bool(self._server and not self._server.done())

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

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                call = await read_call(scope, receive, LARGEST_BODY)
        except TimeoutError:
            answer = _refusal(408, f"the request's body took more than {BODY_SECONDS:.0f} s")
        except BodyTooLargeError:
            answer = _refusal(413, f"a body of more than {LARGEST_BODY} bytes")
        else:
            if call is None:
                return
            answer = await self._forward(call)
        await send_answer(send, answer, head=scope["method"] == "HEAD")

    async def _forward(self, call: Call) -> Answer:
        asked = call.headers.get("host", "")
        host = asked.partition(":")[0].lower().rstrip(".") + "."
        known = self._knows(host)
        name = host if known else self._default_name()
        if not name:
            return _refusal(503, "nothing is deployed: the lab has no failover record")
        if not known and asked and not is_loopback(asked):
            # A page that rebound its own name to this machine would read the site as its own.
            return _refusal(421, f"{host.rstrip('.')} is no site of the lab")
        try:
            addresses = await self.resolve(name)
        except (TimeoutError, OSError):
            return _refusal(503, f"the lab's DNS gave no answer for {name}")
        balancer = next(filter(None, map(self._balancer_of, addresses)), "").rstrip(".")
        if not balancer:
            return _refusal(503, f"{name} doesn't resolve to a load balancer")
        objection = self._objection(balancer, name.rstrip("."))
        if objection:
            return _refusal(502, f"{balancer}'s certificate isn't for {name}: {objection}")
        # The load balancer is reached by its address, as on the internet; the site's host stays.
        sent = [
            ("host", name.rstrip(".")),
            ("x-lab-load-balancer", balancer),
            ("x-lab-listener-port", "80" if objection is None else "443"),
            *(pair for pair in call.header_list if pair[0] not in _OF_THE_CONNECTION),
        ]
        answer = await self._ask(replace(call, header_list=sent, writer=None))
        if answer is None:
            return _refusal(502, f"{balancer} doesn't answer")
        return replace(answer, headers=[*answer.headers, ("x-lab-load-balancer", balancer)])

    async def _ask(self, call: Call) -> Answer | None:
        """What the load balancer answers, None where it gives none in time.

        It isn't cancelled then: a function that was started runs to its end, as on AWS.
        """
        answering = self._answering()
        if answering is None:
            return None
        task = asyncio.ensure_future(answering(call))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        done, _ = await asyncio.wait({task}, timeout=RESPONSE_SECONDS)
        return task.result() if done else None


_OF_THE_CONNECTION = frozenset(
    {
        "host",
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
        "x-lab-listener-port",
    }
)


def _refusal(status: int, reason: str) -> Answer:
    body = json.dumps({"error": reason}).encode()
    return Answer(status, [("content-type", "application/json")], body)


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
