"""Who runs the blocking steps of a change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

Change = Callable[[], None]


class Runner(Protocol):
    """Changes the fleet, one step at a time."""

    async def change(self, step: Change) -> None:
        """Runs ``step`` off the event loop, with no other change of the fleet, then reconciles."""
        ...

    async def blocking(self, step: Callable[[], Any]) -> Any:
        """Runs ``step`` off the event loop."""
        ...

    def later(self, work: Awaitable[None]) -> None:
        """Does it in the background; ``stop`` cancels it, after a change that it has begun."""
        ...
