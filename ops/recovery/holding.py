"""Deployments announce themselves to the controllers, which hold the database-only path (H16)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ops.errors import ExitCode, OperatorError
from ops.recovery.items import Items, minute_of
from recovery import commands

REASON = "a deployment"
MINUTES = 15
"""So long a deployment that was killed keeps its hold; the first hour ends every one (H30)."""
RENEWED_SECONDS = 300.0

Report = Callable[[str], None]


@contextmanager
def held(items: Items, report: Report, seconds: float = RENEWED_SECONDS) -> Iterator[None]:
    """Holds while the body runs, where there is a recovery table.

    A table that doesn't answer is a line and stops no deployment; one that isn't there yet is none.
    """
    taken = _tried(lambda: _take(items), report)
    over = threading.Event()

    def renew() -> None:
        while not over.wait(seconds):
            _tried(lambda: _take(items), report)

    renewing = threading.Thread(target=renew, name="hold", daemon=True)
    if taken:
        renewing.start()
    try:
        yield
    finally:
        over.set()
        if taken:
            renewing.join()
            _tried(lambda: _release(items), report)


def _take(items: Items) -> None:
    minute = minute_of(items.read())
    items.change(lambda state: commands.announce(state, minute, MINUTES, REASON))


def _release(items: Items) -> None:
    items.change(lambda state: commands.withdraw(state, REASON))


def _tried(order: Callable[[], None], report: Report) -> bool:
    """Whether it was carried out; nothing is said where there is no table yet."""
    try:
        order()
    except OperatorError as fault:
        if fault.code is not ExitCode.BAD_INPUT:
            report(f"the recovery controllers don't know of this deployment: {fault}")
        return False
    return True
