"""``./inv bench recovery``: us-east-1 is lost under load, AWS takes 480 s to promote, and nobody
touches anything.

At clock 1 (``--clock`` for a look at less): seconds until clients write again, beside the budget,
and what the promotion lost, beside the bound that the controller gave. It takes a quarter of an
hour and what the first validation takes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from bench import Measurements, deployed_lab
from deployed_lab import Lab
from recovery_state import Controller
from region_outage import EAST, WEST, writer_region
from traffic import Load, front_door_of, records, writing

from lab import client
from recovery.model import State

PROMOTION_SECONDS = 480
BUDGET_SECONDS = 900
"""840 s and one lost run (recovery.md 3)."""
READY_CLOCK = 5.0
"""Until the standby is ready nothing is measured."""
REAL_SECONDS = 900.0
STEADY_SECONDS = 30.0
IN_FLIGHT_SECONDS = 1.0
"""What was asked before the loss may still be answered."""


def wait(what: str, seen: Callable[[], bool], seconds: float) -> None:
    """Waits until something is seen; ends the benchmark when it never is."""
    end = time.monotonic() + seconds
    while not seen():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not seen within {seconds:g} s")
        time.sleep(0.25)


def is_ready(state: State) -> bool:
    """Whether the standby's controller may promote."""
    return state.armed and state.validation is not None and state.validation.ready


def measure(found: Measurements, lab: Lab, load: Load, clock: float) -> None:
    """One loss."""
    west = Controller(lab, WEST)
    time.sleep(STEADY_SECONDS / clock)
    killed = time.monotonic()
    client.outage(lab.state_dir, EAST)
    silent = time.monotonic() + IN_FLIGHT_SECONDS
    patience = 2 * BUDGET_SECONDS / clock
    wait("clients write again", lambda: load.written_since(silent) > 0, patience)
    writes = (min(at for at in load.acknowledged.values() if at > silent) - killed) * clock
    found.add("clients write again after", writes, "s", BUDGET_SECONDS)
    answers = [made["answer"] for made in west.outcomes("CallFailover")]
    good = writer_region(lab) == WEST and answers == ["accepted"]
    found.hold("us-west-2 writes, by one accepted call", good, ", ".join(answers))
    incident = west.state.incident
    bound = incident.loss_bound_seconds if incident else -1
    before = load.before(killed)
    kept = records(lab, "secondary")
    lost = [at for record, at in before.items() if record not in kept]
    seconds = (killed - min(lost, default=killed)) * clock
    found.add(f"of {len(before)} records {len(lost)} are lost, the oldest of", seconds, "s", bound)


def main() -> None:
    """Deploys, waits until the standby is ready, and loses us-east-1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clock", type=float, default=1.0)
    clock = parser.parse_args().clock
    found = Measurements("recovery")
    with deployed_lab(READY_CLOCK) as lab:
        west = Controller(lab, WEST)
        wait("the standby is ready", lambda: is_ready(west.state), REAL_SECONDS)
        client.set_clock(lab.state_dir, clock)
        client.fault(lab.state_dir, "promotion-delay", str(PROMOTION_SECONDS))
        print(f"clock {clock:g}; AWS takes {PROMOTION_SECONDS} s to promote")
        with writing(front_door_of(lab)) as load:
            wait("clients write", lambda: len(load.acknowledged) > 0, REAL_SECONDS)
            measure(found, lab, load, clock)
    found.end()


if __name__ == "__main__":
    main()
