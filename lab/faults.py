"""Faults that AWS may have and the lab has on request (``lab.fault``). Kept in the state directory
over restarts; nothing is on by itself, and ``lab.restore`` ends them all."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from lab.errors import LabInputError
from lab.outage import REGIONS
from pulumi_protocol.files import write_atomically

LONGEST_SECONDS = 86_400.0
OFF = "off"
ON = "on"


class Fault(StrEnum):
    """The faults there are. Seconds are the lab's."""

    PROMOTION_DELAY = "promotion-delay"
    """A change of a global database's writer takes so many seconds longer."""
    FENCE_TIMEOUT = "fence-timeout"
    """The old writer isn't fenced: it keeps taking writes of clients that know its address."""
    DESCRIBE_STALE = "describe-stale"
    """RDS's Describe calls answer what was true when the fault began."""
    DESCRIBE_THROTTLED = "describe-throttled"
    """RDS's Describe calls are throttled."""
    FAILOVER_INTERNAL_FAILURE = "failover-internal-failure"
    """FailoverGlobalCluster is accepted, and answers InternalFailure."""
    SNAPSHOT_FAILS = "snapshot-fails"
    """No snapshot is made of the old writer's volume."""
    ENDPOINT_LATE = "endpoint-late"
    """The global writer endpoint keeps leading to the old writer."""
    STATE_UNREADABLE = "state-unreadable"
    """DynamoDB's items can neither be read nor written."""
    REPLICATION_LAG = "replication-lag"
    """Aurora's replication from region to region is so many seconds behind."""
    INSTANCE_LOSS = "instance-loss"
    """The writer's instance in a region is lost: its cluster fails over in the region."""
    LOW_CONCURRENCY = "low-concurrency"
    """In a region the account may run 10 functions at once, as new accounts may; what is called
    above that is throttled."""


TIMED = frozenset({Fault.PROMOTION_DELAY, Fault.REPLICATION_LAG})
"""Those that need seconds."""

REGIONAL = frozenset({Fault.INSTANCE_LOSS, Fault.LOW_CONCURRENCY})
"""Those that need a region."""

Value = float | str | bool
"""Seconds, a region, or True"""


class Faults:
    """Which faults are on. Reads are from memory; each change is written before it counts."""

    def __init__(self, state_dir: Path, now: Callable[[], float] = time.time) -> None:
        self._path = state_dir / "faults.json"
        self._now = now
        self._on: dict[Fault, tuple[Value, float]] = {}
        if self._path.exists():
            stored = json.loads(self._path.read_text())
            self._on = {Fault(name): (value, since) for name, (value, since) in stored.items()}

    def is_on(self, fault: Fault) -> bool:
        """Whether the fault is on."""
        return fault in self._on

    def value(self, fault: Fault) -> Value:
        """Its seconds or region; False while it is off."""
        return self._on[fault][0] if fault in self._on else False

    def seconds(self, fault: Fault) -> float:
        """Its lab seconds; 0 while it is off."""
        return float(self.value(fault))

    def since(self, fault: Fault) -> float:
        """When it began, in lab time; 0 while it is off."""
        return self._on[fault][1] if fault in self._on else 0.0

    def set(self, name: str, value: str | float | None = None) -> None:
        """Turns a fault on, or off with ``off``. Raises LabInputError, and nothing is changed."""
        fault, on = parse(name, value)
        if on is False:
            if fault not in self._on:
                raise LabInputError(f"the fault {fault} isn't on")
            self._write({known: on for known, on in self._on.items() if known != fault})
            return
        self._write({**self._on, fault: (on, self._now())})

    def clear(self) -> bool:
        """Turns all of them off; returns whether one was on."""
        if not self._on:
            return False
        self._write({})
        return True

    def as_dict(self) -> dict[str, Value]:
        """name → seconds, region or true, of those that are on."""
        return {fault: value for fault, (value, _) in sorted(self._on.items())}

    def _write(self, on: dict[Fault, tuple[Value, float]]) -> None:
        write_atomically(self._path, json.dumps(on))
        self._on = on


def parse(name: str, given: str | float | None) -> tuple[Fault, Value]:
    """The fault of that name and what it is turned to, False for ``off``. Raises LabInputError
    naming the faults, or the values, that there are."""
    if name not in list(Fault):
        raise LabInputError(f"unknown fault {name!r}: choose one of {', '.join(Fault)}")
    return Fault(name), False if given == OFF else _value(Fault(name), given)


def _value(fault: Fault, given: str | float | None) -> Value:
    if fault in TIMED:
        try:
            seconds = float(given if given is not None else math.nan)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds <= LONGEST_SECONDS:
            said = "no value" if given is None else repr(given)
            raise LabInputError(
                f"the fault {fault} takes seconds above 0 and up to {LONGEST_SECONDS:.0f}, or off; "
                f"got {said}"
            )
        return seconds
    if fault in REGIONAL:
        if given not in REGIONS:
            raise LabInputError(
                f"the fault {fault} takes a region, {' or '.join(REGIONS)}, or off; got {given!r}"
            )
        return str(given)
    if given not in (None, ON):
        raise LabInputError(f"the fault {fault} is on or off; got {given!r}")
    return True
