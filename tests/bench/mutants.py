"""Mutants of the pure modules: how many of them do the unit tests kill?

Results are kept in the lab's folder by the hash of module and tests, so that a run resumes where
the last one stopped; ``--minutes`` ends it early. Run by itself the file also takes ``--only``: the
modules whose path contains a text.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import boto3  # noqa: F401 - loaded once for all forks, as the next one is
import mutation
import pulumi_aws  # noqa: F401
from bench import Measurements
from mutation import REPOSITORY, Known, Mutant

LEAST_PERCENT = 95.0

MODULES: Mapping[str, Sequence[str]] = {
    # Module: the tests that hold it.
    "tapstack/pair.py": ("tapstack/test_pair.py",),
    "tapstack/naming.py": ("tapstack/test_naming.py",),
    "tapstack/budget.py": ("tapstack/test_budget.py",),
    "tapstack/connections.py": ("tapstack/test_connections.py",),
    "network/cidr_plan.py": ("network/test_cidr_plan.py",),
    "data/maintenance_windows.py": ("data/test_maintenance_windows.py",),
    "pulumi_protocol/yaml_files.py": ("pulumi_protocol/test_protocol_yaml_files.py",),
    "pulumi_protocol/paths.py": ("pulumi_protocol/test_protocol_paths.py",),
    "pulumi_protocol/masking.py": ("pulumi_protocol/test_protocol_masking.py",),
    "lab/engine/decision.py": ("lab/engine/test_engine_decision.py",),
    "global/event_patterns.py": ("global/test_event_patterns.py",),
    "global/alarm_specs.py": ("global/test_alarm_specs.py",),
    "global/cloudwatch_metrics.py": ("global/test_alarm_specs.py",),
}

EXCUSED: Mapping[str, str] = {
    "tapstack/connections.py: 9531393": "no class's memory lies so near a whole connection",
    "tapstack/connections.py: acu < high": "the line meets the next one there: the same value",
    "tapstack/connections.py: 1": "the smallest database leaves 145 connections, never none",
}
"""Survivors that no test can kill (``module: line as it would read``) → why."""


@dataclass(frozen=True)
class Judged:
    """A module's mutants: how many there are, and of those tried the fate of each."""

    module: str
    every: int
    fates: Sequence[tuple[Mutant, bool]]

    @property
    def killed(self) -> int:
        """How many a test noticed."""
        return sum(killed for _mutant, killed in self.fates)

    @property
    def survivors(self) -> list[tuple[Mutant, str]]:
        """Those that none did, each with the reason why none can; empty for none."""
        return [
            (mutant, EXCUSED.get(f"{self.module}: {mutant.reads}", ""))
            for mutant, killed in self.fates
            if not killed
        ]


def judged(module: str, ends: float) -> Judged | None:
    """Tries a module's mutants that weren't tried yet; None where its tests fail without one."""
    file = REPOSITORY / module
    tests = [str(REPOSITORY / "tests" / "unit" / test) for test in MODULES[module]]
    known = Known("mutants", file, tests)
    if known.reach is None and time.monotonic() < ends:
        found = mutation.reach([file], tests)
        if found is None:
            return None
        known.reaches(found[0])
    every = mutation.mutants(file)
    return Judged(module, len(every), mutation.tried(every, tests, known, ends))


def report(figures: Measurements, found: Judged) -> None:
    """Prints a module's survivors and its figure."""
    for mutant, reason in found.survivors:
        print(f"  survived {found.module}:{mutant.line}: {mutant.reads[:90]}  {reason}".rstrip())
    excused = sum(bool(reason) for _mutant, reason in found.survivors)
    of = len(found.fates) - excused
    percent = 100 * found.killed / of if of else 100.0
    detail = f"{found.killed} of {of} killed"
    if len(found.fates) == found.every:
        figures.hold(f"{found.module}: {percent:.1f} %", percent >= LEAST_PERCENT, detail)
    else:
        left = found.every - len(found.fates)
        print(f"{found.module:58} not finished: {detail}, {left} not tried yet", flush=True)


def main() -> None:
    """Tries what wasn't tried yet, and reports all that is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0, help="End after this time; 0: never")
    parser.add_argument("--only", default="", help="Only modules whose path contains this")
    arguments = parser.parse_args()
    ends = time.monotonic() + 60 * (arguments.minutes or float("inf"))
    figures = Measurements("mutants")
    waiting = 0
    for module in MODULES:
        if arguments.only not in module:
            continue
        found = judged(module, ends)
        if found is None:
            figures.hold(f"{module}: its tests pass without a mutant", False)
            continue
        report(figures, found)
        waiting += found.every - len(found.fates)
    if waiting:
        print(f"mutants: {waiting} not tried yet; run it again to resume")
        sys.exit(5 if figures.missed else 0)
    figures.end()


if __name__ == "__main__":
    main()
