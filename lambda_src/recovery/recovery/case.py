"""The case that every guard of a promotion judges, and what a guard is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recovery.model import Path, Seen, Settings, State
from recovery.observation import Observation


@dataclass(frozen=True)
class Case:
    """The acting run: ``state`` has recorded ``observation`` already."""

    state: State
    observation: Observation
    settings: Settings
    path: Path

    @property
    def minute(self) -> int:
        """The acting run's scheduled minute."""
        return self.observation.minute

    @property
    def now(self) -> Seen | None:
        """What counted of the acting run; None where it counted nothing."""
        seen = self.state.history[-1] if self.state.history else None
        return seen if seen is not None and seen.minute == self.minute else None

    @property
    def forced(self) -> bool:
        """Whether a person's order lifts mode and loss bound (H14)."""
        force = self.state.force
        return force is not None and self.minute < force.until


Guard = Callable[[Case], str]
"""Returns why the promotion must not be made, or an empty string."""
