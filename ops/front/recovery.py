"""``recovery.*``: what automatic recovery sees and may do, and what people order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.collection import Collection
from invoke.context import Context

from ops.front.command import command

if TYPE_CHECKING:
    from ops.recovery.items import Items

REASON = "Why; it is shown, notified and kept"


def _items(stack: str, guarded: str = "") -> Items:
    """The stack's items; in production two people agree first on what lifts a guard."""
    from ops import session
    from ops.recovery import two_people
    from ops.recovery.items import Items

    _, file, clients = session.looking_at(stack)
    if guarded:
        two_people.agreed(clients, file, guarded)
    return Items.of(clients, file)


@command()
def status(_c: Context, stack: str = "lab", json: bool = False) -> None:
    """Show what recovery sees, may do and last decided, and why it may do no more."""
    from ops import session
    from ops.recovery import standing

    standing.show(*session.looking_at(stack), json)


@command(reason=REASON)
def freeze(_c: Context, reason: str, stack: str = "lab", json: bool = False) -> None:
    """Stop all automatic recovery for a day."""
    from ops.recovery import orders

    orders.freeze(_items(stack), reason, json)


@command()
def thaw(_c: Context, stack: str = "lab", json: bool = False) -> None:
    """End a freeze."""
    from ops.recovery import orders

    orders.thaw(_items(stack, "recovery.thaw"), json)


@command(minutes="1 to 60", reason=REASON)
def hold(
    _c: Context, reason: str, minutes: int = 30, stack: str = "lab", json: bool = False
) -> None:
    """Announce work on the database: only a lost region is recovered meanwhile."""
    from ops.recovery import orders

    orders.hold(_items(stack), minutes, reason, json)


@command()
def acknowledge(_c: Context, stack: str = "lab", json: bool = False) -> None:
    """Let the controllers guard again after a promotion that people have looked at."""
    from ops.recovery import orders

    orders.acknowledge(_items(stack, "recovery.acknowledge"), json)


@command(
    planned="Switch over without loss while both regions live",
    force="Promote in spite of doubts; wants --reason",
    reason=REASON,
)
def failover(
    _c: Context,
    stack: str = "lab",
    yes: bool = False,
    planned: bool = False,
    force: bool = False,
    reason: str = "",
    json: bool = False,
) -> None:
    """Promote the region that reads, and prove that it writes."""
    from ops import session
    from ops.recovery import asking

    asking.fail_over(
        session.acting_on(stack),
        planned=planned, force=force, reason=reason, yes=yes, as_json=json,
    )  # fmt: skip


@command()
def failback(_c: Context, stack: str = "lab", yes: bool = False, json: bool = False) -> None:
    """Return writer and traffic to the primary region, without loss."""
    from ops import session
    from ops.recovery import asking

    asking.fail_back(session.acting_on(stack), yes=yes, as_json=json)


@command(
    replay="Write what was lost into the present database",
    accept="Why the loss is accepted; it is kept",
)
def reconcile(
    _c: Context, stack: str = "lab", replay: bool = False, accept: str = "", json: bool = False
) -> None:
    """List what the old writer acknowledged and never replicated; replay it or accept its loss."""
    from ops import session
    from ops.recovery import asking

    asking.reconcile(session.acting_on(stack), replay=replay, accept=accept, as_json=json)


TASKS = (failover, failback)
RECOVERY = Collection("recovery", status, freeze, thaw, hold, acknowledge, reconcile)
