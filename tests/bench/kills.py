"""``./inv bench kills``: twenty SIGKILLs of the driver, ten a command (deploy-all, destroy-all)."""

from __future__ import annotations

import random

from bench import Measurements, lab_of_its_own, timed
from killing import census, kill_at, left_behind

SEED = 20


def main() -> None:
    """Each kill at another moment; the next run finishes, nothing is orphaned or left running."""
    found = Measurements("kills")
    moments = random.Random(SEED)
    with lab_of_its_own() as lab, lab_of_its_own() as undisturbed:
        timed(undisturbed, "deploy-all")
        expected = census(undisturbed)
        for number in range(10):
            for task in ("deploy-all", "destroy-all"):
                moment = moments.randint(1, 200)
                shown = kill_at(lab, task, moment)
                found.hold(f"{task} killed at step {shown}", left_behind(lab) == [], "no process")
                timed(lab, task)
                if task == "deploy-all":
                    found.hold(
                        f"round {number + 1}: all there, nothing twice", census(lab) == expected
                    )
                else:
                    found.hold(f"round {number + 1}: nothing left", lab.inventory() == [])
    found.end()


if __name__ == "__main__":
    main()
