"""Whether, and how late, bytes pass between two regions; a region with itself is its database's
own link."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

Delay = Callable[[str, str], float]
"""(one region, other region) → real seconds that bytes take one way, now"""


class Links:
    """Whether bytes pass now. Where they don't, connections that are open stay open and silent, as
    TCP's do."""

    def __init__(self, delay: Delay = lambda _one, _other: 0.0) -> None:
        self.delay = delay
        self._open: dict[frozenset[str], asyncio.Event] = {}

    def set(self, one: str, other: str, is_open: bool) -> None:
        """Opens or cuts a link."""
        event = self._event(one, other)
        if is_open:
            event.set()
        else:
            event.clear()

    async def passes(self, source: str, region: str) -> None:
        """Returns when bytes between a client in ``source`` and the database of ``region`` have
        passed."""
        if delay := self.delay(source, region):
            await asyncio.sleep(delay)
        for one, other in ((source, region), (region, region)):
            await self._event(one, other).wait()

    def _event(self, one: str, other: str) -> asyncio.Event:
        pair = frozenset({one, other})
        if pair not in self._open:
            self._open[pair] = asyncio.Event()
            self._open[pair].set()
        return self._open[pair]
