"""``./inv bench sequences [--minutes N]``: random deploys, edits, kills, refreshes, destroys.

It resumes where it stopped: how many seeds were played is kept in the lab's folder, for as long as
the engine is the same. What failed is kept for ever, and played again first, until it converges.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "unit" / "lab" / "engine"))

from bench import Measurements  # noqa: E402
from drawn_sequences import Draw, Driver, play, report, smallest  # noqa: E402
from kept import Kept, digest  # noqa: E402

from ops import workspace  # noqa: E402

ENOUGH = 400
DRIVERS = 2
SHRINKING_SECONDS = 120.0


class Record:
    """What was played up to now, in a file of the lab's; thread-safe."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._kept = Kept(path, digest(("pulumi_protocol", "lab/engine")))
        self.failed: list[int] = self._kept.any_code.get("failed", [])
        self._again = list(self.failed)
        self._next: int = self._kept.same_code.get("next", 0)
        self.converged: int = self._kept.same_code.get("converged", 0)

    def draw(self) -> int:
        """The next seed to play."""
        with self._lock:
            if self._again:
                return self._again.pop(0)
            self._next += 1
            return self._next - 1

    def note(self, seed: int, *, good: bool) -> None:
        """Keeps the outcome."""
        with self._lock:
            self.failed = sorted({*self.failed, seed} - ({seed} if good else set()))
            self.converged += good
            self._kept.write(
                {"next": self._next, "converged": self.converged, "failed": self.failed}
            )


def _play(record: Record, deadline: float) -> None:
    driver = Driver()
    try:
        while time.monotonic() < deadline and record.converged + len(record.failed) < ENOUGH:
            seed = record.draw()
            actions = Draw(seed).sequence()
            wrong = play(driver, actions)
            record.note(seed, good=not wrong)
            if wrong:
                actions = smallest(driver, actions, SHRINKING_SECONDS)
                print(report(seed, actions, play(driver, actions) or wrong), flush=True)
    finally:
        driver.close()


def main() -> None:
    """Plays until enough have converged, or the time is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=float("inf"))
    deadline = time.monotonic() + 60 * parser.parse_args().minutes
    found = Measurements("sequences")
    record = Record(workspace.find().lab_state / "bench" / "sequences.json")
    threads = [threading.Thread(target=_play, args=(record, deadline)) for _ in range(DRIVERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.hold(
        f"{record.converged} of {ENOUGH} sequences converged",
        not record.failed,
        f"stuck: seeds {record.failed}" if record.failed else "",
    )
    if record.converged < ENOUGH and not record.failed:
        print("run it again to resume")
    found.end()


if __name__ == "__main__":
    main()
