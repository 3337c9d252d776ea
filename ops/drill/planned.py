"""The planned change of the writer under load, by the command that people use."""

from __future__ import annotations

import time
from collections.abc import Callable

from ops.drill.inject import Begun
from ops.errors import OperatorError
from ops.recovery import switchover
from ops.recovery.place import World

LONGEST_SECONDS = 300.0
"""Real seconds for which a refused change is asked for again."""
PAUSE_SECONDS = 2.0


def move(
    world: World,
    region: str,
    begun: Begun,
    pause: Callable[[float], None],
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Makes ``region`` the writer, and calls ``begun`` once nothing refuses it any more.

    Under load a lag of more than a second comes and goes, so what was refused before anything was
    touched is asked for again. Raises ``OperatorError`` with the last refusal, or with what went
    wrong after it began.
    """
    end, started = now() + LONGEST_SECONDS, False

    def confirm(_region: str) -> bool:
        nonlocal started
        started = True
        begun()
        return True

    while True:
        try:
            switchover.run(world, region, confirm=confirm)
        except OperatorError:
            if started or now() > end:
                raise
            pause(PAUSE_SECONDS)
        else:
            return
