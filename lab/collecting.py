"""Python's collection of garbage, in processes that hold many long-lived objects."""

import gc

SHORT_LIVED = (100_000, 20, 50)
"""New objects before a collection of the young ones, and how many of those before one of the older
generations: Python's own are 700, 10 and 10. For a process that ends with its work."""
LONG_LIVED = (10_000, 10, 10)
"""For a server: what its requests leave behind is soon collected, of all generations."""


def collect_rarely(thresholds: tuple[int, int, int] = SHORT_LIVED) -> None:
    """Leaves out what is there now (modules, AWS's service models), and looks less often for more.

    Python's own thresholds go over types that stay again and again.
    """
    gc.freeze()
    gc.set_threshold(*thresholds)
