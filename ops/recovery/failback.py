"""``./inv failback``: writer and traffic return to the primary region, and nothing is lost."""

from __future__ import annotations

from ops.recovery import switchover
from ops.recovery.place import World
from ops.recovery.switchover import Confirm, Report, Returned


def run(
    world: World,
    *,
    confirm: Confirm = lambda _word: True,
    report: Report = lambda _line: None,
) -> Returned:
    """Returns the writer to the primary region; see ``switchover.run``."""
    return switchover.run(world, world.clients.regions[0], confirm=confirm, report=report)
