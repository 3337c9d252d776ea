"""A server collects what its requests leave behind."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, weakref
from lab.collecting import LONG_LIVED, collect_rarely

class Left: pass

collect_rarely(LONG_LIVED)
alive, most = weakref.WeakSet(), 0
for number in range(300_000):
    left = Left()
    left.itself = left
    if number < 20_000:
        alive.add(left)
    most = max(most, gc.get_count()[0])
print(most <= 10_000, len(alive))
"""


def test_garbage_of_requests_is_collected_soon() -> None:
    """Garbage in circles, as each request leaves some, doesn't pile up: the soak's memory
    grew by a seventh while the older generations were never looked at."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout.split() == ["True", "0"]
