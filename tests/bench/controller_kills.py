"""``./inv bench controller_kills [--minutes N]``: twenty promotions with a kill at each step, and a
hundred runs at once.

Each round loses the writer's database; by turns of both regions. The runs that promote are killed
before and after intent, call, record, switch, verify and notice; in the last round a hundred runs
of the same minute overlap. Exactly one call of each round is accepted.

It resumes where it stopped, in a lab of its own each time: which rounds held is kept in the lab's
folder for as long as the code is the same. One that failed is kept for ever, and made again first.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from bench import Measurements, deployed_lab
from controller_rounds import KILLS, Round, by_hand
from deployed_lab import Lab
from kept import Kept, digest
from region_outage import EAST, WEST, writer_region

from ops import workspace
from tapstack.contracts import LAYERS

ROUNDS = 20
AT_ONCE = 100
CLOCK = 12
PROGRAM = ("pulumi_protocol", "lab", "ops", "tapstack", "lambda_src", *LAYERS)


class Record:
    """Which rounds held and failed up to now, by their numbers; number ``ROUNDS`` is the last."""

    def __init__(self, path: Path) -> None:
        self._kept = Kept(path, digest(PROGRAM, (".py", ".mjs", ".sql")))
        self.held: list[int] = self._kept.same_code.get("held", [])
        self.failed: list[int] = self._kept.any_code.get("failed", [])

    @property
    def left(self) -> list[int]:
        """The rounds that are still to be made, those that failed first."""
        others = set(range(ROUNDS + 1)) - set(self.held) - set(self.failed)
        return [*self.failed, *sorted(others)]

    def note(self, number: int, *, good: bool) -> None:
        """Keeps how a round ended."""
        self.held = sorted({*self.held, number} if good else {*self.held} - {number})
        self.failed = sorted({*self.failed} - {number} if good else {*self.failed, number})
        self._kept.write({"held": self.held, "failed": self.failed})


def played(lab: Lab, number: int, found: Measurements) -> bool:
    """Makes one round with the region that reads as its guard; whether it held."""
    guard = EAST if writer_region(lab) == WEST else WEST
    round_ = Round(lab, guard)
    kills, at_once = (KILLS, 1) if number < ROUNDS else ((), AT_ONCE)
    what = f"{number + 1:2} {guard}: {len(kills) or at_once} {'kills' if kills else 'runs at once'}"
    try:
        round_.prepare()
        round_.lose()
        round_.promote(kills, at_once)
        one = round_.answers.count("accepted") == 1 and writer_region(lab) == guard
        round_.give_back()
    except AssertionError as fault:
        found.hold(what, False, str(fault))
        return False
    found.hold(what, one, f"calls: {', '.join(round_.answers)}")
    return one


def play(record: Record, deadline: float, found: Measurements) -> None:
    """One round after the other, mirrored each time, until one fails: what the lab is like then
    would be the next one's fault."""
    with deployed_lab(CLOCK) as lab:
        by_hand(lab)
        for number in record.left:
            if time.monotonic() > deadline:
                return
            good = played(lab, number, found)
            record.note(number, good=good)
            if not good:
                return


def main() -> None:
    """Plays until every round has held, one has failed, or the time is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=float("inf"))
    deadline = time.monotonic() + 60 * parser.parse_args().minutes
    found = Measurements("controller_kills")
    record = Record(workspace.find().lab_state / "bench" / "controller_kills.json")
    if record.left:
        play(record, deadline, found)
    failed = ", ".join(str(number + 1) for number in record.failed)
    held = f"{len(record.held)} of {ROUNDS + 1} rounds held"
    found.hold(held, not record.failed, f"failed: {failed}" if failed else "")
    if record.left:
        print("run it again to resume")
    found.end()


if __name__ == "__main__":
    main()
