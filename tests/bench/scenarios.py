"""``./inv bench scenarios [--minutes N]``: the files that have tests marked ``long``, whole.

A sample of their kind is in ``./inv test``. Tests of a file continue from each other, so a file is
run whole; what passed is kept in the lab's folder for as long as the code is the same, and the next
run resumes with the others, first with those that failed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from deployed_lab import REPOSITORY
from kept import Kept, digest

from ops import workspace
from ops.errors import ExitCode
from tapstack.contracts import LAYERS

INTERRUPTED = 130
"""Exit code after Ctrl-C."""
PROGRAM = ("pulumi_protocol", "lab", "ops", "tapstack", "lambda_src", *LAYERS, "tests/integration")


class Record:
    """Which files passed and failed, of this code."""

    def __init__(self, path: Path) -> None:
        self._kept = Kept(path, digest(PROGRAM, (".py", ".mjs", ".sql")))
        self.passed: set[str] = set(self._kept.same_code.get("passed", []))
        self.failed: set[str] = set(self._kept.any_code.get("failed", []))
        """Those of an earlier code too: what failed is run first."""

    def note(self, file: str, passed: bool) -> None:
        """Keeps how a file's tests ended."""
        self.failed.discard(file)
        (self.passed if passed else self.failed).add(file)
        self._kept.write({"passed": sorted(self.passed), "failed": sorted(self.failed)})


class Files:
    """Runs the files that have long tests and didn't pass yet; begins none after the deadline."""

    def __init__(self, record: Record, deadline: float) -> None:
        self._record, self._deadline = record, deadline
        self._good = True
        self.left: list[str] = []
        """Files that are still to be run, in their order."""
        self.ran = 0
        self.over = False
        """The time was over before the files were."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keeps the files that are to be run, whole; those that failed come first."""
        long = {_file(item) for item in items if item.get_closest_marker("long")}
        wanted = long - self._record.passed
        items[:] = [item for item in items if _file(item) in wanted]
        items.sort(key=lambda item: _file(item) not in self._record.failed)
        self.left = list(dict.fromkeys(map(_file, items)))
        print(f"{len(self.left)} of {len(long)} files to run", flush=True)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remembers a failure of the file that is running."""
        self._good = self._good and not report.failed

    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Ends the run between two files, once the time is over."""
        if nextitem is not None and _file(nextitem) != _file(item):
            self.over = time.monotonic() > self._deadline
        if self.over:
            item.session.shouldstop = "the time is over"

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Says how long each test is in coming: a file takes minutes."""
        print(f"  {nodeid.partition('::')[2]}", flush=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Notes a file once its last test, with what it tears down, has ended."""
        answer = yield
        if nextitem is None or _file(nextitem) != _file(item):
            self._record.note(_file(item), self._good)
            self.left.remove(_file(item))
            self.ran += 1
            print(f"{_file(item)}: {'passed' if self._good else 'FAILED'}", flush=True)
            self._good = True
        return answer


def _file(item: pytest.Item) -> str:
    return item.path.relative_to(REPOSITORY).as_posix()


def main() -> int:
    """Runs until every file has passed, one has failed, or the time is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=float("inf"))
    deadline = time.monotonic() + 60 * parser.parse_args().minutes
    record = Record(workspace.find().lab_state / "bench" / "scenarios.json")
    files = Files(record, deadline)
    os.chdir(REPOSITORY)
    code = pytest.main(["tests/integration", "-m", "", "--durations=20"], [files])
    ends = pytest.ExitCode
    if code == ends.INTERRUPTED and not files.over:
        return INTERRUPTED
    if code not in (ends.OK, ends.TESTS_FAILED, ends.INTERRUPTED, ends.NO_TESTS_COLLECTED):
        return int(code)
    print(f"scenarios: {files.ran} files ran, {len(files.left)} left, {len(record.failed)} failed")
    print("".join(f"failed: {file}\n" for file in sorted(record.failed)), end="")
    if files.left:
        print("run it again to resume")
    return ExitCode.DIFFERENCE if record.failed else 0


if __name__ == "__main__":
    sys.exit(main())
