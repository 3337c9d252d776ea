"""Starts the lab's parts, asks each for its health every second, and restarts those that fail."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from lab.context import LabContext
from lab.outage import REGIONS
from lab.part import Health, Part

logger = logging.getLogger("lab")

WATCH_SECONDS = 1.0
HEALTH_TIMEOUT_SECONDS = 5.0
START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 30.0
"""A part that fails again and again is restarted after 1, 2, 4 … seconds, up to this."""


@dataclass
class Watched:
    """A part and what was seen of it."""

    part: Part
    health: Health = Health(False, "starting")
    restarts: int = 0
    last_failure: str = ""
    not_before: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """One call of the part at a time, in the order asked for: a restore that overtakes the start's
    own notice of the outage would leave the part lost in a region that is back."""

    def as_dict(self) -> dict[str, object]:
        """For the status: health, and the last failure where there was one."""
        detail = self.health.detail
        if self.restarts:
            times = "once" if self.restarts == 1 else f"{self.restarts} times"
            detail = f"{detail}; restarted {times}, last for: {self.last_failure}".lstrip("; ")
        return {"healthy": self.health.healthy, "detail": detail, "restarts": self.restarts}


class Supervisor:
    """The lab's parts, alive."""

    def __init__(self, lab: LabContext, parts: list[Part]) -> None:
        self.lab = lab
        self.watched = {part.name: Watched(part) for part in parts}
        self.ready = False
        """Every part was started once."""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts all parts, then watches them. A part that doesn't start is tried again."""
        for watched in self.watched.values():
            await self._start(watched)
        self.ready = True
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stops watching, then stops all parts in reverse order."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for watched in reversed(self.watched.values()):
            await self._stop(watched)

    async def outage(self, region: str) -> None:
        """Notifies every part of what ``region`` has lost now."""
        kinds = self.lab.outages.lost(region)
        await self._notify(lambda part: part.outage(region, kinds))

    async def restore(self, region: str) -> None:
        """Notifies every part that ``region`` has everything again."""
        await self._notify(lambda part: part.restore(region))

    async def faults(self) -> None:
        """Notifies every part that faults were turned on or off."""
        await self._notify(lambda part: part.faults())

    async def _notify(self, call: Callable[[Part], Awaitable[None]]) -> None:
        await asyncio.gather(*(self._notify_one(entry, call) for entry in self.watched.values()))

    async def _notify_one(self, watched: Watched, call: Callable[[Part], Awaitable[None]]) -> None:
        async with watched.turn:
            try:
                await call(watched.part)
            except Exception as error:
                watched.health = Health(False, _line(error))
                logger.exception("part %s: %s", watched.part.name, _line(error))
            else:
                # The status that answers the command shows what it did.
                await self._examine(watched)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            await asyncio.gather(*(self._look_after(entry) for entry in self.watched.values()))

    async def _examine(self, watched: Watched) -> None:
        try:
            watched.health = await asyncio.wait_for(watched.part.health(), HEALTH_TIMEOUT_SECONDS)
        except Exception as error:
            watched.health = Health(False, _line(error))

    async def _look_after(self, watched: Watched) -> None:
        async with watched.turn:
            await self._examine_and_mend(watched)

    async def _examine_and_mend(self, watched: Watched) -> None:
        await self._examine(watched)
        if watched.health.healthy or time.monotonic() < watched.not_before:
            return
        watched.restarts += 1
        watched.last_failure = watched.health.detail
        watched.not_before = time.monotonic() + min(2**watched.restarts, LONGEST_PAUSE_SECONDS)
        logger.warning("part %s: %s; restarting it", watched.part.name, watched.health.detail)
        await self._stop(watched)
        await self._start(watched)

    async def _start(self, watched: Watched) -> None:
        try:
            await asyncio.wait_for(watched.part.start(), START_TIMEOUT_SECONDS)
            for region in REGIONS:
                if kinds := self.lab.outages.lost(region):
                    await watched.part.outage(region, kinds)
            watched.health = Health(True, "started")
        except Exception as error:
            logger.exception("part %s did not start", watched.part.name)
            watched.health = Health(False, f"did not start: {_line(error)}")

    async def _stop(self, watched: Watched) -> None:
        try:
            await asyncio.wait_for(watched.part.stop(), STOP_TIMEOUT_SECONDS)
        except Exception:
            logger.exception("part %s did not stop cleanly", watched.part.name)


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
