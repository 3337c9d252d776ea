"""``./inv bench NAME``: the benchmarks of tests/bench, each a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from invoke.exceptions import Exit

from ops import workspace
from ops.bootstrap import CHECK
from ops.errors import bad_input
from ops.quality.pins import require

ALIASES = {"lab": "deploy"}
"""Other names. A program named lab.py would hide the package ``lab`` from its neighbours."""

HELPERS = ("bench", "kept", "mutation")
"""Modules of tests/bench that are no benchmarks: what several of them share."""

RESUMED = (
    "certificate", "controller_kills", "drills", "faults", "mutants", "recovery_mutants",
    "recovery_timelines", "scenarios", "sequences",
)  # fmt: skip
"""Benchmarks that take ``--minutes`` and resume where they stopped."""
CLOCKED = ("drills",)
"""Benchmarks that take ``--clock``: all others measure at the lab clock that is theirs."""


def run(name: str, minutes: float = 0.0, clock: float = 1.0) -> None:
    """Runs one benchmark; its exit code is 5 when a limit was missed.

    ``minutes`` above 0 end those that resume where they stopped (:data:`RESUMED`); ``clock`` is the
    lab's seconds in a real one, for those that take it (:data:`CLOCKED`).
    """
    repository = workspace.find().repository
    directory = repository / "tests" / "bench"
    names = sorted(file.stem for file in directory.glob("*.py") if file.stem not in HELPERS)
    name = ALIASES.get(name, name)
    if name not in names:
        raise bad_input(f"unknown benchmark {name}: choose one of {', '.join(names)}")
    if minutes and name not in RESUMED:
        raise bad_input(f"bench {name} takes no --minutes: it runs to its end")
    if clock != 1 and name not in CLOCKED:
        raise bad_input(f"bench {name} takes no --clock: it has one of its own")
    require(repository, CHECK)  # some run tests
    program = directory / f"{name}.py"
    limit = ["--minutes", f"{minutes:g}"] if minutes else []
    limit += ["--clock", f"{clock:g}"] if clock != 1 else []
    code = subprocess.run(
        [sys.executable, "-P", str(program), *limit],
        cwd=directory, env=environment(repository), check=False,
    ).returncode  # fmt: skip
    if code:
        raise Exit(code=code)


def environment(repository: Path) -> dict[str, str]:
    """Returns what a benchmark's modules are found by, with ``python -P``.

    Benchmarks use the system as the integration tests do, with the same helpers. The controller's
    package comes first: a benchmark has its name.
    """
    tests = repository / "tests"
    places = (repository / "lambda_src" / "recovery", tests / "bench", tests / "integration")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
