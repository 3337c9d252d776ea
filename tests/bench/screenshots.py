"""``./inv bench screenshots``: the console's pictures in docs/, taken of a lab as it fails over."""

from __future__ import annotations

import sys
import time

from bench import deployed_lab
from browser import Console, Page, chromium, missing
from deployed_lab import REPOSITORY, Lab

from lab import client

PICTURES = REPOSITORY / "docs" / "pictures"
WIDE, NARROW = (1400, 1150), (390, 1150)
"""Pixels of the page's upper part: what is asked of it first."""
FAST = 5.0
"""The lab's clock: a failover within half a minute."""


def main() -> None:
    """Takes both regions well, then us-east-1 lost; light and dark, wide and narrow."""
    if needed := missing():
        sys.exit(f"Chromium isn't here: {needed}")
    PICTURES.mkdir(exist_ok=True)
    with deployed_lab() as lab, chromium() as driver:
        console, page = Console(lab), Page(driver)
        try:
            page.open(console.start())
            settle(page)
            page.pictures(PICTURES, "console", {"wide": WIDE})
            lose(lab, page)
            page.pictures(PICTURES, "console-outage", {"wide": WIDE, "narrow": NARROW})
        finally:
            console.stop()


def settle(page: Page) -> None:
    """Waits until everything was asked once and the controller watches."""
    page.wait(lambda: "not asked yet" not in page.whole(), 120)
    page.wait(lambda: "the other region lives" in page.text("recovery"), 240)
    page.wait(lambda: "Writes succeed" in page.text("head").replace("\n", " "), 240)
    page.wait(lambda: "us-east-1" in page.text("traffic"), 240)
    time.sleep(10)


def lose(lab: Lab, page: Page) -> None:
    """Takes us-east-1 and waits until DNS answers us-west-2."""
    client.set_clock(lab.state_dir, FAST)
    client.outage(lab.state_dir, "us-east-1")
    page.wait(lambda: "us-west-2" in page.text("traffic").partition("Failover")[0], 240)
    time.sleep(2)


if __name__ == "__main__":
    main()
