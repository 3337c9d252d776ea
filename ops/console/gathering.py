"""Asks every source in its own time, in threads, and remembers the answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ops.cloud.answers import reason
from ops.cloud.probes import Probe, Probes
from ops.cloud.traffic import Traffic
from ops.console.facts import Facts, Moved, Reading, Stack
from ops.console.runs import Runs
from ops.console.sources import SOURCES, Source, World
from ops.errors import OperatorError, one_line
from recovery.ports import UnavailableError

PROBES_KEPT = 40
PATIENCE = 3.0
"""An answer counts as known for so many times the pause between two, and so many seconds more."""
STOPPED = "the lab isn't running"
OWN_WORDS = (OperatorError, UnavailableError)
"""Errors whose message was written for a person."""


@dataclass
class Gatherer:
    """The answers of one stack; ``changed`` is called from the threads after each new one."""

    world: World
    stack: Stack
    runs: Runs
    changed: Callable[[], None] = lambda: None
    sources: Sequence[Source] = SOURCES
    now: Callable[[], float] = time.time
    _readings: dict[str, Reading] = field(default_factory=dict)
    _probes: dict[str, list[Probe]] = field(default_factory=dict)
    _moved: Moved | None = None
    _sent: str | None = None
    _lock: threading.Condition = field(default_factory=threading.Condition)
    _woken: int = 0
    _ended: bool = False

    def start(self) -> None:
        """Begins to ask. The threads end with the process: one may hang on a lost region."""
        for source in self.sources:
            if source.seconds(self.stack.is_lab):
                for region in self._regions(source):
                    asking = threading.Thread(target=self._follow, args=(source, region))
                    asking.daemon = True
                    asking.start()

    def stop(self) -> None:
        """Asks nothing more."""
        with self._lock:
            self._ended = True
            self._lock.notify_all()

    def wake(self) -> None:
        """Asks everything again now: something was ordered, or the lab has changed."""
        with self._lock:
            self._woken += 1
            self._lock.notify_all()

    @property
    def complete(self) -> bool:
        """Whether everything was asked at least once: before that nothing has changed."""
        with self._lock:
            return all(
                _key(source, region) in self._readings
                for source in self.sources
                if source.seconds(self.stack.is_lab)
                for region in self._regions(source)
            )

    def facts(self) -> Facts:
        """What is known now."""
        with self._lock:
            readings = dict(self._readings)
            probes = {region: tuple(seen) for region, seen in self._probes.items()}
            moved = self._moved
        drills, drift = readings.get("drills", Reading()), readings.get("drift", Reading())
        return Facts(
            self.stack, self.now(), readings, moved, drift.value, drills.value or (),
            self.runs.shown(), probes,
        )  # fmt: skip

    def ask(self, source: Source, region: str) -> None:
        """Asks once and remembers the answer, or why there is none."""
        name = _key(source, region)
        lasts = PATIENCE * source.seconds(self.stack.is_lab) + PATIENCE
        try:
            if self._stopped(source):
                raise OperatorError(STOPPED)
            reading = Reading(source.ask(self.world, region), self.now(), lasts, "")
        except OWN_WORDS as error:
            reading = Reading(unknown=one_line(str(error)))
        except Exception as error:
            # Whatever a source raises makes one cell unknown, and never ends the page.
            reading = Reading(unknown=reason(error))
        with self._lock:
            before = self._readings.get(name)
            self._readings[name] = reading
            self._remember(source.name, region, reading)
        if source.name == "lab" and before is not None and _differ(before.value, reading.value):
            self.wake()
        # The same answer again changes nothing; that it grows old is looked for in any case.
        if before is None or _said(before) != _said(reading):
            self.changed()

    def _regions(self, source: Source) -> tuple[str, ...]:
        return self.stack.regions if source.regional else ("",)

    def _follow(self, source: Source, region: str) -> None:
        if source.name not in ("layers", "lab", "caller"):
            self._wait_for_outputs()
        while not self._ended:
            woken = self._woken
            self.ask(source, region)
            with self._lock:
                self._lock.wait_for(
                    lambda woken=woken: self._ended or (self.stack.is_lab and woken != self._woken),
                    source.seconds(self.stack.is_lab),
                )

    def _wait_for_outputs(self) -> None:
        """What is deployed is asked first: the others go by its names."""
        with self._lock:
            self._lock.wait_for(lambda: self._ended or "layers" in self._readings)

    def _stopped(self, source: Source) -> bool:
        """Whether there is no lab to ask; files are read all the same."""
        if not self.stack.is_lab or source.name in ("lab", "layers", "drills", "drift"):
            return False
        lab = self._readings.get("lab", Reading()).value
        return lab is not None and not lab.running

    def _remember(self, name: str, region: str, reading: Reading) -> None:
        """What one answer alone doesn't say: probes before the newest, and where DNS led."""
        if name == "layers":
            self._lock.notify_all()
        if name == "probes" and isinstance(reading.value, Probes):
            seen = self._probes.setdefault(region, [])
            known = {(probe.checker, probe.at) for probe in seen}
            seen += [one for one in reading.value.seen if (one.checker, one.at) not in known]
            seen.sort(key=lambda probe: probe.at)
            del seen[:-PROBES_KEPT]
        if name == "traffic" and isinstance(reading.value, Traffic) and reading.value.region:
            if self._sent not in (None, reading.value.region):
                self._moved = Moved(str(self._sent), reading.at)
            self._sent = reading.value.region


def _said(reading: Reading) -> tuple[Any, str]:
    """A reading without its moment."""
    return (reading.value, reading.unknown)


def _key(source: Source, region: str) -> str:
    return f"{source.name}/{region}" if region else source.name


def _differ(before: Any, after: Any) -> bool:
    """Whether the lab has lost or got back something, or a fault began or ended."""
    if before is None or after is None:
        return before is not after
    return (before.pid, before.outages, before.faults) != (after.pid, after.outages, after.faults)
