"""``./inv console``: holds the port, asks, decides, and serves until Ctrl-C."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab import http_server
from lab.http_server import HOST, Limits
from ops import lab, runbook, stack_file, workspace
from ops.cloud.clients import Clients
from ops.console import actions, rendering, sources
from ops.console.application import Console, application
from ops.console.drills import Drills
from ops.console.facts import Stack
from ops.console.feed import Feed
from ops.console.gathering import Gatherer
from ops.console.guard import Secrets
from ops.console.orders import Orders
from ops.console.outputs import Outputs
from ops.console.rendering import Fragments, Shown
from ops.console.runs import Runs
from ops.console.sources import World
from ops.console.timeline import Moment, Timeline, ribbon
from ops.console.view import WRITES, view
from ops.engines import choice
from ops.engines.engine import Engine
from ops.errors import ExitCode, OperatorError, bad_input
from ops.stack_file import StackFile
from ops.workspace import Workspace
from pulumi_protocol.events import EngineError
from pulumi_protocol.files import write_atomically

DEFAULT_PORT = 45670
HIGHEST_PORT = 65535
LIMITS = Limits(idle_seconds=60.0, connections=64)
COALESCE_SECONDS = 0.25
"""Answers that come together are shown together."""
TICK_SECONDS = 2.0
"""Longest time without a look: what isn't answered any more turns unknown."""
RIBBON_SECONDS = 10
TOKEN_SECONDS = 12 * 3600.0
"""For so long a page finds its console again after a restart, by the same address."""


def run(stack: str, port: int, leave: Callable[[int], None] = os._exit) -> None:
    """Serves the console of a stack in the foreground.

    ``leave`` ends the process at once: threads may hang on a region that is lost. Raises
    OperatorError: 2 bad input, 4 the port is taken.
    """
    space = workspace.find()
    file = stack_file.load(space, stack)
    if not 0 <= port <= HIGHEST_PORT:
        raise bad_input(f"--port {port} isn't from 0 to {HIGHEST_PORT}")
    folder = space.lab_state / "console"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _listen(port) as listener, _left_at_once(leave):
        asyncio.run(_serve(space, file, folder, listener))


@contextmanager
def _left_at_once(leave: Callable[[int], None]) -> Iterator[None]:
    """Ends the process after the body, without waiting for any thread."""
    yield
    sys.stdout.flush()
    sys.stderr.flush()
    leave(ExitCode.OK)


def _listen(port: int) -> socket.socket:
    try:
        return http_server.listen(port)
    except OSError as error:
        code = ExitCode.BUSY if error.errno == errno.EADDRINUSE else ExitCode.ENVIRONMENT
        raise OperatorError(
            f"the console can't listen on {HOST}:{port} ({error.strerror}): stop what holds it, or "
            "choose another one with --port",
            code,
        ) from None


async def _serve(space: Workspace, file: StackFile, folder: Path, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    stop, dirty = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def changed() -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it who would look
            loop.call_soon_threadsafe(dirty.set)

    gatherer = _gatherer(space, file, folder, changed)
    timeline = Timeline(folder / f"timeline-{file.stack}.jsonl")
    timeline.load(time.time())
    port = listener.getsockname()[1]
    guarded = Secrets(port, _token(folder), secrets.token_urlsafe(32))
    feed = Feed(secrets.token_urlsafe(8))
    looking = Looking(gatherer, timeline, feed)
    orders = Orders(gatherer.stack, space.lab_state, gatherer.runs, looking.keep)

    def page() -> str:
        given = {"csrf": guarded.csrf, "instance": feed.instance}
        offered = actions.offered(gatherer.stack)
        seen = view(gatherer.facts())
        return rendering.whole(gatherer.stack, seen, looking.shown(), offered, given)

    console = Console(guarded, feed, orders, space.directory, page, gatherer.wake)
    print(f"console of stack {file.stack}: http://{HOST}:{port}/{guarded.token}/", flush=True)
    print("the address is the key: who has it may do what you may; Ctrl-C ends the console")
    sys.stdout.flush()
    gatherer.start()
    watching = asyncio.create_task(looking.follow(dirty))
    stop_streams = asyncio.create_task(_end_streams(stop, feed))
    try:
        await http_server.serve(application(console), listener, stop, LIMITS)
    finally:
        gatherer.stop()
        watching.cancel()
        stop_streams.cancel()


async def _end_streams(stop: asyncio.Event, feed: Feed) -> None:
    await stop.wait()
    feed.end()


class Looking:
    """Turns facts into what is shown and kept, again and again."""

    def __init__(self, gatherer: Gatherer, timeline: Timeline, feed: Feed) -> None:
        self._gatherer, self._timeline, self._feed = gatherer, timeline, feed
        self._fragments = Fragments()
        self._unwritten = ""

    async def follow(self, dirty: asyncio.Event) -> None:
        """Looks after each change, and every few seconds."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(dirty.wait(), TICK_SECONDS)
            dirty.clear()
            self.look()
            await asyncio.sleep(COALESCE_SECONDS)

    def look(self) -> None:
        """Shows and keeps what changed."""
        facts = self._gatherer.facts()
        page = view(facts)
        try:
            if self._gatherer.complete:
                self._timeline.see(page.kept(), facts.now)
            self._unwritten = ""
        except OSError as error:
            self._warn(error)
        self._feed.publish(self._fragments.changed(page, self.shown()))

    def keep(self, moment: Moment) -> None:
        """Keeps what was ordered."""
        try:
            self._timeline.add(moment)
        except OSError as error:
            self._warn(error)

    def shown(self) -> Shown:
        """The timeline now; its ribbons move every few seconds."""
        now = int(time.time()) // RIBBON_SECONDS * RIBBON_SECONDS + RIBBON_SECONDS
        moments = self._timeline.moments
        names = [WRITES, *(what for what in self._timeline.known if _drawn(what))]
        ribbons = tuple(ribbon(name, moments, now) for name in names)
        return Shown(ribbons, tuple(self._timeline.shown()))

    def _warn(self, error: OSError) -> None:
        """Once for each reason: the page continues, what is kept over a restart doesn't."""
        if str(error) != self._unwritten:
            self._unwritten = str(error)
            print(f"the timeline can't be kept: {error.strerror}", file=sys.stderr)


DRAWN = ("DNS answers", ": Application", ": Database", "recovery: State")
"""Ends of what has a ribbon."""


def _drawn(what: str) -> bool:
    return what.endswith(DRAWN)


def _gatherer(
    space: Workspace, file: StackFile, folder: Path, changed: Callable[[], None]
) -> Gatherer:
    settings = file.settings
    endpoint = lab.endpoint(file) if settings.is_lab else None
    stack = Stack(
        file.stack,
        settings.is_lab,
        settings.environment,
        (settings.primary_region, settings.standby_region),
        settings.budget,
        runbook.read(space.repository, file.stack, settings.suffix),
        sources.asked(),
    )
    world = World(
        space,
        file,
        Clients(file, endpoint, impatient=True),
        Outputs(space, file.stack, _engine(space, file, endpoint)),
        Drills(space.directory),
        endpoint,
    )
    runs = Runs(folder, {**os.environ, **(lab.environment(endpoint) if endpoint else {})},
                space.repository)  # fmt: skip
    return Gatherer(world, stack, runs, changed)


def _engine(space: Workspace, file: StackFile, endpoint: str | None) -> Engine | None:
    """The engine that holds the stack's state, to read its outputs; None where it isn't here."""
    variables = lab.environment(endpoint) if endpoint else {}
    holds = [choice.choose(None, file)]
    if file.settings.is_lab:
        holds = list(choice.NAMES)
    for name in holds:
        with suppress(OperatorError, EngineError):
            return choice.engine_for(name, space, file, variables)
    return None


def _token(folder: Path) -> str:
    """The token of an earlier console, for half a day, or a new one; its file is 0600."""
    path = folder / "token"
    with suppress(OSError):
        kept = path.read_text().strip()
        if kept and time.time() - path.stat().st_mtime < TOKEN_SECONDS:
            return kept
    made = secrets.token_urlsafe(24)
    write_atomically(path, made)
    return made
