"""``./inv bench recovery_timelines``: a million seeded random timelines without harm.

Each seed makes a loss, up to five faults at any moments and a mode, and plays them with the real
controllers of both regions. Stops after ``--minutes`` (10) and continues where it stopped; one
harmful seed fails it, and is named: ``random_timelines.again(SEED)`` plays it with a log.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(REPOSITORY / "lambda_src" / "recovery"),
    str(REPOSITORY / "tests" / "unit" / "lambda_src" / "recovery"),
]

from kept import Kept  # noqa: E402
from simulator.known import Known  # noqa: E402
from simulator.random_timelines import harms  # noqa: E402
from simulator.sources import digest  # noqa: E402
from simulator.speed import quick  # noqa: E402

from ops import workspace  # noqa: E402

PROCESSES, BLOCK = 2, 500
KNOWN = Known()


def play_block(first: int) -> list[tuple[int, list[str]]]:
    """The harmful seeds of one block."""
    with quick(KNOWN):
        played = ((seed, harms(seed)) for seed in range(first, first + BLOCK))
        return [(seed, found) for seed, found in played if found]


def main() -> int:
    """Returns 5 where a timeline does harm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--count", type=int, default=1_000_000)
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.minutes * 60
    kept = Kept(workspace.find().lab_state / "bench" / "recovery_timelines.json", digest())
    done: int = kept.same_code.get("done", 0)
    harmful: list[tuple[int, list[str]]] = kept.same_code.get("harmful", [])
    # As in ``certificate``: nothing is cyclic.
    with ProcessPoolExecutor(PROCESSES, initializer=gc.disable) as pool:
        while done < arguments.count and time.monotonic() < end:
            for found in pool.map(play_block, [done + n * BLOCK for n in range(2 * PROCESSES)]):
                harmful += found
                done += BLOCK
            kept.write({"done": done, "harmful": harmful})
    for seed, said in harmful:
        print(f"seed {seed}: {'; '.join(said)}")
    print(f"{done} timelines, {len(harmful)} harmful")
    if done < arguments.count:
        print("not finished: ./inv bench recovery_timelines continues here")
    return 5 if harmful else 0


if __name__ == "__main__":
    sys.exit(main())
