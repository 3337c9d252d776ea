"""Notices at the changes of stage that no other notice speaks of. Pure.

A suspicion and its end are no message: a failover within the other region begins and ends so within
a minute (H4). What lasts has notices of its own (``watching``, ``promotion``, ``aftermath``).
"""

from __future__ import annotations

from recovery.model import Stage, State
from recovery.notices import inform, page

QUIET = frozenset({Stage.WATCHING, Stage.SUSPECT})


def noted(before: State, after: State, minute: int) -> State:
    """Returns the state with the notice of its new stage pending."""
    if before.stage is after.stage:
        return after
    if after.stage is Stage.INTENT and after.intent is not None:
        lost = after.intent.loss_bound_seconds
        loss = "an unknown amount" if lost < 0 else f"at most {lost} s"
        text = f"the other region is lost: promoting this region's database, {loss} of writes lost"
        return page(after, minute, "promoting", text)
    # The end of what nobody heard of, as in a new environment, is no notice either.
    if after.stage is Stage.WATCHING and before.stage not in QUIET and before.raised:
        return inform(after, minute, "watching", f"no longer {before.stage.value}: watching")
    if after.stage is Stage.REBUILDING:
        text = "the other region isn't a connected member yet"
        return inform(after, minute, "rebuilding", text)
    if after.stage is Stage.READY:
        return inform(after, minute, "ready", "the other region is a connected member again")
    return after
