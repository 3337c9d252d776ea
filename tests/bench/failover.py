"""``./inv bench failover``: how long clients wait when us-east-1 dies, in real time (clock 1)."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench import Measurements, deployed_lab
from deployed_lab import Lab
from region_outage import EAST, WEST
from traffic import front_door_of, sent_to, served_by, writing

from lab import client

DECISION_SECONDS = 100
CACHED_SECONDS = 160
ALIAS_TTL_SECONDS = 60
"""Of an alias to a load balancer; fixed by AWS (trap 15)."""
HELD_SECONDS = 150
"""Longer than the primary's check needs to turn green, and a cached answer to expire."""


def main() -> None:
    """Kills us-east-1 and measures; restores it with the switch engaged, then releases that."""
    found = Measurements("failover")
    with deployed_lab() as lab, writing(front_door_of(lab), clients=1):
        # The traffic keeps the front door's cached answer in use, as that of any busy client.
        door = front_door_of(lab)
        wait(lambda: served_by(door) == EAST, 120)
        wait(lambda: sent_to(lab) == EAST and served_by(door) == EAST, 240)
        killed = time.monotonic()
        client.outage(lab.state_dir, EAST)
        wait(lambda: sent_to(lab) == WEST, 300)
        decided = time.monotonic() - killed
        # Who asked just before the decision keeps the old answer longest.
        unlucky = decided + ALIAS_TTL_SECONDS
        wait(lambda: served_by(door) == WEST, 300)
        served = time.monotonic() - killed
        found.add("health decision: DNS answers us-west-2 after", decided, "s", DECISION_SECONDS)
        found.add("a client with a cached answer is served after", served, "s", CACHED_SECONDS)
        found.add("one that cached just before the decision, by TTL", unlucky, "s", CACHED_SECONDS)
        switch(lab, "engaged")
        time.sleep(DECISION_SECONDS)  # the switch's own check turns as slowly as any
        client.restore(lab.state_dir, EAST)
        away = 0
        end = time.monotonic() + HELD_SECONDS
        while time.monotonic() < end:
            away += served_by(door) == EAST
            time.sleep(1)
        found.hold("us-east-1 is back, the switch engaged: traffic stays", away == 0)
        switch(lab, "released")
        released = time.monotonic()
        wait(lambda: served_by(door) == EAST, 300)
        found.add("the switch released: traffic is home after", time.monotonic() - released, "s")
    found.end()


def wait(seen: Callable[[], bool], seconds: float) -> None:
    """Waits until something is seen; ends the benchmark when it never is."""
    end = time.monotonic() + seconds
    while not seen():
        if time.monotonic() > end:
            raise SystemExit(f"not seen within {seconds:g} s")
        time.sleep(0.25)


def switch(lab: Lab, state: str) -> None:
    """Engages or releases the failover switch, in us-west-2."""
    suffix = lab.stack_file.settings.suffix
    lab.client("ssm", WEST).put_parameter(
        Name=f"/warm-standby/{WEST}/{suffix}/local/failover-switch",
        Value=state,
        Type="String",
        Overwrite=True,
    )


if __name__ == "__main__":
    main()
