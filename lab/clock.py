"""The lab's clock: waits written in the lab's seconds, which may pass faster than real ones."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pulumi_protocol.files import write_atomically

NAME = "clock.json"

# A wait is cut into slices of at most this many real seconds, so that a change of factor is
# noticed by those that already wait.
LONGEST_SLICE = 0.25


class Clock:
    """Lab time starts at the real time and advances ``factor`` seconds for each real second.

    1 is real time's speed. The factor may change at any moment; lab time never jumps.
    ``resume_at``: a lab time that has been reached, by a lab that ran before.
    """

    def __init__(
        self,
        factor: float = 1.0,
        real: Callable[[], float] = time.time,
        resume_at: float = 0.0,
    ) -> None:
        self._real = real
        self._factor = _checked(factor)
        self._origin_real = real()
        self._origin_lab = max(self._origin_real, resume_at)

    @property
    def factor(self) -> float:
        """Lab seconds that pass in one real second."""
        return self._factor

    @factor.setter
    def factor(self, factor: float) -> None:
        factor = _checked(factor)
        self._origin_lab, self._origin_real = self.now(), self._real()
        self._factor = factor

    def now(self) -> float:
        """Lab time, in seconds since the epoch."""
        return self._origin_lab + (self._real() - self._origin_real) * self._factor

    def utc_now(self) -> datetime:
        """Lab time as an aware UTC datetime."""
        return datetime.fromtimestamp(self.now(), UTC)

    def real_seconds(self, lab_seconds: float) -> float:
        """How long ``lab_seconds`` take in real seconds, at the present factor."""
        return lab_seconds / self._factor

    async def sleep(self, lab_seconds: float) -> None:
        """Waits until ``lab_seconds`` of lab time have passed."""
        await self.sleep_until(self.now() + lab_seconds)

    async def sleep_until(self, lab_time: float) -> None:
        """Waits until lab time reaches ``lab_time`` (seconds since the epoch)."""
        while (left := lab_time - self.now()) > 0:
            await asyncio.sleep(min(self.real_seconds(left), LONGEST_SLICE))


def kept(state_dir: Path) -> float:
    """The lab time that labs of ``state_dir`` have reached; 0 for a new one."""
    try:
        return float(json.loads((state_dir / NAME).read_text())["reached"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0.0


def keep(state_dir: Path, clock: Clock, real_seconds: float = 0.0) -> None:
    """Writes down the lab time that will be reached within ``real_seconds``, as far as it runs
    ahead of real time by then: after a kill lab time doesn't go back."""
    ahead = max(0.0, real_seconds * (clock.factor - 1))
    write_atomically(state_dir / NAME, json.dumps({"reached": clock.now() + ahead}))


def _checked(factor: float) -> float:
    if not 0 < factor <= 1000:
        raise ValueError(f"the lab's clock factor must be above 0 and at most 1000, got {factor:g}")
    return float(factor)
