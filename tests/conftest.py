"""What all tests share."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from lab.collecting import collect_rarely
from ops import node

# Nothing of the person's own AWS and Pulumi configuration may reach a test.
for name in list(os.environ):
    if name.startswith(("AWS_", "PULUMI_", "WARM_STANDBY_")):
        del os.environ[name]

# A job in the background of a script ignores Ctrl-C, and so would all that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# An example may be late on a busy machine; how long something takes is measured by benchmarks.
settings.register_profile(
    "any machine",
    parent=settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
)
settings.load_profile("any machine")

# The Node.js that the commands take, for tests that start one by name; the lab does, too.
node.ensure()

SLOW = frozenset(
    line
    for line in Path(__file__).with_name("slow.txt").read_text().splitlines()
    if not line.startswith("#")
)
"""Test functions that ``./inv test --quick`` leaves out; ``./inv bench quick`` measures them."""

SHARED = "TESTS_SHARED_FOLDER"
"""The variable that names a folder for what one test process made and the others need, too."""

UNMEASURED = frozenset(
    {
        "test_budget_as_deployed",
        "test_dashboard",
        "test_documented_commands",
        "test_drill_guards",
        "test_engine_kills",
        "test_engine_programs",
        "test_engine_sequences",
        "test_every_program",
        "test_extending",
        "test_global_recovery",
        "test_house",
        "test_named_paths",
        "test_numbers",
        "test_operators",
        "test_stack_file_fuzzed",
        "test_standby_first",
        "test_timelines",
        "test_vectors",
        "test_workflow_steps",
        "test_workflows",
    }
)
"""Files whose tests run the same lines thousands of times, or none of ours: other tests are what
their coverage comes from, and measuring doubles their time."""


CHILDREN = "COVERAGE_PROCESS_CONFIG"
"""By this variable coverage.py measures the processes that a test starts."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """What isn't measured starts no process that is."""
    hidden = os.environ.pop(CHILDREN, "") if item.get_closest_marker("no_cover") else ""
    try:
        return (yield)
    finally:
        if hidden:
            os.environ[CHILDREN] = hidden


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Makes the folder of this run, also for the emulator; test processes that it starts inherit
    its name."""
    if not hasattr(config, "workerinput"):
        os.environ[SHARED] = tempfile.mkdtemp(prefix="warm-standby-tests-")
    # The emulator's modules read these when they are imported, by whichever test is the first.
    files = Path(os.environ[SHARED], "emulator")
    os.environ |= {
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(files / "objects"),
        "STATE_DIR": str(files / "state"),
    }


def pytest_unconfigure(config: pytest.Config) -> None:
    """Removes it."""
    if not hasattr(config, "workerinput") and SHARED in os.environ:
        shutil.rmtree(os.environ.pop(SHARED))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what ``--quick`` leaves out, and what isn't measured."""
    # With AWS's types and all tests loaded, half of a program's time went into garbage collection.
    collect_rarely()
    for item in items:
        if item.nodeid.partition("[")[0] in SLOW:
            item.add_marker(pytest.mark.slow)
        if item.path.stem in UNMEASURED:
            item.add_marker(pytest.mark.no_cover)
