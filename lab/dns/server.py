"""A DNS server on 127.0.0.1 (UDP and TCP) that answers as Route 53 would."""

import asyncio
import logging
import struct
from collections.abc import Callable
from typing import cast

from dnslib import CLASS, EDNS0, NS, OPCODE, QTYPE, RCODE, RR, SOA, DNSRecord
from dnslib.dns import DNSError

from lab.dns.answers import Answer, Resource

Answering = Callable[[str, str], Answer]
logger = logging.getLogger("lab")

PLAIN_BYTES = 512
"""What a client takes over UDP unless its EDNS record says more (RFC 1035, RFC 6891)."""
LARGEST_BYTES = 4096
BADVERS = 16
"""Answer to a version of EDNS that isn't spoken here (RFC 6891, section 6.1.3). Its upper bits go
into the OPT record."""


class DnsServer:
    """Listens on 127.0.0.1; ``answering(name, type)`` gives each answer."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._transport: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self.port = 0

    async def start(self, port: int) -> None:
        """Listens on ``port``, or on a free one when it's taken or 0."""
        try:
            await self._listen(port)
        except OSError:
            await self.stop()
            await self._listen(0)

    async def stop(self) -> None:
        """Stops listening; safe to call twice."""
        if self._transport:
            self._transport.close()
        if self._tcp:
            self._tcp.close()
        self._transport = self._tcp = None

    @property
    def listening(self) -> bool:
        """Whether both sockets are open."""
        return bool(
            self._transport
            and not self._transport.is_closing()
            and self._tcp
            and self._tcp.is_serving()
        )

    async def _listen(self, port: int) -> None:
        self._tcp = await asyncio.start_server(self._serve_tcp, "127.0.0.1", port)
        self.port = self._tcp.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self.reply), local_addr=("127.0.0.1", self.port)
        )

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                reply = self.reply(await reader.readexactly(length), stream=True)
                if reply is None:
                    break
                writer.write(struct.pack("!H", len(reply)) + reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    def reply(self, packet: bytes, *, stream: bool = False) -> bytes | None:
        """The reply to one question in wire format; None for what is no question.

        ``stream`` is TCP, where a reply may be of any length; over UDP one that is too long comes
        without its records, marked as truncated, and the client asks again over TCP.
        """
        try:
            question = DNSRecord.parse(packet)
            name = str(question.q.qname).lower()
        except (DNSError, UnicodeDecodeError, IndexError, struct.error):
            return None
        if question.header.qr or not question.questions:
            return None
        reply = question.reply(ra=0, aa=0)
        reply.header.ad = 0  # the question's wish; nothing here is signed
        room = PLAIN_BYTES
        extended = 0
        for option in question.ar:
            if option.rtype == QTYPE.OPT:
                room = min(max(option.edns_len, PLAIN_BYTES), LARGEST_BYTES)
                extended = BADVERS if option.edns_ver > 0 else 0
                # Whoever speaks EDNS is answered in it (RFC 6891, section 7).
                reply.add_ar(EDNS0(udp_len=LARGEST_BYTES, ext_rcode=extended >> 4))
        if extended:
            reply.header.rcode = extended & 0xF
        elif question.header.opcode != OPCODE.QUERY:
            reply.header.rcode = RCODE.NOTIMP
        elif question.q.qclass != CLASS.IN:
            reply.header.rcode = RCODE.REFUSED
        else:
            self._answer(reply, name.rstrip(".") + ".", QTYPE.get(question.q.qtype, "TYPE"))
        packed = bytes(reply.pack())
        if stream or len(packed) <= room:
            return packed
        reply.rr, reply.auth, reply.header.tc = [], [], 1
        return bytes(reply.pack())

    def _answer(self, reply: DNSRecord, name: str, kind: str) -> None:
        try:
            found = self._answering(name, kind)
            records = [record for resource in found.records for record in _rr(resource)]
            authority = _authority(found) if not found.records else []
        except Exception:
            # A record that can't be read must not look like a server that is gone.
            logger.exception("the DNS answer to %s %s", name, kind)
            reply.header.rcode = RCODE.SERVFAIL
            return
        reply.header.aa = int(found.zone is not None)
        reply.header.rcode = getattr(RCODE, found.code)
        reply.add_answer(*records)
        reply.add_auth(*authority)


def _rr(resource: Resource) -> list[RR]:
    return RR.fromZone(f"{resource.name} {resource.ttl} IN {resource.type} {resource.value}")


def _authority(found: Answer) -> list[RR]:
    """The SOA that goes with an empty answer; its TTL is how long the absence may be kept: the
    lesser of the record's own TTL and its last field (RFC 2308, section 5)."""
    if found.zone is None:
        return []
    for record in found.zone.records:
        if record.type == "SOA" and record.name == found.zone.name:
            master, contact, *times = record.values[0].split()
            numbers = tuple(int(value) for value in times)
            data = SOA(master, contact, numbers)
            return [RR(record.name, QTYPE.SOA, CLASS.IN, min(record.ttl, numbers[-1]), data)]
    return [RR(found.zone.name, QTYPE.NS, CLASS.IN, 900, NS("ns.lab."))]


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, reply: Callable[[bytes], bytes | None]) -> None:
        self._reply = reply
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's promise; before Python 3.12 its own transports aren't of that class by name.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._reply(data)
        if reply and self._transport:
            self._transport.sendto(reply, addr)
