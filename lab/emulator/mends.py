"""Every gap of the emulator that is mended, in one table: its module's ``install`` closes it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.emulator.application import Emulator


@dataclass(frozen=True)
class Mend:
    """What the emulator does otherwise than AWS, and the module that mends it."""

    module: str
    gap: str


MENDS = (
    Mend(
        "elbv2",
        "rule conditions and forward configurations dropped, one zone id for all "
        "regions, invented zones, always healthy targets",
    ),
    Mend(
        "lambda_runtime",
        "one worker a function, AWS SDK stubbed, handler errors reshaped, no retry on the clock",
    ),
)


def install(emulator: Emulator) -> None:
    """Put every mend in place."""
    for mend in MENDS:
        importlib.import_module(f"lab.emulator.services.{mend.module}").install(emulator)
