"""The engine's side of the runner: a process that forks for each Pulumi program."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_RUNNER = Path(__file__).with_name("program.py")
UNKNOWN_CODE = -1
"""The exit code of a program whose runner is gone."""


class Fork:
    """A program's process, not the engine's own child: the runner reports what becomes of it."""

    def __init__(self) -> None:
        reading, to_program = os.pipe()
        from_program, writing = os.pipe()
        from_errors, complaining = os.pipe()
        self.stdin = os.fdopen(to_program, "wb")
        self.stdout = os.fdopen(from_program, "rb")
        self.stderr = os.fdopen(from_errors, "rb")
        self.given = (reading, writing, complaining)
        """The descriptors of the program's side, given away with the request."""
        self.pid: int | None = None
        self.code: int | None = None
        self.running = threading.Event()
        self.ended = threading.Event()

    def kill(self) -> None:
        """Ends the process if it still runs, and waits for its end."""
        self.running.wait()
        if not self.ended.is_set() and self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.ended.wait()

    def end(self, code: int) -> None:
        """Takes note of the process's end."""
        if self.code is None:
            self.code = code
        self.ended.set()
        self.running.set()


class Runner:
    """A process that has imported what programs need, and forks for each (see ``program.py``)."""

    def __init__(self, environment: Mapping[str, str], names: Sequence[str] = ()) -> None:
        self._socket, there = socket.socketpair()
        with there:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_RUNNER), str(there.fileno()), *names],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**environment, "PULUMI_PYTHON_CMD": sys.executable},
                pass_fds=(there.fileno(),),
                start_new_session=True,
            )
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._asked: Fork | None = None
        self._forks: dict[int, Fork] = {}
        self._gone = False
        threading.Thread(target=self._listen, daemon=True).start()

    def start(
        self, directory: Path, environment: Mapping[str, str], names: Sequence[str] = ()
    ) -> Fork:
        """Starts a program in ``directory`` that uses ``names``. Returns at once, also
        while the runner imports."""
        fork = Fork()
        request = {
            "cwd": str(directory),
            "environment": {**environment, "PULUMI_PYTHON_CMD": sys.executable},
            "names": list(names),
        }
        threading.Thread(target=self._ask, args=(fork, request), daemon=True).start()
        return fork

    def close(self) -> None:
        """Ends the runner; programs end by the end of their standard input."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._process.kill()
        self._process.wait()

    def _ask(self, fork: Fork, request: Mapping[str, object]) -> None:
        with self._asking:  # one at a time: an answer names no request
            with self._lock:
                self._asked = fork
                gone = self._gone
            try:
                if not gone:
                    data = json.dumps(request).encode() + b"\n"
                    sent = socket.send_fds(self._socket, [data], list(fork.given))
                    self._socket.sendall(data[sent:])
            except OSError:
                gone = True
            finally:
                for descriptor in fork.given:
                    os.close(descriptor)
            if gone:
                fork.end(UNKNOWN_CODE)
            fork.running.wait()

    def _listen(self) -> None:
        with self._socket.makefile("rb") as lines, suppress(OSError, ValueError):
            for line in lines:
                self._take(json.loads(line))
        with self._lock:
            self._gone = True
            left = [*self._forks.values(), *filter(None, [self._asked])]
        for fork in left:
            if fork.pid is not None and not fork.ended.is_set():
                with suppress(ProcessLookupError):
                    os.kill(fork.pid, signal.SIGKILL)
            fork.end(UNKNOWN_CODE)

    def _take(self, message: dict[str, int]) -> None:
        pid = message["pid"]
        with self._lock:
            if "code" in message:
                fork = self._forks.pop(pid, None)
            else:
                fork, self._asked = self._asked, None
                if fork is not None:
                    self._forks[pid] = fork
        if fork is None:
            return
        if "code" in message:
            fork.end(message["code"])
        else:
            fork.pid = pid
            fork.running.set()
