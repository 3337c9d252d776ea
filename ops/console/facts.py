"""What was asked of the lab or of AWS, as frozen values, each with the moment of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.console.drills import Drill
from ops.console.runs import Run
from ops.recorded_drift import RecordedDrift
from ops.runbook import Line
from tapstack.budget import Budget

NOT_YET = "not asked yet"


@dataclass(frozen=True)
class Reading:
    """One answer; ``at`` in seconds since the epoch, ``lasts`` for how many it counts as known."""

    value: Any = None
    at: float = 0.0
    lasts: float = 0.0
    unknown: str = NOT_YET
    """Why there is no value; empty where there is one."""


@dataclass(frozen=True)
class Moved:
    """The last change of what DNS answers: where it led before, and when it changed."""

    before: str
    at: float


@dataclass(frozen=True)
class Layer:
    """One layer as it is deployed."""

    name: str
    deployed: bool
    version: int | None
    """Of its contract."""


@dataclass(frozen=True)
class Asked:
    """What the page asks of AWS under one name; dollars by list price."""

    name: str
    calls_a_minute: float
    dollars_an_hour: float


@dataclass(frozen=True)
class Stack:
    """What doesn't change while the console runs."""

    name: str
    is_lab: bool
    environment: str
    regions: tuple[str, str]
    """Primary first."""
    budget: Budget
    runbook: Mapping[str, Line] = field(default_factory=dict)
    asked: tuple[Asked, ...] = ()

    @property
    def flags(self) -> str:
        """What printed commands need so that they mean this stack."""
        return "" if self.name == "lab" else f" --stack {self.name}"


@dataclass(frozen=True)
class Facts:
    """All that is known at the moment ``now`` (seconds since the epoch)."""

    stack: Stack
    now: float
    readings: Mapping[str, Reading] = field(default_factory=dict)
    """Name of what was asked, with ``/REGION`` where it is asked in each."""
    moved: Moved | None = None
    drift: RecordedDrift | None = None
    drills: tuple[Drill, ...] = ()
    """Newest first."""
    runs: tuple[Run, ...] = ()
    """What was ordered from the page, newest first."""
    probes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Region → the probes of its health check that were seen, oldest first."""

    def value(self, name: str, region: str = "") -> Any:
        """The answer, or None where none is known or the last one is too old."""
        reading = self._reading(name, region)
        return None if self.why(name, region) else reading.value

    def why(self, name: str, region: str = "") -> str:
        """Why there is no value; empty where there is one."""
        reading = self._reading(name, region)
        if reading.unknown:
            return reading.unknown
        age = self.now - reading.at
        return f"no answer for {age:.0f} s" if age > reading.lasts else ""

    def _reading(self, name: str, region: str) -> Reading:
        return self.readings.get(f"{name}/{region}" if region else name, Reading())
