"""What the benchmarks share: a lab of their own, and measurements held against limits."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from deployed_lab import Lab, free_port

from lab import client

SETTLE_SECONDS, REST_SECONDS = 5.0, 20.0
SAMPLE_SECONDS = 0.5


class Samples:
    """What is measured again and again while the block runs."""

    def __init__(self, measure: Callable[[], float]) -> None:
        self.values: list[float] = []
        self._measure = measure
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Samples:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.values.append(self._measure())


@dataclass
class Measurements:
    """Figures, each held against its limit when it has one."""

    title: str
    missed: int = 0
    lines: list[str] = field(default_factory=list)

    def add(self, what: str, value: float, unit: str, limit: float | None = None) -> None:
        """Prints one figure; above ``limit`` it's a miss."""
        verdict = ""
        if limit is not None:
            good = value <= limit
            self.missed += not good
            verdict = f"  {'pass' if good else 'MISSED'} (limit {limit:g} {unit})"
        print(f"{what:58} {value:9.2f} {unit}{verdict}", flush=True)

    def hold(self, what: str, good: bool, detail: str = "") -> None:
        """Prints one claim that holds or doesn't."""
        self.missed += not good
        print(f"{what:58} {'pass' if good else 'MISSED'}  {detail}".rstrip(), flush=True)

    def end(self) -> None:
        """Exits with 0 when every limit was kept, else 5."""
        print(f"{self.title}: {'every limit kept' if not self.missed else f'{self.missed} missed'}")
        sys.exit(5 if self.missed else 0)


@contextmanager
def lab_of_its_own() -> Iterator[Lab]:
    """A lab in a temporary workspace, stopped and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="warm-standby-bench-") as directory:
        lab = Lab(Path(directory), free_port())
        try:
            yield lab
        finally:
            lab.stop()


@contextmanager
def deployed_lab(clock: float = 1.0) -> Iterator[Lab]:
    """The same with all layers deployed, its clock at ``clock``."""
    with lab_of_its_own() as lab:
        timed(lab, "deploy-all")
        client.set_clock(lab.state_dir, clock)
        yield lab


def timed(lab: Lab, *arguments: str) -> float:
    """Seconds of one ``./inv`` command, which must succeed."""
    begun = time.monotonic()
    answer = lab.inv(*arguments)
    seconds = time.monotonic() - begun
    if answer.returncode:
        sys.exit(f"./inv {' '.join(arguments)} failed:\n{answer.stdout}\n{answer.stderr}")
    return seconds


def at_rest_percent(lab: Lab) -> float:
    """Per cent of one core that the lab's process and all below it take while nobody asks."""
    time.sleep(SETTLE_SECONDS)
    before, begun = processor_seconds(lab), time.monotonic()
    time.sleep(REST_SECONDS)
    used = sum(processor_seconds(lab).values()) - sum(before.values())
    return 100 * used / (time.monotonic() - begun)


def processor_seconds(lab: Lab) -> dict[str, float]:
    """Seconds of a core up to now, by what took them: the lab's own process, functions (Node.js and
    Python), PostgreSQL."""
    found: dict[str, float] = {"lab": 0.0, "functions": 0.0, "PostgreSQL": 0.0}
    root, *others = _processes(lab)
    own = root.cpu_times()
    found["lab"] = own.user + own.system
    found["functions"] = own.children_user + own.children_system
    for process in others:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            kind = "PostgreSQL" if process.name() in ("postgres", "sh") else "functions"
            # Of children that have ended, too: PostgreSQL makes a process for each connection.
            found[kind] += times.user + times.system + times.children_user + times.children_system
    return found


def memory_mb(lab: Lab) -> float:
    """Memory of the lab's process and all below it in MB; shared pages are counted once (PSS)."""
    total = 0
    for process in _processes(lab):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_full_info().pss
    return total / 1e6


def _processes(lab: Lab) -> list[psutil.Process]:
    """The lab's process and all below it; each may end at any moment."""
    root = psutil.Process(client.status(lab.state_dir).pid)
    return [root, *root.children(recursive=True)]
