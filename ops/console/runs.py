"""``./inv`` processes that the page started: what takes minutes outlives the console.

Each writes into a file of its own (0600), from which the page shows the last lines.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ops.errors import ExitCode, OperatorError, visible

MOST_LINES = 12
MOST_RUNS = 5
"""Runs that are still shown."""
TAIL_BYTES = 8192


@dataclass(frozen=True)
class Run:
    """One order and what became of it."""

    command: str
    """As a person would type it."""
    began: float
    """Seconds since the epoch."""
    lines: tuple[str, ...]
    """The last of its output."""
    code: int | None
    """Its exit code; None while it works."""


@dataclass
class _Started:
    command: str
    began: float
    file: Path
    process: subprocess.Popen[bytes]


@dataclass
class Runs:
    """The processes of one console; ``folder`` takes their output."""

    folder: Path
    environment: Mapping[str, str]
    repository: Path
    _started: list[_Started] = field(default_factory=list)

    def start(self, words: Sequence[str]) -> None:
        """Starts ``./inv WORDS`` in a session of its own; refused while another one works."""
        busy = next((one for one in self._started if one.process.poll() is None), None)
        if busy:
            raise OperatorError(f"{busy.command} still works: wait until it ends", ExitCode.BUSY)
        began = time.time()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.folder / f"run-{len(self._started) % MOST_RUNS}.log"
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        with file.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "ops.program", *words],
                cwd=self.repository,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append(_Started(f"./inv {' '.join(words)}", began, file, process))

    def shown(self) -> tuple[Run, ...]:
        """The latest runs, newest first."""
        return tuple(
            Run(one.command, one.began, _last_lines(one.file), one.process.poll())
            for one in reversed(self._started[-MOST_RUNS:])
        )


def _last_lines(file: Path) -> tuple[str, ...]:
    try:
        with file.open("rb") as output:
            output.seek(max(0, file.stat().st_size - TAIL_BYTES))
            text = output.read().decode(errors="replace")
    except OSError:
        return ()
    return tuple(visible(line) for line in text.splitlines()[-MOST_LINES:])
