"""Python's collection of garbage, in processes that hold many long-lived objects."""

import asyncio
import gc

THRESHOLDS = (100_000, 20, 50)
"""New objects before a collection of the young ones, and how many of those before one of the older
generations: Python's own are 700, 10 and 10."""
EVERY_SECONDS = 30.0


def collect_rarely() -> None:
    """Leaves out what is there now (modules, AWS's service models), and looks less often for more.

    Python's own thresholds go over types that stay again and again.
    """
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


async def collect_regularly(seconds: float = EVERY_SECONDS) -> None:
    """Collects all generations again and again, beside ``collect_rarely``: what a server's requests
    leave behind in circles comes to no threshold in hours, and to tens of megabytes."""
    while True:
        await asyncio.sleep(seconds)
        gc.collect()
