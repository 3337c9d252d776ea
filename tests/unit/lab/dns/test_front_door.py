"""The front door and the DNS server on real sockets of 127.0.0.1, with pretended load balancers."""

import asyncio
import json
from dataclasses import dataclass, field

import pytest
from dnslib import DNSRecord

from lab.clock import Clock
from lab.dns.answers import Answer, Resource
from lab.dns.front_door import FrontDoor
from lab.dns.health_checks import CheckConfig
from lab.dns.probe import Address, probe
from lab.dns.records import RecordSet, Zone
from lab.dns.server import DnsServer

ZONE = "clinic.net."
NAME = f"app.{ZONE}"
BALANCERS = {"127.1.0.1": "east.elb.", "127.2.0.1": "west.elb."}


@dataclass
class World:
    """What DNS answers, and what the load balancers got and say; ``now`` is real time."""

    address: str = "127.1.0.1"
    ttl: int = 60
    now: float = 1000.0
    reply: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    got: list[str] = field(default_factory=list)
    asked: int = 0
    default: str = NAME

    def answer(self, name, _kind):
        self.asked += 1
        zone = Zone("Z", ZONE, (RecordSet(ZONE, "A"),))
        found = (Resource(name, "A", self.ttl, self.address),) if self.address else ()
        return Answer("NOERROR" if found else "NXDOMAIN", found, zone)

    async def serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = dict(line.split(": ", 1) for line in head.strip().split("\r\n")[1:])
        body = await reader.readexactly(int(lines.get("Content-Length", 0)))
        self.got.append(head + body.decode())
        writer.write(self.reply)
        writer.close()


def behind_the_door(world, visit):
    """Runs ``visit(send, server, door)``; ``send(request)`` gives status and body."""

    async def run():
        balancers = await asyncio.start_server(world.serve, "127.0.0.1", 0)
        server = DnsServer(world.answer)
        await server.start(0)
        door = FrontDoor(
            clock=Clock(1, real=lambda: world.now),
            lab_port=balancers.sockets[0].getsockname()[1],
            dns_port=lambda: server.port,
            balancer_of=lambda address: BALANCERS.get(address, ""),
            default_name=lambda: world.default,
            knows=lambda name: name.endswith(ZONE),
        )
        await door.start(0)
        assert door.listening
        assert server.listening

        async def send(request=f"GET /health HTTP/1.1\r\nHost: {NAME}\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(request.encode())
            answer = await reader.read()
            writer.close()
            head, _, body = answer.partition(b"\r\n\r\n")
            return (int(head.split()[1]) if head else 0), body.decode()

        try:
            async with asyncio.timeout(10):
                return await visit(send, server, door)
        finally:
            for stopped in (door, door, server, server):
                await stopped.stop()
            balancers.close()
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
    sent_to = [text.split("X-Lab-Load-Balancer: ")[1].split("\r\n")[0] for text in world.got]
    assert sent_to == ["east.elb", "east.elb", "west.elb", "west.elb"]
    assert world.asked == 3


def test_a_request_goes_on_as_it_came_under_the_sites_name():
    """R3.2: method, path, headers and body stay; a host that is none of the zones' gets the
    failover name."""
    world = World()
    request = "POST /records?a=b HTTP/1.1\r\nHost: localhost:1\r\nX-Own: 1\r\nContent-Length: 3\r\n"

    async def visit(send, _server, _door):
        assert (await send(request + "Connection: keep-alive\r\n\r\nabc"))[0] == 200

    behind_the_door(world, visit)
    (got,) = world.got
    assert got.startswith("POST /records?a=b HTTP/1.1\r\nHost: app.clinic.net\r\n")
    assert "X-Own: 1" in got
    assert got.endswith("abc")
    assert "keep-alive" not in got


@pytest.mark.parametrize(
    ("change", "request_text", "status", "words"),
    [
        ({"default": ""}, "GET / HTTP/1.1\r\nHost: other\r\n\r\n", 503, "nothing is deployed"),
        ({}, "GET / HTTP/1.1\r\nHost: evil.example:1\r\n\r\n", 421, "evil.example is no site"),
        ({"address": ""}, None, 503, "doesn't resolve to a load balancer"),
        ({"address": "127.9.9.9"}, None, 503, "doesn't resolve to a load balancer"),
        ({"reply": b""}, None, 502, "east.elb. doesn't answer"),
        ({}, "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, "is no number"),
        ({}, "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "is no number"),
    ],
)
def test_what_fails_says_why(change, request_text, status, words):
    """R3.2: the front door tells whether DNS or the load balancer is at fault."""
    world = World(**change)

    async def visit(send, _server, _door):
        return await (send(request_text) if request_text else send())

    found, body = behind_the_door(world, visit)
    assert found == status
    assert words in json.loads(body)["error"]


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
