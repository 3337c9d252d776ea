"""Starting, stopping and commanding the lab's process from other programs."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from lab.errors import LabError, LabInputError

DEFAULT_PORT = 45660
START_SECONDS = 60.0
STOP_SECONDS = 20.0
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Status:
    """What ``lab.status --json`` prints. A lab that isn't running has pid 0 and no parts."""

    endpoint: str
    pid: int
    state_dir: str
    regions: dict[str, str]
    """name → ``up`` or ``down``"""
    parts: dict[str, dict[str, Any]]
    """name → ``healthy``, ``detail``, ``restarts``"""
    dns: str
    """127.0.0.1:PORT"""
    front_door: str
    clock: float
    outages: dict[str, list[str]] = field(default_factory=dict)
    """region → what it has lost"""
    rtt_ms: float = 0.0
    """Lab milliseconds to the other region and back."""
    now: str = ""
    """Lab time, ISO 8601."""
    faults: dict[str, float | str | bool] = field(default_factory=dict)
    """faults that are on → seconds, region or true"""

    @property
    def running(self) -> bool:
        """Whether the lab's process lives."""
        return self.pid != 0

    def as_dict(self) -> dict[str, Any]:
        """As JSON shows it."""
        return asdict(self)


def start(state_dir: Path, port: int | None = None, clock: float | None = None) -> Status:
    """Starts the lab, or finds it running; returns when every part was started.

    Without ``port`` a running lab is taken wherever it is, and a new one gets the default port;
    0 takes any free one. ``clock`` also sets a running lab's clock. Raises LabError when the port
    is taken by something else, or the process doesn't come up.
    """
    state_dir = state_dir.absolute()
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _one_starter(state_dir):
        record = _record(state_dir)
        if record and _answers(record):
            if port not in (None, 0, record["port"]):
                raise LabError(
                    f"the lab of {state_dir} already runs at {record['endpoint']}, not at port "
                    f"{port}: run `./inv lab.down` first"
                )
            if clock is not None:
                set_clock(state_dir, clock)
            return _wait_until_ready(state_dir, int(record["pid"]))
        if record:
            _kill(record)
        port = DEFAULT_PORT if port is None else port
        _check_port(port)
        (state_dir / "lab.json").unlink(missing_ok=True)
        return _wait_until_ready(state_dir, _spawn(state_dir, port, clock or 1.0))


def changed_since(state_dir: Path) -> str:
    """The file of the lab's code that changed last, where that was after its process began; empty
    otherwise, and where none runs."""
    record = _record(state_dir.absolute())
    if record is None or _process(record) is None:
        return ""
    code = Path(__file__).parent
    newest = max(code.rglob("*.py"), key=lambda file: file.stat().st_mtime)
    newer = newest.stat().st_mtime > record["started"]
    return str(newest.relative_to(code.parent)) if newer else ""


def stop(state_dir: Path) -> bool:
    """Stops the lab, which saves its state; returns whether one was running."""
    state_dir = state_dir.absolute()
    record = _record(state_dir)
    if record is None:
        return False
    process = _process(record)
    if process is None:
        (state_dir / "lab.json").unlink(missing_ok=True)
        return False
    process.send_signal(signal.SIGTERM)
    if not _ended(process, STOP_SECONDS):
        _kill(record)
    (state_dir / "lab.json").unlink(missing_ok=True)
    return True


def status(state_dir: Path) -> Status:
    """The lab's status; one that isn't running has pid 0."""
    state_dir = state_dir.absolute()
    record = _record(state_dir)
    if record is None or _process(record) is None:
        return Status("", 0, str(state_dir), {}, {}, "", "", 1.0)
    return _status(_call(record, "GET", "status"))


def requests(state_dir: Path) -> dict[str, Any]:
    """What the load balancers answered lately, by second (:mod:`lab.recent`); empty when the lab
    isn't running."""
    record = _record(state_dir.absolute())
    return _call(record, "GET", "requests") if record and _process(record) else {}


def outage(
    state_dir: Path, region: str, part: str | None = None, mode: str | None = None
) -> Status:
    """Takes ``part`` (api, compute, database, peering or replication; None: all) from ``region``;
    it is then down, or whatever ``mode`` says (down, slow, hang or flap)."""
    return _command(state_dir, "outage", region=region, part=part, mode=mode)


def restore(state_dir: Path, region: str) -> Status:
    """Gives ``region`` back what it has lost."""
    return _command(state_dir, "restore", region=region)


def fault(state_dir: Path, name: str, value: str | None = None) -> Status:
    """Turns a fault of :mod:`lab.faults` on, or off with ``off``."""
    return _command(state_dir, "fault", name=name, value=value)


def set_clock(state_dir: Path, factor: float) -> Status:
    """Lets ``factor`` lab seconds pass in one real second."""
    return _command(state_dir, "clock", factor=factor)


def set_round_trip(state_dir: Path, milliseconds: float) -> Status:
    """Lets the way to the other region and back take so many lab milliseconds."""
    return _command(state_dir, "rtt", milliseconds=milliseconds)


def mails(state_dir: Path, confirm: bool = False) -> list[dict[str, str]]:
    """The mails that SNS has sent; ``confirm`` follows the links of those that ask for it."""
    return _post(state_dir, "mails", confirm=confirm)["mails"]


def inject(state_dir: Path, operations: Iterable[str], code: str, times: int = 1) -> None:
    """Lets the next calls of AWS operations fail (:mod:`lab.emulator.injection`)."""
    _post(state_dir, "errors", operations=sorted(operations), code=code, times=times)


def injected(state_dir: Path) -> dict[str, int]:
    """How often each operation has failed since :func:`inject`."""
    return _post(state_dir, "errors")["answered"]


def limit(
    state_dir: Path, principal: str, policies: Iterable[Any] = (), *, observe: bool = False
) -> None:
    """Lets who signs with an access key do what the policies allow, or everything again; with
    ``observe`` what they don't allow is listed and done (:mod:`lab.emulator.permissions`)."""
    given = {"principal": principal, "policies": list(policies), "observe": observe}
    _post(state_dir, "access", **given)


def access(state_dir: Path) -> dict[str, Any]:
    """The actions ``called`` by access key, and those ``refused`` since :func:`limit`."""
    return _post(state_dir, "access")


def _command(state_dir: Path, command: str, **given: Any) -> Status:
    return _status(_post(state_dir, command, **given))


def _post(state_dir: Path, command: str, **given: Any) -> dict[str, Any]:
    record = _record(state_dir.absolute())
    if record is None or _process(record) is None:
        raise LabError(f"the lab of {state_dir} isn't running: run `./inv lab.up`")
    return _call(record, "POST", command, given)


def _status(answer: dict[str, Any]) -> Status:
    # A lab that was started by an older version says less.
    return Status(**{n: answer[n] for n in Status.__dataclass_fields__ if n in answer})


def _call(
    record: dict[str, Any], method: str, command: str, given: dict[str, Any] | None = None
) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - the lab's own http endpoint
        f"{record['endpoint']}/_lab/{command}",
        method=method,
        data=None if given is None else json.dumps(given).encode(),
        headers={"x-lab-token": record["token"], "content-type": "application/json"},
    )
    try:
        with _NO_PROXY.open(request, timeout=30) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        kind = LabInputError if error.code == 400 else LabError
        raise kind(_error_line(error, command)) from None
    except (OSError, ValueError) as error:
        raise LabError(
            f"the lab at {record['endpoint']} doesn't answer ({error}): run `./inv lab.up`"
        ) from None


def _error_line(error: urllib.error.HTTPError, command: str) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError):
        return f"the lab refused {command}: HTTP {error.code}"


def _record(state_dir: Path) -> dict[str, Any] | None:
    try:
        return json.loads((state_dir / "lab.json").read_text())
    except (FileNotFoundError, ValueError):
        return None


def _process(record: dict[str, Any]) -> psutil.Process | None:
    """The recorded process, unless it ended or its id now belongs to another one."""
    try:
        process = psutil.Process(record["pid"])
        alive = process.status() != psutil.STATUS_ZOMBIE
        return process if alive and process.create_time() == record["started"] else None
    except psutil.NoSuchProcess:
        return None


def _answers(record: dict[str, Any]) -> bool:
    if _process(record) is None:
        return False
    try:
        return _call(record, "GET", "status")["pid"] == record["pid"]
    except LabError:
        return False


def _kill(record: dict[str, Any]) -> None:
    if process := _process(record):
        process.kill()
        _ended(process, STOP_SECONDS)


def _ended(process: psutil.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LabError(
                f"port {port} is taken by something else ({error.strerror}): stop what holds it, "
                f"or choose another port for the lab"
            ) from None


def _spawn(state_dir: Path, port: int, clock: float) -> int:
    """The process in a session of its own: no terminal, signal or exit of ours reaches it."""
    command = [sys.executable, "-m", "lab.server", "--state-dir", str(state_dir)]
    descriptor = os.open(state_dir / "lab.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--clock", str(clock)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    _spawned.append(process)
    return process.pid


_spawned: list[subprocess.Popen[bytes]] = []
"""Kept, for the lab outlives whoever started it."""


def _wait_until_ready(state_dir: Path, pid: int) -> Status:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        record = _record(state_dir)
        if record and _process(record):
            answer = _call(record, "GET", "status")
            if answer["ready"]:
                return _status(answer)
        elif not psutil.pid_exists(pid) or any(
            p.poll() is not None for p in _spawned if p.pid == pid
        ):
            raise LabError(f"the lab did not start: {_last_line(state_dir)}")
        time.sleep(0.02)
    raise LabError(
        f"the lab did not become ready in {START_SECONDS:g} s: see {state_dir / 'lab.log'}"
    )


def _last_line(state_dir: Path) -> str:
    lines = (state_dir / "lab.log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"see {state_dir / 'lab.log'}"


@contextmanager
def _one_starter(state_dir: Path) -> Iterator[None]:
    """Two starts at once make one lab: the second waits, and finds it running."""
    descriptor = os.open(state_dir / "start.lock", os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
