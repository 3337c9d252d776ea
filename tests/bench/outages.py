"""``./inv bench outages``: fifty outages at random moments under load, the lab's clock at 20."""

from __future__ import annotations

import random
import time

from bench import Measurements, deployed_lab
from region_outage import EAST, WEST, Outage, endure, leave_to_people
from traffic import front_door_of, writing

ROUNDS = 50
SEED = 7
CLOCK = 20
PARTS = (None, "api", "compute", "database", "peering", "replication")


def main() -> None:
    """Region, part and moment are drawn with a fixed seed; us-east-1 twice as often."""
    found = Measurements("outages")
    chance = random.Random(SEED)
    print(f"clock {CLOCK}: the lab's seconds pass {CLOCK} times as fast; figures are real seconds")
    with deployed_lab(CLOCK) as lab, writing(front_door_of(lab)) as load:
        leave_to_people(lab)
        for number in range(ROUNDS):
            outage = Outage(chance.choice((EAST, EAST, WEST)), chance.choice(PARTS))
            time.sleep(chance.uniform(0.5, 3.0))
            report = endure(lab, load, outage)
            found.hold(
                f"{number + 1:2} {outage.region} {outage.part or 'all of it'}",
                report.in_sync and report.unexcused == 0,
                f"writes again after {report.writes_again:.1f} s, {report.lost} rows lost "
                f"(lag at the kill {report.lag_ms:.0f} ms)",
            )
        print(f"{len(load.acknowledged)} records acknowledged, {load.refused} requests refused")
    found.end()


if __name__ == "__main__":
    main()
