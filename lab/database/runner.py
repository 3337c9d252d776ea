"""Who runs the blocking steps of a change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

Change = Callable[[], None]


class Runner(Protocol):
    """Changes the fleet, one step at a time."""

    async def change(self, step: Change) -> None:
        """Run ``step`` off the event loop while nothing else changes the fleet, then reconcile."""
        ...

    async def blocking(self, step: Callable[[], Any]) -> Any:
        """Run ``step`` off the event loop."""
        ...

    def later(self, work: Awaitable[None]) -> None:
        """Do it in the background; ``stop`` cancels it, after a change that it has begun."""
        ...
