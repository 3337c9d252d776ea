"""``./inv console`` itself: its port, its address, its end."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import stat
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest
from console_facts import LAB, NOW, facts
from invoke.context import Context
from watched_driver import LAB as LAB_FILE

from lab import client
from ops import workspace
from ops.console import server
from ops.console.feed import Feed
from ops.console.gathering import Gatherer
from ops.console.model import Tone
from ops.console.server import Looking
from ops.console.timeline import Moment, Timeline
from ops.engines import choice
from ops.errors import ExitCode, OperatorError
from ops.front import looking as looking_front
from ops.stack_file import parse
from ops.workspace import Workspace

FILE = parse("lab", LAB_FILE)


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace over this repository; its lab doesn't run."""
    found = Workspace(Path(__file__).parents[4], tmp_path)
    monkeypatch.setattr(workspace, "find", lambda: found)
    return found


@pytest.mark.parametrize(
    ("stack", "port", "code", "why"),
    [
        ("nope", 0, ExitCode.BAD_INPUT, "unknown stack nope"),
        ("lab", -1, ExitCode.BAD_INPUT, "--port -1 isn't from 0 to 65535"),
        ("lab", 70_000, ExitCode.BAD_INPUT, "--port 70000 isn't from 0 to 65535"),
    ],
)
def test_bad_input_touches_nothing(
    space: Workspace, stack: str, port: int, code: ExitCode, why: str
) -> None:
    """Issue 21: one line and exit code 2."""
    with pytest.raises(OperatorError, match=why) as caught:
        server.run(stack, port)
    assert caught.value.code is code
    assert not space.lab_state.exists()


def test_a_port_that_is_taken_is_exit_code_4(space: Workspace) -> None:
    """Issue 21: with the flag that chooses another one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OperatorError, match=r"can't listen on .* choose another") as caught:
            server.run("lab", taken.getsockname()[1])
    assert caught.value.code is ExitCode.BUSY


def test_a_port_that_may_not_be_taken_is_exit_code_3(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 21: this machine lacks the right."""

    def refuse(_: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("lab.http_server.listen", refuse)
    with pytest.raises(OperatorError, match="Permission denied") as caught:
        server.run("lab", 80)
    assert caught.value.code is ExitCode.ENVIRONMENT


def asked(address: str, method: str = "GET", path: str = "", **headers: str) -> Any:
    """(status, body) of one request, as a browser of this machine makes it."""
    host, _, rest = address.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request(method, f"/{rest}{path}", b"{}" if method == "POST" else None, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def test_it_serves_until_it_is_interrupted(
    space: Workspace, capfd: pytest.CaptureFixture[str]
) -> None:
    """Issue 21: a stopped lab is a page that says how to continue; the printed address opens it,
    and nothing else does; streams end with the console, at once; its folder is private."""
    seen: list[Any] = []
    left: list[int] = []

    def look() -> None:
        out = ""
        deadline = time.monotonic() + 60
        while "http://" not in out and time.monotonic() < deadline:
            time.sleep(0.02)
            out += capfd.readouterr().out
        try:
            address = out.partition(": ")[2].split()[0]
            other = address.replace("127.0.0.1", "localhost")
            while "the lab isn&#39;t running" not in (page := asked(address))[1]:
                time.sleep(0.02)
            seen.append(page)
            seen.append(asked(other))
            seen.append(asked(address.rsplit("/", 2)[0] + "/"))
            token = page[1].partition('data-csrf="')[2].partition('"')[0]
            origin = address.partition("//")[2].partition("/")[0]
            own = {"Origin": f"http://{origin}", "X-Csrf-Token": token}
            seen.append(asked(address, "POST", "orders/restore", **own))
            stream = http.client.HTTPConnection(origin, timeout=60)
            stream.request("GET", f"/{address.split('/', 3)[3]}events")
            answer = stream.getresponse()
            seen.append(answer.readline())
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
            answer.read()
        finally:
            os.kill(os.getpid(), signal.SIGINT) if len(seen) < 5 else None

    person = threading.Thread(target=look)
    person.start()
    server.run("lab", 0, left.append)
    person.join(60)
    page, other, without, order, stream = seen
    assert page[0] == 200
    assert "run ./inv lab.up" in page[1]
    assert other[0] == 200
    assert without[0] == 403
    assert order == (400, json.dumps({"error": "Region is one of us-east-1, us-west-2, not ''"}
                                     ).replace(": ", ":"))  # fmt: skip
    assert stream == b"retry: 1000\n"
    assert left == [0]
    folder = space.lab_state / "console"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_address_is_the_same_for_half_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 21: a page that lost its console finds the next one; an old key opens nothing."""
    first = server._token(tmp_path)
    assert server._token(tmp_path) == first
    assert len(first) >= 32
    os.utime(tmp_path / "token", (1, 1))
    assert server._token(tmp_path) != first
    (tmp_path / "token").write_text("")
    assert server._token(tmp_path)


class Calm:
    """A gatherer that knows calm facts."""

    stack = LAB
    complete = True

    def facts(self) -> Any:
        return facts()


def looking(folder: Path) -> tuple[Looking, Timeline, Feed]:
    timeline, feed = Timeline(folder / "t.jsonl"), Feed("i")
    return Looking(cast(Gatherer, Calm()), timeline, feed), timeline, feed


def test_what_is_seen_is_kept_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 21: once everything was asked; before that nothing has changed."""
    made, timeline, feed = looking(tmp_path)
    monkeypatch.setattr(Calm, "complete", False)
    made.look()
    assert timeline.known == {}
    assert "head" in feed.fragments
    monkeypatch.setattr(Calm, "complete", True)
    made.look()
    assert timeline.known["Writes"].now == "succeed"
    ribbons = [ribbon.what for ribbon in made.shown().ribbons]
    assert "Between the regions: DNS answers" in ribbons
    assert "us-east-1, primary: Application" in ribbons
    assert "Automatic recovery: Epoch" not in ribbons


def test_a_full_disk_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Issue 21: the page continues; what a restart would lose is said to who started it."""
    blocked = tmp_path / "file"
    blocked.touch()
    made, timeline, feed = looking(blocked)
    made.look()
    made.keep(Moment(NOW, "Ordered here", "-", "x", Tone.PLAIN))
    made.look()
    assert capsys.readouterr().err == "the timeline can't be kept: File exists\n"
    assert "head" in feed.fragments
    kept, timeline, _ = looking(tmp_path)
    kept.keep(Moment(NOW, "Ordered here", "-", "x", Tone.PLAIN))
    assert timeline.known["Ordered here"].now == "x"


def test_it_looks_without_a_change_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 21: what isn't answered any more turns unknown by itself."""
    monkeypatch.setattr(server, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(server, "COALESCE_SECONDS", 0.0)
    made, _, _ = looking(tmp_path)
    looks: list[int] = []

    async def scene() -> None:
        dirty = asyncio.Event()
        monkeypatch.setattr(made, "look", lambda: looks.append(1))
        following = asyncio.create_task(made.follow(dirty))
        while len(looks) < 3:
            await asyncio.sleep(0)
        following.cancel()

    asyncio.run(asyncio.wait_for(scene(), 60))
    assert len(looks) >= 3


@pytest.mark.parametrize(
    ("stack", "refused", "asked_for"),
    [
        (LAB_FILE, [], ["embedded"]),
        (LAB_FILE, ["embedded"], ["embedded", "pulumi"]),
        (LAB_FILE, ["embedded", "pulumi"], ["embedded", "pulumi"]),
        ("", ["pulumi"], ["pulumi"]),
    ],
)
def test_the_engine_that_holds_the_state_is_found(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, stack: str, refused: list[str],
    asked_for: list[str],
) -> None:  # fmt: skip
    """Issue 21: either of the lab's; without Pulumi's CLI the outputs of the last deployment do."""
    tried: list[str] = []

    def engine_for(name: str, *_: Any) -> str:
        tried.append(name)
        if name in refused:
            raise OperatorError("not here")
        return name

    monkeypatch.setattr(choice, "engine_for", engine_for)
    file = FILE if stack == LAB_FILE else parse("dev", DEV)
    found = server._engine(space, file, "http://127.0.0.1:1" if stack == LAB_FILE else None)
    assert tried == asked_for
    assert found == (None if asked_for[-1] in refused else asked_for[-1])


DEV = "config: {TapStack:environmentSuffix: dev, TapStack:environment: dev, aws:region: us-east-1}"


def test_a_console_of_a_stack_on_aws_asks_aws(space: Workspace) -> None:
    """Issue 21: no endpoint of the lab, and what it asks with its cost."""
    made = server._gatherer(space, parse("dev", DEV), space.lab_state, lambda: None)
    assert made.world.lab_endpoint is None
    assert not made.stack.is_lab
    assert made.stack.flags == " --stack dev"
    assert {one.name for one in made.stack.asked} >= {"events", "recovery"}
    assert "target-5xx" in made.stack.runbook


def test_the_task_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """names.md: console [--port 45670]."""
    asked_for: list[Any] = []
    monkeypatch.setattr(server, "run", lambda *given: asked_for.append(given))
    looking_front.console(Context())
    looking_front.console(Context(), stack="dev", port=1)
    assert asked_for == [("lab", server.DEFAULT_PORT), ("dev", 1)]
    assert client.DEFAULT_PORT != server.DEFAULT_PORT
