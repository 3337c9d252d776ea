"""The process that runs a Pulumi program."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lab.engine.operation import OperationRun
from lab.engine.runner import Runner
from pulumi_protocol.events import Severity

_PACKAGE = re.compile(r"^import (pulumi_\w+) as (\w+)", re.MULTILINE)
FAREWELL = 5.0
"""How long a program that is asked to end may take before it is killed (seconds)."""


def used_names(directory: Path) -> list[str]:
    """Returns what a project's programs use of Pulumi's packages (``pulumi_aws.ec2.Vpc``).

    The packages import their modules when a name in them is first used, so the uses count.
    """
    source = "\n".join(file.read_text(errors="replace") for file in sorted(directory.glob("*.py")))
    wanted = ["pulumi"]
    for package, name in sorted(set(_PACKAGE.findall(source))):
        wanted.append(package)
        used = sorted(set(re.findall(rf"\b{name}\.([a-z0-9_]+\.\w+)", source)))
        wanted += [f"{package}.{used_name}" for used_name in used]
    return wanted


class ProgramProcess:
    """The program's process: a fork of the runner."""

    def __init__(self, run: OperationRun, runner: Runner, variables: Mapping[str, str]) -> None:
        self._run = run
        self.changed = threading.Event()
        directory = run.project.directory
        self._process = runner.start(directory, variables, used_names(directory))
        self.ended = self._process.ended
        self._threads = [
            threading.Thread(target=self._read, args=(self._process.stdout, "info"), daemon=True),
            threading.Thread(target=self._read, args=(self._process.stderr, "info"), daemon=True),
            threading.Thread(target=self._wait, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @classmethod
    @contextmanager
    def started(
        cls, run: OperationRun, runner: Runner, variables: Mapping[str, str]
    ) -> Iterator[ProgramProcess]:
        """The process, which is gone when the block ends."""
        program = cls(run, runner, variables)
        try:
            yield program
        finally:
            program.kill()
            for thread in program._threads:
                thread.join(timeout=2)
            process = program._process
            for stream in (process.stdin, process.stdout, process.stderr):
                with suppress(OSError):  # what a program that is gone never read
                    stream.close()

    @property
    def exit_code(self) -> int:
        """The process's exit code; -1 while it runs."""
        return self._process.code if self._process.code is not None else -1

    def configure(self, address: str, parallel: int) -> None:
        """Sends the program the engine's address and what it is run for."""
        project = self._run.project
        settings = {
            "config": dict(project.config),
            "secret_keys": list(project.secret_keys),
            "monitor": address,
            "engine": address,
            "project": project.name,
            "stack": project.stack,
            "parallel": parallel,
            "dry_run": self._run.preview,
            "organization": "organization",
            "root_directory": str(project.directory),
        }
        try:
            self._process.stdin.write(json.dumps(settings).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self.ended.wait(FAREWELL)

    def kill(self) -> None:
        """Ends the process if it still runs."""
        self._process.kill()

    def _wait(self) -> None:
        self.ended.wait()
        self.changed.set()

    def _read(self, stream: Any, severity: Severity) -> None:
        for line in stream:
            self._run.log(severity, line.decode(errors="replace").rstrip())
