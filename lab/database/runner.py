"""Who runs the blocking steps of a change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

Change = Callable[[], None]


class Runner(Protocol):
    """Changes the fleet, one step at a time."""

    async def change(self, step: Change) -> None:
        """Run ``step`` off the event loop while nothing else changes the fleet, then reconcile."""
        ...

    def later(self, work: Awaitable[None]) -> None:
        """Do it in the background; ``stop`` waits for it."""
        ...
