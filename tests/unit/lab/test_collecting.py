"""A server collects what its requests leave behind."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from lab.collecting import collect_rarely, collect_regularly


class Left:
    """What a request leaves behind, in a circle."""

    def __init__(self) -> None:
        self.itself = self


def test_garbage_of_requests_is_collected_regularly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage in circles, of any generation, doesn't pile up: the soak's memory grew by a seventh
    while the older ones weren't looked at."""
    monkeypatch.setattr(gc, "freeze", lambda: None)
    before = gc.get_threshold()
    collect_rarely()
    left = weakref.ref(Left())
    old = weakref.ref(kept := Left())
    gc.collect()
    del kept

    async def wait() -> None:
        collecting = asyncio.create_task(collect_regularly(0.01))
        async with asyncio.timeout(20):
            while left() or old():
                await asyncio.sleep(0.01)
        assert not collecting.done()
        collecting.cancel()

    try:
        asyncio.run(wait())
    finally:
        gc.set_threshold(*before)
