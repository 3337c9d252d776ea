"""What the lab's process runs: parts, each started, stopped, watched and restarted by it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from lab.context import LabContext
from lab.outage import OutageKind


@dataclass(frozen=True)
class Health:
    """What a part says about itself: ``detail`` is one line, shown by ``lab.status``."""

    healthy: bool
    detail: str = ""


class Part(ABC):
    """A part of the lab, one instance a process.

    All methods run on the process's event loop, so blocking work (boto3, subprocesses, large files)
    belongs in ``asyncio.to_thread``. They are called one at a time; only ``stop``, when the lab
    itself ends, may be called while another one runs.

    ``start`` registers hooks (``lab.on_api``, …) and starts tasks; it must bring back what the
    state directory and the emulator already hold, for the lab may have been stopped in between.
    ``stop`` ends them and is called before a restart too, also of a part that failed half-way.
    """

    name: ClassVar[str]

    def __init__(self, lab: LabContext) -> None:
        self.lab = lab

    def preflight(self) -> None:  # noqa: B027
        """Raises LabError where this machine can't run the part, before the lab starts. By default
        every machine can."""

    @abstractmethod
    async def start(self) -> None:
        """Starts the part; raises where it can't."""

    @abstractmethod
    async def stop(self) -> None:
        """Stops the part; safe to call twice, and after a failed start."""

    @abstractmethod
    async def health(self) -> Health:
        """Asked every second; unhealthy means: the lab stops this part and starts it again.
        An outage that was asked for is healthy."""

    async def outage(self, region: str, kinds: frozenset[OutageKind]) -> None:  # noqa: B027
        """``region`` has lost ``kinds`` (all that are lost now). By default nothing happens.
        Also called after ``start`` for outages that were on before the lab was stopped."""

    async def restore(self, region: str) -> None:  # noqa: B027
        """``region`` has everything again. By default nothing happens."""

    async def faults(self) -> None:  # noqa: B027
        """Faults of ``lab.faults`` were turned on or off. By default nothing happens."""

    def describe(self) -> dict[str, str]:
        """Addresses this part adds to the lab's status (``dns``, ``front_door``)."""
        return {}
