"""Server-sent events: everything at first, then what changed, and a beat in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

BEAT_SECONDS = 2.0
"""Longest silence: a page that hears nothing for three of them has lost its connection."""


@dataclass
class Feed:
    """The fragments as they stand, and who follows them."""

    instance: str
    """Says to a page that found its console again whether it is the same one."""
    fragments: dict[str, str] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _number: int = 0
    _published: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: bool = False

    def publish(self, changed: Mapping[str, str]) -> None:
        """Sends fragments to who follows."""
        if not changed:
            return
        self._number += 1
        for name, html in changed.items():
            self.fragments[name] = html
            self._numbers[name] = self._number
        self._ring()

    def end(self) -> None:
        """Ends all streams."""
        self._ended = True
        self._ring()

    async def follow(self) -> AsyncIterator[str]:
        """The stream of one page."""
        seen = self._number
        yield "retry: 1000\n\n" + event(
            "hello", {"instance": self.instance, "fragments": self.fragments}
        )
        while not self._ended:
            published = self._published
            try:
                await asyncio.wait_for(published.wait(), BEAT_SECONDS)
            except TimeoutError:
                yield event("beat", {})
                continue
            changed = {
                name: self.fragments[name]
                for name, number in self._numbers.items()
                if number > seen
            }
            seen = self._number
            if changed:
                yield event("page", {"fragments": changed})

    def _ring(self) -> None:
        published, self._published = self._published, asyncio.Event()
        published.set()


def event(name: str, value: Mapping[str, object]) -> str:
    """One event; JSON has no line break of its own."""
    return f"event: {name}\ndata: {json.dumps(value)}\n\n"
