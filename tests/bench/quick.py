"""``./inv bench quick``: measures the unit tests, records which of them ``./inv test --quick``
leaves out (``tests/slow.txt``), and holds that run against its minute.

What counts is processor time, a test's own and that of the processes it started: how long a test
takes depends on what else the machine does.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from bench import Measurements
from deployed_lab import REPOSITORY

TABLE = REPOSITORY / "tests" / "slow.txt"
HEADING = """\
# Unit tests that take {limit:g} s of a processor or more, which `./inv test --quick` leaves out.
# Measured and written by `./inv bench quick`.
"""
SLOW_SECONDS = 0.15
ROUNDS = 3
"""What the first of several tests made for all of them is the next one's to make once the first is
left out: they are measured again until nothing is found, at most so often."""
QUICK_SECONDS = 60.0
CORES = 2


class Meter:
    """Sums up what each test function took; what a fixture made for several tests is all theirs."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._took: dict[str, float] = defaultdict(float)
        self._users: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._shared: dict[tuple[str, str], float] = defaultdict(float)
        self._apart = 0.0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Makes what many tests read and is no test's own: the programs as shipped, run, and the
        graph of all imports."""
        import harness
        import house_graph

        house_graph.imports()
        for layer in harness.LAYERS:
            for stack in ("lab", "dev"):
                harness.program(layer, stack)
        for item in session.items:
            for name in getattr(item, "fixturenames", ()):
                self._users[name, item.nodeid.partition("::")[0]].add(_function(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: Any, request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Notes what a fixture of a module or of all takes, which isn't its first test's own."""
        before, apart = _processor_seconds(), self._apart
        answer = yield
        if fixturedef.scope in ("module", "package", "session"):
            took = _processor_seconds() - before - (self._apart - apart)
            self._apart += took
            self._shared[fixturedef.argname, request.node.nodeid.partition("::")[0]] += took
        return answer

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Notes what a test took, and what it set up and tore down."""
        before, apart = _processor_seconds(), self._apart
        answer = yield
        took = _processor_seconds() - before - (self._apart - apart)
        self._took[_function(item)] = max(took, self._took[_function(item)])
        return answer

    def pytest_sessionfinish(self) -> None:
        """Writes the functions with their slowest case's seconds."""
        for fixture, seconds in self._shared.items():
            for function in self._users[fixture]:
                self._took[function] = max(seconds, self._took[function])
        self._file.write_text(json.dumps(self._took))


def _function(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measured(file: Path, expression: str) -> int:
    """Runs unit tests one after the other and writes their seconds; returns pytest's exit code."""
    os.chdir(REPOSITORY)
    return pytest.main(["tests/unit", "-m", expression, "-p", "no:cacheprovider"], [Meter(file)])


def slow_functions() -> set[str]:
    """Runs the unit tests until what is left of them is quick; returns the others."""
    slow: set[str] = set()
    expression = "not long"
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="warm-standby-bench-") as directory:
            file = Path(directory, "seconds")
            command = [sys.executable, "-P", __file__, str(file), expression]
            if subprocess.run(command, check=False).returncode != 0:
                sys.exit("bench quick: a unit test failed; mend it first")
            took: dict[str, float] = json.loads(file.read_text())
        new = {function for function, seconds in took.items() if seconds >= SLOW_SECONDS}
        slow |= new
        TABLE.write_text(
            HEADING.format(limit=SLOW_SECONDS) + "".join(f"{s}\n" for s in sorted(slow))
        )
        if not new:
            break
        expression = "not long and not slow"
    return slow


def main() -> None:
    """Writes the table and holds the quick run against its limit."""
    result = Measurements("quick")
    print(f"{len(slow_functions())} test functions are slow: {TABLE.relative_to(REPOSITORY)}")
    before = _processor_seconds()
    command = [sys.executable, "-m", "ops.program", "test", "--quick"]
    answer = subprocess.run(command, cwd=REPOSITORY, check=False)
    took = _processor_seconds() - before
    result.hold("./inv test --quick passes", answer.returncode == 0)
    result.add("its processor time, on each of two cores", took / CORES, "s", QUICK_SECONDS)
    result.end()


if __name__ == "__main__":
    if arguments := sys.argv[1:]:
        sys.exit(measured(Path(arguments[0]), arguments[1]))
    main()
