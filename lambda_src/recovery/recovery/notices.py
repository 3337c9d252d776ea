"""Notices to people: stored before they are sent, so that a killed run loses none.

A notice is raised again only when its repeat time is over, or in another incident; sending is at
least once.
"""

from __future__ import annotations

from dataclasses import replace

from recovery.model import Notice, Sent, State

REPEAT_MINUTES = 60
REPEATS = {"unprotected": 24 * 60, "acknowledge": 24 * 60, "frozen": 4 * 60}
KEPT_MINUTES = 24 * 60


def page(state: State, minute: int, key: str, text: str) -> State:
    """Returns the state with a page pending, unless the same one was raised a short time ago."""
    return _raised(state, minute, Notice(key, text, page=True))


def inform(state: State, minute: int, key: str, text: str) -> State:
    """Returns the state with a notice pending that wakes nobody."""
    return _raised(state, minute, Notice(key, text, page=False))


def sent(state: State, notice: Notice) -> State:
    """Returns the state without a notice that was delivered."""
    return replace(state, pending=tuple(other for other in state.pending if other != notice))


def unsaid(state: State) -> State:
    """Returns the state of which nothing was said yet: its incident is over, and the next one is
    paged from its first page on, however soon it comes."""
    return replace(state, raised=())


def _raised(state: State, minute: int, notice: Notice) -> State:
    repeat = REPEATS.get(notice.key.partition(":")[0], REPEAT_MINUTES)
    last = max((old.minute for old in state.raised if old.key == notice.key), default=None)
    if last is not None and minute - last < repeat:
        return state
    kept = tuple(
        old for old in state.raised if old.key != notice.key and minute - old.minute < KEPT_MINUTES
    )
    return replace(
        state, pending=(*state.pending, notice), raised=(*kept, Sent(notice.key, minute))
    )
