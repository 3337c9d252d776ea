"""The front door and the DNS server on real sockets of 127.0.0.1, with pretended load balancers."""

import asyncio
import json
from dataclasses import dataclass, field

import pytest
from dnslib import DNSRecord

from lab.call import Answer as Reply
from lab.call import Call
from lab.clock import Clock
from lab.dns import front_door
from lab.dns.answers import Answer, Resource
from lab.dns.front_door import FrontDoor
from lab.dns.health_checks import CheckConfig
from lab.dns.probe import Address, probe
from lab.dns.records import RecordSet, Zone
from lab.dns.server import DnsServer
from lab.http_server import Limits

ZONE = "clinic.net."
NAME = f"app.{ZONE}"
BALANCERS = {"127.1.0.1": "east.elb.", "127.2.0.1": "west.elb."}


@dataclass
class World:
    """What DNS answers, and what the load balancers got and say; ``now`` is real time."""

    address: str = "127.1.0.1"
    ttl: int = 60
    now: float = 1000.0
    reply: Reply | None = field(default_factory=lambda: Reply(200, [], b"ok"))
    got: list[Call] = field(default_factory=list)
    asked: int = 0
    default: str = NAME
    waits: asyncio.Event | None = None
    objection: str | None = None
    heads: list[str] = field(default_factory=list)
    """of the front door's answers, lower case"""

    def answer(self, name, _kind):
        self.asked += 1
        zone = Zone("Z", ZONE, (RecordSet(ZONE, "A"),))
        found = (Resource(name, "A", self.ttl, self.address),) if self.address else ()
        return Answer("NOERROR" if found else "NXDOMAIN", found, zone)

    async def balance(self, call):
        self.got.append(call)
        if self.waits:
            await self.waits.wait()
        return self.reply


def behind_the_door(world, visit):
    """Runs ``visit(send, server, door)``; ``send(request)`` gives status and body."""

    async def run():
        server = DnsServer(world.answer)
        await server.start(0)
        door = FrontDoor(
            clock=Clock(1, real=lambda: world.now),
            answering=lambda: world.balance,
            dns_port=lambda: server.port,
            balancer_of=lambda address: BALANCERS.get(address, ""),
            objection=lambda balancer, name: world.objection,
            default_name=lambda: world.default,
            knows=lambda name: name.endswith(ZONE),
        )
        await door.start(0)
        assert door.listening
        assert server.listening

        async def send(request=f"GET /health HTTP/1.1\r\nHost: {NAME}\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            method, _, rest = request.partition(" ")
            target, _, rest = rest.partition("\r\n")
            writer.write(f"{method} {target}\r\nConnection: close\r\n{rest}".encode())
            try:
                answer = await reader.read()
            except ConnectionError:
                answer = b""
            writer.close()
            head, _, body = answer.partition(b"\r\n\r\n")
            world.heads.append(head.decode().lower())
            return (int(head.split()[1]) if head else 0), body.decode()

        try:
            async with asyncio.timeout(10):
                return await visit(send, server, door)
        finally:
            for stopped in (door, door, server, server):
                await stopped.stop()
            assert not door.listening
            assert not server.listening

    return asyncio.run(run())


def test_an_answer_is_kept_for_its_ttl_and_no_longer():
    """R3.2: a client that cached us-east-1 goes there until the TTL has passed, then asks anew."""
    world = World()

    async def visit(send, _server, door):
        assert await send() == (200, "ok")
        world.address = "127.2.0.1"
        world.now += 59
        await send()
        world.now += 2
        await send()
        door.forget()
        await send()

    behind_the_door(world, visit)
    sent_to = [call.headers["x-lab-load-balancer"] for call in world.got]
    assert sent_to == ["east.elb", "east.elb", "west.elb", "west.elb"]
    assert world.asked == 3


def test_a_request_goes_on_as_it_came_under_the_sites_name():
    """R3.2: method, path, headers and body stay; a host that is none of the zones' gets the
    failover name."""
    world = World()
    head = "POST /records?a=b HTTP/1.1\r\nHost: localhost:1\r\nX-Own: 1\r\nContent-Length: 3"

    async def visit(send, _server, _door):
        assert await send(f"{head}\r\n\r\nabc") == (200, "ok")

    behind_the_door(world, visit)
    (got,) = world.got
    assert (got.method, got.path, got.query_string, got.body) == ("POST", "/records", "a=b", b"abc")
    assert got.headers["host"] == "app.clinic.net"
    assert got.headers["x-own"] == "1"
    assert "connection" not in got.headers
    assert "x-lab-load-balancer: east.elb" in world.heads[0]


@pytest.mark.parametrize(("objection", "port"), [(None, "80"), ("", "443")])
def test_https_is_asked_where_it_is_served(objection, port):
    """R2.2: with a certificate the site is on 443; who asks the door can't choose another port."""
    world = World(objection=objection)

    async def visit(send, _server, _door):
        await send(f"GET / HTTP/1.1\r\nHost: {NAME}\r\nX-Lab-Listener-Port: 81\r\n\r\n")

    behind_the_door(world, visit)
    assert world.got[0].headers["x-lab-listener-port"] == port


@pytest.mark.parametrize(
    ("request_text", "path", "body"),
    [
        (
            f"POST /r HTTP/1.1\r\nHost: {NAME}\r\nTransfer-Encoding: chunked\r\n\r\n"
            "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            "/r",
            b"abc",
        ),
        (f"GET http://{NAME}/a%20b?c=d HTTP/1.1\r\nHost: other\r\n\r\n", "/a b", b""),
        (f"GET http://{NAME} HTTP/1.1\r\nHost: other\r\n\r\n", "/", b""),
    ],
    ids=["chunked", "absolute form", "absolute form without a path"],
)
def test_every_form_of_a_request_is_understood(request_text, path, body):
    """RFC 9112, sections 3.2.2 and 7.1: a chunked body is put together; a target in absolute form
    names the site, whatever Host says."""
    world = World()

    async def visit(send, _server, _door):
        return await send(request_text)

    assert behind_the_door(world, visit) == (200, "ok")
    (got,) = world.got
    assert (got.path, got.body, got.headers["host"]) == (path, body, "app.clinic.net")


def test_the_answer_to_head_says_the_length_and_has_no_body():
    """RFC 9110, section 9.3.2: HEAD's headers are GET's."""
    world = World()

    async def visit(send, _server, _door):
        return await send(f"HEAD /health HTTP/1.1\r\nHost: {NAME}\r\n\r\n")

    assert behind_the_door(world, visit) == (200, "")
    assert "content-length: 2" in world.heads[0]


def test_a_connection_serves_one_request_after_the_other():
    """RFC 9112, section 9.3: it stays open until one side has enough."""
    world = World()

    async def visit(_send, _server, door):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        for _ in range(2):
            writer.write(f"GET /health HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\nok")
        writer.close()

    behind_the_door(world, visit)
    assert len(world.got) == 2


def test_a_request_that_its_client_breaks_off_is_not_made():
    """R3.2: half a body is no request; nothing reaches the load balancer."""
    world = World()

    async def visit(_send, _server, door):
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(f"POST /r HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 9\r\n\r\nabc".encode())
        await writer.drain()
        writer.close()
        await asyncio.sleep(0.1)

    behind_the_door(world, visit)
    assert world.got == []


@pytest.mark.parametrize(
    "head",
    ["Content-Length: 20", "Transfer-Encoding: chunked"],
    ids=["announced", "chunked"],
)
def test_a_body_that_is_too_large_is_refused(monkeypatch, head):
    """Nothing that a client sends fills the memory: more than the limit is answered 413."""
    monkeypatch.setattr(front_door, "LARGEST_BODY", 8)
    body = "x" * 20 if "Length" in head else "14\r\n" + "x" * 20 + "\r\n0\r\n\r\n"
    world = World()

    async def visit(send, _server, _door):
        return await send(f"POST /r HTTP/1.1\r\nHost: {NAME}\r\n{head}\r\n\r\n{body}")

    status, answer = behind_the_door(world, visit)
    assert (status, world.got) == (413, [])
    assert "more than 8 bytes" in answer


def test_what_takes_too_long_is_ended(monkeypatch):
    """A slow head is closed, a slow body answered 408, a silent load balancer 502."""
    monkeypatch.setattr(front_door, "LIMITS", Limits(idle_seconds=0.2, connections=10))
    monkeypatch.setattr(front_door, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(front_door, "RESPONSE_SECONDS", 0.2)
    world = World()

    async def visit(send, _server, door):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"GET / HT")
        assert await reader.read() == b""
        writer.close()
        slow = await send(f"POST /r HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 9\r\n\r\nabc")
        world.waits = asyncio.Event()
        silent = await send()
        world.waits.set()
        return slow[0], silent[0]

    assert behind_the_door(world, visit) == (408, 502)


def test_only_so_many_connections_are_open(monkeypatch):
    """A client that opens connection after connection can't take all descriptors."""
    monkeypatch.setattr(front_door, "LIMITS", Limits(idle_seconds=20, connections=1))

    async def visit(send, _server, door):
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        await asyncio.sleep(0.05)
        refused = await send()
        writer.close()
        await asyncio.sleep(0.05)
        return refused[0], (await send())[0]

    assert behind_the_door(World(), visit) == (0, 200)


def test_a_web_socket_is_refused():
    """The deployed load balancers serve none."""
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"

    async def visit(send, _server, _door):
        return await send(
            f"GET / HTTP/1.1\r\nHost: {NAME}\r\n{upgrade}Sec-WebSocket-Key: {'a' * 22}==\r\n\r\n"
        )

    assert behind_the_door(World(), visit)[0] == 403


@pytest.mark.parametrize(
    ("change", "request_text", "status", "words"),
    [
        ({"default": ""}, "GET / HTTP/1.1\r\nHost: other\r\n\r\n", 503, "nothing is deployed"),
        ({}, "GET / HTTP/1.1\r\nHost: evil.example:1\r\n\r\n", 421, "evil.example is no site"),
        ({"address": ""}, None, 503, "doesn't resolve to a load balancer"),
        ({"address": "127.9.9.9"}, None, 503, "doesn't resolve to a load balancer"),
        ({"reply": None}, None, 502, "east.elb doesn't answer"),
        ({"objection": "mismatch"}, None, 502, "isn't for app.clinic.net.: mismatch"),
    ],
)
def test_what_fails_says_why(change, request_text, status, words):
    """R3.2: the front door says whether DNS or the load balancer is at fault."""
    world = World(**change)

    async def visit(send, _server, _door):
        return await (send(request_text) if request_text else send())

    found, body = behind_the_door(world, visit)
    assert found == status
    assert words in json.loads(body)["error"]


@pytest.mark.parametrize("length", ["x", "-1"])
def test_a_length_that_is_none_is_refused(length):
    """RFC 9112, section 6.3: 400, and nothing is sent on."""
    world = World()

    async def visit(send, _server, _door):
        return await send(f"GET / HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: {length}\r\n\r\n")

    assert behind_the_door(world, visit)[0] == 400
    assert world.got == []


def test_a_dns_server_that_is_gone_is_a_503():
    """R3.2: no answer is no address; nothing is invented."""

    async def visit(send, server, _door):
        await server.stop()
        return await send()

    status, body = behind_the_door(World(), visit)
    assert (status, "gave no answer" in body) == (503, True)


def test_an_empty_connection_is_let_go():
    """A port scan leaves nothing behind."""

    async def visit(_send, _server, door):
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.close()
        await asyncio.sleep(0.05)
        return door.listening

    assert behind_the_door(World(), visit)


def test_a_taken_port_gives_way_to_a_free_one():
    """A second lab on the same machine starts all the same."""

    async def visit(_send, server, door):
        second = DnsServer(World().answer)
        await second.start(server.port)
        taken, first = second.port, door.port
        await second.stop()
        await door.stop()
        await door.start(server.port)
        return {taken, door.port} & {0, server.port, first}

    assert behind_the_door(World(), visit) == set()


def test_dns_over_tcp_answers_one_question_after_the_other():
    """RFC 7766: a connection stays; what is no question ends it."""

    async def visit(_send, server, _door):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        question = DNSRecord.question(NAME, "A").pack()
        found = []
        for _ in range(2):
            writer.write(len(question).to_bytes(2, "big") + question)
            length = int.from_bytes(await reader.readexactly(2), "big")
            found.append(str(DNSRecord.parse(await reader.readexactly(length)).rr[0].rdata))
        writer.write(b"\x00\x02xx")
        assert await reader.read() == b""
        writer.close()
        return found

    assert behind_the_door(World(), visit) == ["127.1.0.1", "127.1.0.1"]


CHECK = CheckConfig("id", "HTTP", host="app.clinic.net", path="/health")
MATCH = CheckConfig("id", "HTTP_STR_MATCH", host="app.clinic.net", search="healthy")


@pytest.mark.parametrize(
    ("check", "reply", "success", "words"),
    [
        (CHECK, b"HTTP/1.1 200 OK\r\n\r\n", True, "HTTP Status Code 200, OK"),
        (CHECK, b"HTTP/1.1 399 \r\n\r\n", True, "HTTP Status Code 399"),
        (CHECK, b"HTTP/1.1 404 Not Found\r\n\r\n", False, "HTTP Status Code 404, Not Found"),
        (CHECK, b"", False, "Connection failed"),
        (CHECK, b"nonsense\r\n\r\n", False, "Connection failed"),
        (MATCH, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000 + b"healthy", True, "200"),
        (MATCH, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5120 + b"healthy", False, "search string"),
        (MATCH, b"HTTP/1.1 200 OK\r\n\r\nill", False, "does not contain the search string"),
        (CheckConfig("id", "TCP"), b"", True, "TCP connection established"),
    ],
)
def test_a_probe_judges_as_route_53_does(check, reply, success, words):
    """R3.1: 2xx and 3xx; the string within the first 5,120 bytes; TCP by connecting."""

    async def run():
        async def serve(reader, writer):
            await reader.read(4096)
            writer.write(reply)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            return await probe(check, Address("127.0.0.1", port))
        finally:
            server.close()

    found, report = asyncio.run(run())
    assert (found, words in report) == (success, True), report


def test_a_probe_that_gets_no_answer_in_time_fails():
    """R3.1: the limits shrink with the lab's clock."""

    async def run():
        release = asyncio.Event()

        async def serve(_reader, writer):
            await release.wait()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            return await probe(CHECK, Address("127.0.0.1", port), 1000)
        finally:
            release.set()
            server.close()

    success, report = asyncio.run(run())
    assert (success, "timeout limit" in report) == (False, True)
