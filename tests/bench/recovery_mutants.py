"""``./inv bench recovery_mutants``: how many small faults in recovery's pure code are found.

At least 95 % must be; survivors are listed. The texts of decisions are for people, and stay. Stops
after ``--minutes`` (30) and resumes where it stopped; ``--sample N`` takes every Nth mutant of a
module, from ``--first`` on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import mutation
from mutation import REPOSITORY, Known

from ops import workspace

PACKAGE = REPOSITORY / "lambda_src" / "recovery" / "recovery"
TESTS = REPOSITORY / "tests" / "unit" / "lambda_src" / "recovery"
MODULES = (
    "aftermath", "arming", "case", "decide", "evidence", "ground", "judge", "memory", "mode",
    "notices", "promotion", "split", "verify", "watching",
)  # fmt: skip
SUITES = (
    "test_boundaries.py", "test_steps.py", "test_vectors.py", "test_hazards.py", "test_guards.py",
    "test_state.py", "test_split.py",
)  # fmt: skip
LEAST = 0.95
KEPT = workspace.find().lab_state / "bench" / "recovery_mutants.json"
EQUIVALENT: dict[tuple[str, str], str] = {
    ("promotion", "return None"): "`_nothing_began` is asked for its truth alone",
    ("verify", "1"): "without an incident nothing is counted, and one failure pages nobody",
}
"""Survivors that change nothing that could be noticed: (module, what it reads) → why."""


def main() -> int:
    """Returns 5 where too many mutants survive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--sample", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    ends = time.monotonic() + arguments.minutes * 60
    files = [PACKAGE / f"{module}.py" for module in MODULES]
    tests = [str(TESTS / suite) for suite in SUITES]
    kept = [Known("recovery_mutants", file, tests) for file in files]
    if any(known.reach is None for known in kept):
        found = mutation.reach(files, tests)
        if found is None:
            print("the tests of recovery fail without a mutant: mend them first")
            return 5
        for known, one in zip(kept, found, strict=True):
            known.reaches(one)
    done = left = 0
    survivors: list[dict[str, str]] = []
    for file, known in zip(files, kept, strict=True):
        every = mutation.mutants(file, texts=False)[arguments.first :: arguments.sample]
        fates = mutation.tried(every, tests, known, ends)
        for mutant, killed in fates:
            if not killed:
                where, reads = f"{file.name}:{mutant.line}", " ".join(mutant.reads.split())[:90]
                why = EQUIVALENT.get((file.stem, reads), "")
                survivors.append({"where": where, "reads": reads.replace("|", "/"), "why": why})
                print(f"survives: {where} {reads} {why}", flush=True)
        done += len(fates)
        left += len(every) - len(fates)
    score = 1 - len(survivors) / max(done, 1)
    print(f"{done} mutants, {len(survivors)} survive: {score:.1%} (at least {LEAST:.0%})")
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(json.dumps({"tried": done, "survivors": survivors}))
    if left:
        print(f"not finished: {left} weren't tried; run it again to resume")
    return 0 if score >= LEAST else 5


if __name__ == "__main__":
    sys.exit(main())
