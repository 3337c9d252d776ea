"""The lab's process at its edges: what prevents its start, its environment, its end; its control
API; what its parts share."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import resource
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from lab import control, http_server, outage, server
from lab.api import ApiRequest
from lab.clock import Clock
from lab.context import LabContext
from lab.control import Control
from lab.facts import Event, HealthCheckProbe, Invocation, LoadBalancerRequest, Sample
from lab.outage import Outages
from lab.supervisor import Supervisor


def context(state_dir: Path) -> LabContext:
    endpoint = "http://127.0.0.1:1"
    return LabContext(state_dir, 1, endpoint, Clock(), Outages(state_dir), internal_token="secret")


def test_what_prevents_the_start_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A taken port and a state that another lab holds: exit code 1 and one line, no traceback."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        assert server.main(["--state-dir", str(tmp_path), "--port", str(port)]) == 1
    assert f"can't listen on 127.0.0.1:{port} (Address already in use)" in capsys.readouterr().err
    with server._hold(tmp_path):
        assert server.main(["--state-dir", str(tmp_path), "--port", "0"]) == 1
    assert capsys.readouterr().err == f"another lab already runs with the state in {tmp_path}\n"


def test_options_reach_the_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state directory is absolute, the clock real time by default; an end on request is 0."""
    given: list[tuple[Path, int, float]] = []

    async def run(*options: Any) -> None:
        given.append(options)

    monkeypatch.setattr(server, "run", run)
    monkeypatch.chdir(tmp_path)
    assert server.main(["--state-dir", "state", "--port", "0"]) == 0
    assert server.main(["--state-dir", "/s", "--port", "7", "--clock", "2.5"]) == 0
    assert given == [(tmp_path / "state", 0, 1.0), (Path("/s"), 7, 2.5)]


def test_the_environment_of_the_lab_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No AWS account and no proxy of the user's reaches the emulator; its files stay below the
    state directory; the metadata service is never asked."""
    before = {"AWS_PROFILE": "p", "HTTPS_PROXY": "p", "no_proxy": "p", "HOME": "h"}
    monkeypatch.setattr(os, "environ", dict(before))
    server.prepare_environment(tmp_path, 5)
    made = os.environ
    assert not before.keys() & made.keys() - {"HOME"}
    assert made["HOME"] == "h"
    assert made["GATEWAY_PORT"] == "5"
    assert made["AWS_EC2_METADATA_DISABLED"] == "true"
    for name in ("TMPDIR", "STATE_DIR", "S3_DATA_DIR"):
        assert Path(made[name]).is_relative_to(tmp_path)


def test_the_end_waits_for_answers_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is being answered gets its answer; one that hangs is cut off; without any
    connection the end is at once."""
    monkeypatch.setattr(http_server, "FAREWELL_SECONDS", 0.2)
    arrived = asyncio.Event()

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/hangs":
            arrived.set()
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ask(port: int, path: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer

    async def live(hanging: bool) -> float:
        stop = asyncio.Event()
        listener = server._listen(0)
        port = listener.getsockname()[1]
        serving = asyncio.create_task(http_server.serve(application, listener, stop, server.LIMITS))  # pyright: ignore[reportArgumentType]
        asked = None
        if hanging:
            assert b" 204 " in (await ask(port, "/")).splitlines()[0]
            asked = asyncio.create_task(ask(port, "/hangs"))
            await arrived.wait()
        began = asyncio.get_running_loop().time()
        stop.set()
        await serving
        took = asyncio.get_running_loop().time() - began
        if asked is not None:
            assert b" 204 " not in await asked
        return took

    assert asyncio.run(live(hanging=True)) >= 0.19
    monkeypatch.setattr(http_server, "FAREWELL_SECONDS", 60)
    assert asyncio.run(live(hanging=False)) < 30


class Lab:
    """The control API over a lab without parts."""

    def __init__(self, state_dir: Path) -> None:
        self.context = context(state_dir)
        self.stopped: list[str] = []
        emulator: Any = SimpleNamespace(
            outage=self.stopped.append, mails=lambda confirm: [{"to": str(confirm)}]
        )
        self.control = Control(self.context, emulator, Supervisor(self.context, []))

    def ask(self, method: str, command: str, body: Any = None, token: str = "secret") -> Any:  # noqa: S107
        body = b"" if body is None else json.dumps(body).encode()
        headers = {"x-lab-token": token}
        return asyncio.run(self.control.handle(method, f"/_lab/{command}", headers, body))


def test_commands_change_the_lab_and_answer_with_its_status(tmp_path: Path) -> None:
    """N1, N2: clock, outage and restore; the answer shows what they did; the status is free."""
    lab = Lab(tmp_path)
    assert lab.ask("POST", "clock", {"factor": "20"})[1]["clock"] == 20
    code, status = lab.ask("POST", "outage", {"region": "us-east-1", "part": "api"})
    assert code == 200
    assert status["regions"] == {"us-east-1": "down", "us-west-2": "up"}
    assert status["outages"] == {"us-east-1": ["api"]}
    assert lab.stopped == ["us-east-1"]
    assert lab.ask("POST", "restore", {"region": "us-east-1"})[1]["outages"] == {}
    code, status = lab.ask("GET", "status", token="")
    assert (code, status["pid"], status["ready"]) == (200, os.getpid(), False)


@pytest.mark.parametrize(
    ("method", "command", "body", "token", "code", "message"),
    [
        ("GET", "outage", None, "secret", 405, "/_lab/outage takes POST"),
        ("POST", "outage", {}, "guess", 403, "/_lab/outage needs the token of lab.json"),
        ("POST", "coffee", {}, "secret", 404, "the lab has no command 'coffee'"),
        ("POST", "outage", {}, "secret", 400, "/_lab/outage needs 'region'"),
        ("POST", "clock", None, "secret", 400, "/_lab/clock needs 'factor'"),
        ("POST", "clock", {"factor": 0}, "secret", 400, "above 0 and at most 1000, got 0"),
        ("POST", "restore", {"region": "mars"}, "secret", 400, "unknown region 'mars'"),
        ("POST", "restore", {"region": "us-east-1"}, "secret", 400, "has lost nothing"),
        ("POST", "outage", {"region": "us-east-1", "part": "network"}, "secret", 400, "peering"),
        (
            "POST",
            "outage",
            {"region": "us-east-1", "mode": "up"},
            "secret",
            400,
            "slow, hang, flap",
        ),
    ],
)
def test_a_command_that_is_refused_changes_nothing(
    tmp_path: Path, method: str, command: str, body: Any, token: str, code: int, message: str
) -> None:
    """Each refusal is one line and its own HTTP status."""
    lab = Lab(tmp_path)
    before = lab.control.status()
    answered, error = lab.ask(method, command, body, token)
    assert answered == code
    assert message in error["error"]
    # Time passes meanwhile, whatever is refused.
    assert {**lab.control.status(), "now": before["now"]} == before


def test_requests_are_counted_by_second_and_read_by_anybody(tmp_path: Path) -> None:
    """Issue 21: by region and real second, errors from 500 on; other events don't count, and what
    is older than two minutes is gone."""
    lab = Lab(tmp_path)
    now = [1000.0]
    lab.control.recent._now = lambda: now[0]

    def request(status: int, region: str = "us-east-1") -> LoadBalancerRequest:
        return LoadBalancerRequest(region, "app/x/1", "", status, True, 0.1)

    for at, event in (
        (1000.0, request(200)), (1000.5, request(503)), (1002.0, request(404)),
        (1002.0, request(200, "us-west-2")),
        (1002.0, Invocation("us-east-1", "f", False, False, 0.1, 1)),
    ):  # fmt: skip
        now[0] = at
        lab.context.emit(event)
    assert lab.ask("GET", "requests", token="") == (
        200,
        {
            "now": 1002,
            "regions": {
                "us-east-1": [[1000, 2, 1], [1002, 1, 0]],
                "us-west-2": [[1002, 1, 0]],
            },
        },
    )
    now[0] = 1121.0
    assert lab.ask("GET", "requests")[1]["regions"]["us-east-1"] == [[1002, 1, 0]]


def test_faults_round_trips_and_mails_are_commands(tmp_path: Path) -> None:
    """Issue 16.2, 16.5 and 16.7: the answer shows them; a restore ends all faults, also of a
    region that has lost nothing else."""
    lab = Lab(tmp_path)
    notified: list[str] = []

    async def faults() -> None:
        notified.append("faults")

    lab.control.supervisor.faults = faults  # type: ignore[method-assign]
    set_on = {"name": "promotion-delay", "value": "60"}
    assert lab.ask("POST", "fault", set_on)[1]["faults"] == {"promotion-delay": 60.0}
    assert lab.ask("POST", "fault", {"name": "gremlins"})[0] == 400
    assert lab.ask("POST", "restore", {"region": "us-east-1"})[1]["faults"] == {}
    assert notified == ["faults", "faults"]
    assert lab.ask("POST", "rtt", {"milliseconds": "65"})[1]["rtt_ms"] == 65
    assert lab.context.one_way_seconds == 0.0325
    for given in (-1, 1e6):
        code, error = lab.ask("POST", "rtt", {"milliseconds": given})
        assert (code, "0 to 10000 lab milliseconds" in error["error"]) == (400, True)
    assert lab.ask("POST", "mails", {"confirm": True}) == (200, {"mails": [{"to": "True"}]})


def test_a_time_that_cannot_be_kept_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """N7: a full disk leaves the clock as it is; the next turn tries again."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(control, "keep", full)
    assert Lab(tmp_path).ask("POST", "clock", {"factor": 3})[1]["clock"] == 3
    assert "the lab's time can't be kept" in caplog.text


def test_parts_hear_of_each_turn_of_what_flaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 16.1: down, back and down again, without a further command."""
    monkeypatch.setattr(control, "FOLLOW_SECONDS", 0.001)
    lab = Lab(tmp_path)
    lab.context.clock.factor = 1000
    lab.context.outages = Outages(tmp_path, lab.context.clock.now)
    assert (
        lab.ask("POST", "outage", {"region": "us-east-1", "part": "api", "mode": "flap"})[0] == 200
    )

    async def follow() -> None:
        following = asyncio.create_task(lab.control.follow())
        async with asyncio.timeout(5):
            while len(lab.stopped) < 4:
                await asyncio.sleep(0.005)
        following.cancel()

    asyncio.run(follow())
    assert set(lab.stopped) == {"us-east-1"}


def test_a_command_that_cannot_be_kept_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage counts once it is on disk; 500 with the cause says that it doesn't."""

    def full(_path: Path, _text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(outage, "write_atomically", full)
    lab = Lab(tmp_path)
    answered, error = lab.ask("POST", "outage", {"region": "us-east-1"})
    assert answered == 500
    assert error == {"error": "the lab could not save the outage: No space left on device"}
    assert lab.control.status()["outages"] == {}
    assert lab.stopped == []
    monkeypatch.undo()
    assert lab.ask("POST", "outage", {"region": "us-east-1"})[0] == 200


def test_registering_twice_is_registering_once(tmp_path: Path) -> None:
    """A part that is restarted registers again: nothing may be called twice for it. An observer
    that fails keeps the others from nothing."""
    lab = context(tmp_path)
    observed: list[Event] = []

    async def hook(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    def environment(region: str, name: str) -> dict[str, str]:
        return {}

    def broken(event: Event) -> None:
        raise ValueError(event)

    def observer(event: Event) -> None:
        observed.append(event)

    def source() -> list[Sample]:
        return []

    for _ in range(2):
        lab.on_api("rds", ["CreateDBCluster"], hook)
        lab.function_environment(environment)
        lab.observe(broken)
        lab.observe(observer)
        lab.add_source(source)
    assert lab.hooks == [("rds", frozenset({"CreateDBCluster"}), hook)]
    assert lab.function_environments == [environment]
    assert lab.sources == [source]
    event = HealthCheckProbe("check", True, False, True, 0.0)
    lab.emit(event)
    assert observed == [event]
    lab.remove_hook(hook)
    lab.remove_source(source)
    assert lab.hooks == lab.sources == []


def test_a_request_without_an_http_call_needs_no_rewriting() -> None:
    """A hook's change of parameters counts as it is where nothing is sent on."""
    request = ApiRequest("events", "PutEvents", "us-east-1", {"a": 1})
    request.parameters["a"] = 2
    request.rewrite()
    assert (request.call, request.parameters) == (None, {"a": 2})


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "while it is answered"])
def test_a_connection_ends_when_its_client_has_gone(busy: bool) -> None:
    """A kept-alive connection is closed with its client, not three minutes later; of
    each write two were left, until the process had no descriptor any more."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        arrived.set()
        if busy:
            await go_on.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def waiting(port: int) -> list[Any]:
        return [
            connection
            for connection in psutil.Process().net_connections("tcp4")
            if connection.laddr.port == port and connection.status == psutil.CONN_CLOSE_WAIT
        ]

    async def live() -> None:
        stop = asyncio.Event()
        listener = server._listen(0)
        port = listener.getsockname()[1]
        serving = asyncio.create_task(http_server.serve(application, listener, stop, server.LIMITS))  # pyright: ignore[reportArgumentType]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        await arrived.wait()
        if not busy:
            assert b" 204 " in await reader.readline()
        writer.close()
        await writer.wait_closed()
        go_on.set()
        async with asyncio.timeout(5):
            await asyncio.sleep(0.1)
            while waiting(port):
                await asyncio.sleep(0.05)
        stop.set()
        await serving

    asyncio.run(live())


def test_the_limit_of_descriptors_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shells start programs with 1,024; what the system allows is taken, as far as it
    is sensible, and a system that allows no more is no failure."""
    raised: list[tuple[int, int]] = []
    limits = [(1024, 1_048_576), (1024, 4096), (65_536, 65_536), (1024, resource.RLIM_INFINITY)]
    for soft, hard in limits:
        monkeypatch.setattr(resource, "getrlimit", lambda _kind, s=soft, h=hard: (s, h))
        monkeypatch.setattr(resource, "setrlimit", lambda _kind, given: raised.append(given))
        server.raise_descriptor_limit()
    assert raised == [(65_536, 1_048_576), (4096, 4096), (65_536, resource.RLIM_INFINITY)]

    def refuse(_kind: int, _given: tuple[int, int]) -> None:
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    server.raise_descriptor_limit()
