"""What all tests share."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from lab.collecting import collect_rarely
from ops import node

# Nothing of the person's own AWS and Pulumi configuration may reach a test.
for name in list(os.environ):
    if name.startswith(("AWS_", "PULUMI_", "WARM_STANDBY_")):
        del os.environ[name]

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
    {
        "test_bundle",
        "test_cost_report",
        "test_engine_kept",
        "test_engine_kills",
        "test_engine_programs",
        "test_engine_sequences",
        "test_policy_pack",
        "test_program",
        "test_protocol_yaml_files",
        "test_provider_changes",
        "test_provider_types",
        "test_servers",
        "test_stack_file_fuzzed",
        "test_timelines",
        "test_vectors",
        "test_workflow_scripts",
        "test_workflow_steps",
    }
)
"""Files with tests that take a second or more: ``./inv test --quick`` leaves them out."""

RUN_ANEW = frozenset({"run_program", "declared"})
"""Functions that run a whole program, which takes a second or two: a test that calls one itself is
slow, wherever it stands."""

UNMEASURED = frozenset(
    {
        "test_engine_kills",
        "test_engine_sequences",
        "test_house",
        "test_named_paths",
        "test_stack_file_fuzzed",
        "test_timelines",
        "test_vectors",
        "test_workflow_steps",
        "test_workflows",
    }
)
"""Files whose tests run the same lines thousands of times, or none of ours: other tests are what
their coverage comes from, and measuring doubles their time."""


def called(item: pytest.Item) -> set[str]:
    """The names that a test's own code uses."""
    code = getattr(getattr(item, "function", None), "__code__", None)
    return set(code.co_names) if code else set()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what ``--quick`` leaves out, and what isn't measured."""
    # With AWS's types and all tests loaded, half of a program's time went into garbage collection.
    collect_rarely()
    for item in items:
        if item.path.stem in SLOW or RUN_ANEW & called(item):
            item.add_marker(pytest.mark.slow)
        if item.path.stem in UNMEASURED:
            item.add_marker(pytest.mark.no_cover)
