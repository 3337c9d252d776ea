"""What passes between the regions, and how late: links of connections, relays of replication."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from lab.clock import Clock
from lab.database.links import Links
from lab.database.streams import Streams

HANDSHAKE = b"R\0\0\0\x08\0\0\0\0"
STREAMING = b"W\0\0\0\x07\0\0\0"
EAST, WEST = "us-east-1", "us-west-2"


async def writer(said: asyncio.Queue[bytes]) -> asyncio.Server:
    """A server that says what is put into ``said``; an empty word ends it in order."""

    async def serve(_reader: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        while word := await said.get():
            answers.write(word)
        answers.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


def relayed(
    lag: Callable[[], float],
    scene: Callable[[asyncio.StreamReader, asyncio.Queue[bytes]], Awaitable[None]],
    clock: float = 1.0,
) -> None:
    """Plays ``scene`` at the standby's end of a relay whose lag is ``lag`` lab seconds."""

    async def run() -> None:
        said: asyncio.Queue[bytes] = asyncio.Queue()
        server = await writer(said)
        port = server.sockets[0].getsockname()[1]
        streams = Streams(Clock(clock), lambda _arn: lag(), lambda _arn: port)
        assert streams.port("standby") is None
        await streams.serve(["standby"])
        reader, sender = await asyncio.open_connection("127.0.0.1", streams.port("standby"))
        try:
            await asyncio.wait_for(scene(reader, said), 5)
        finally:
            sender.close()
            await streams.stop()
            server.close()
        assert streams.port("standby") is None

    asyncio.run(run())


def test_wal_comes_late_and_the_greeting_does_not() -> None:
    """Issue 16.2: the lag is that of the stream, in lab seconds; a standby that connects isn't
    kept waiting at each question."""

    async def scene(reader: asyncio.StreamReader, said: asyncio.Queue[bytes]) -> None:
        began = time.monotonic()
        said.put_nowait(HANDSHAKE + STREAMING)
        assert await reader.readexactly(17) == HANDSHAKE + STREAMING
        assert time.monotonic() - began < 0.2
        said.put_nowait(b"wal")
        assert await reader.readexactly(3) == b"wal"
        assert 0.28 < time.monotonic() - began < 2

    relayed(lambda: 3.0, scene, clock=10)


def test_a_lag_that_ends_lets_what_waited_through() -> None:
    """Issue 16: with the fault off again the lab is back to normal."""
    lag = 600.0

    async def scene(reader: asyncio.StreamReader, said: asyncio.Queue[bytes]) -> None:
        nonlocal lag
        said.put_nowait(STREAMING + b"wal")
        await reader.readexactly(8)
        await asyncio.sleep(0.1)
        lag = 0.0
        assert await reader.readexactly(3) == b"wal"

    relayed(lambda: lag, scene)


def test_a_writer_that_ends_in_order_is_heard_to_its_last_word() -> None:
    """Trap 7: a planned switchover waits for all of it."""

    async def scene(reader: asyncio.StreamReader, said: asyncio.Queue[bytes]) -> None:
        for word in (STREAMING, b"last", b""):
            said.put_nowait(word)
        assert await reader.read() == STREAMING + b"last"

    relayed(lambda: 0.2, scene)


def test_a_relay_without_a_writer_ends_the_connection() -> None:
    """R8: the standby tries again by itself."""

    async def run() -> bytes:
        streams = Streams(Clock(), lambda _arn: 0.0, lambda _arn: 1)
        await streams.serve(["standby"])
        reader, sender = await asyncio.open_connection("127.0.0.1", streams.port("standby"))
        answer = await asyncio.wait_for(reader.read(), 5)
        sender.close()
        await streams.stop()
        return answer

    assert asyncio.run(run()) == b""


def test_bytes_pass_a_link_late_or_not_at_all() -> None:
    """Issue 16.1 and 16.7: a cut link and a database that hangs hold them, a long way delays
    them."""

    async def run() -> None:
        links = Links(lambda one, other: 0.05 if one != other else 0.0)
        began = time.monotonic()
        await links.passes(EAST, EAST)
        assert time.monotonic() - began < 0.05
        await links.passes(EAST, WEST)
        assert time.monotonic() - began >= 0.05
        for pair in ((EAST, WEST), (WEST, WEST)):
            links.set(*pair, is_open=False)
            held = asyncio.create_task(links.passes(EAST, WEST))
            await asyncio.sleep(0.1)
            assert not held.done()
            links.set(*pair, is_open=True)
            await asyncio.wait_for(held, 1)

    asyncio.run(run())
