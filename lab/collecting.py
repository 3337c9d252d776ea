"""Python's collection of garbage, in processes that hold many long-lived objects."""

import gc

THRESHOLDS = (100_000, 20, 50)
"""New objects before a collection of the young ones, and how many of those before one of the older
generations: Python's own are 700, 10 and 10."""


def collect_rarely() -> None:
    """Leaves out what is there now (modules, AWS's service models), and looks less often for more.

    Python's own thresholds go over types that stay again and again.
    """
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
