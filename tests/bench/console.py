"""``./inv bench console``: how soon the page turns, and what an open page costs in CPU time."""

from __future__ import annotations

import sys
import time

import psutil
from bench import Measurements, deployed_lab
from browser import Console, Page, chromium, missing

from lab import client

TURN_SECONDS = 2.0
OPEN_SECONDS = 60.0
MOST_PERCENT = 5.0
"""Of one core, by the console's process."""
SETTLED_SECONDS = 240.0


def main() -> None:
    """Opens the page, leaves it open for a minute, then takes us-east-1."""
    if needed := missing():
        sys.exit(f"no browser is here: {needed}")
    found = Measurements("console")
    with deployed_lab() as lab, chromium() as driver:
        console, page = Console(lab), Page(driver)
        try:
            page.open(console.start())
            page.wait(lambda: "200 healthy" in page.text("us-east-1"), SETTLED_SECONDS)
            page.wait(lambda: "not asked yet" not in page.whole(), SETTLED_SECONDS)
            assert console.process is not None
            found.add("CPU of an open page", busy(console.process.pid), "%", MOST_PERCENT)
            client.outage(lab.state_dir, "us-east-1")
            turned = page.wait(lambda: "has lost api" in page.text("us-east-1"))
            found.add("the page turns after the lab's own state", turned, "s", TURN_SECONDS)
        finally:
            console.stop()
    found.end()


def busy(pid: int) -> float:
    """Per cent of a core that a process takes while the page is open."""
    process = psutil.Process(pid)
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(OPEN_SECONDS)
    return 100 * (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)


if __name__ == "__main__":
    main()
