"""``./inv bench controller_kills``: twenty promotions with a kill at each step, and a hundred runs
at once.

Each round loses the writer's database; by turns of both regions. The runs that promote are killed
before and after intent, call, record, switch, verify and notice; in the last round a hundred runs
of the same minute overlap. Exactly one call of each round is accepted.
"""

from __future__ import annotations

from bench import Measurements, deployed_lab
from controller_rounds import KILLS, Round, by_hand
from region_outage import EAST, WEST, writer_region

ROUNDS = 20
AT_ONCE = 100
CLOCK = 12


def main() -> None:
    """One round after the other, mirrored each time."""
    found = Measurements("controller_kills")
    guards = (WEST, EAST)
    with deployed_lab(CLOCK) as lab:
        by_hand(lab)
        for number in range(ROUNDS + 1):
            round_ = Round(lab, guards[number % 2])
            round_.prepare()
            round_.lose()
            if number < ROUNDS:
                round_.promote(KILLS)
                what = f"{number + 1:2} {round_.guard}: {len(round_.killed)} kills"
            else:
                round_.promote(at_once=AT_ONCE)
                what = f"{round_.guard}: {AT_ONCE} runs at once"
            one = round_.answers.count("accepted") == 1 and writer_region(lab) == round_.guard
            found.hold(what, one, f"calls: {', '.join(round_.answers)}")
            round_.give_back()
    found.end()


if __name__ == "__main__":
    main()
