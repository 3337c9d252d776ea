"""Scenarios as data: what is broken when, and what must happen then (``scenarios/*.toml``).

Seconds are the drill's: real ones at clock 1. A scenario is read once, typed, and refused in one
line where a key or a value is wrong.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from lab.faults import Fault
from lab.outage import REGIONS, Mode, OutageKind
from ops.drill.tables import made
from ops.errors import bad_input, nearest

DIRECTORY = Path(__file__).parent / "scenarios"
DEFAULT = "region-loss"


class Action(StrEnum):
    """What a step does; all of them are undone at the end."""

    OUTAGE = "outage"
    """A region, or a part of it, is lost."""
    FAULT = "fault"
    """AWS fails in a way of its own (the lab's faults)."""
    SWITCHOVER = "switchover"
    """The planned change of the writer, asked for in its own region."""
    PLANNED = "planned"
    """The same by the command that people use, holds, proof and switch included."""
    BAD_DEPLOY = "bad-deploy"
    """The region's function gets a handler that doesn't exist."""
    STOP_CONTROLLER = "stop-controller"
    """The region's recovery controller is no longer called."""
    START_CONTROLLER = "start-controller"
    """It is called again."""


class Traffic(StrEnum):
    """What requests must do."""

    FAILS_OVER = "fails-over"
    """Served by the other region in the end."""
    STAYS = "stays"
    """Served by the region that served before."""
    ANY = "any"


class Writes(StrEnum):
    """What writes must do."""

    REGAINED = "regained"
    """Lost and regained within the budget."""
    KEPT = "kept"
    """At most as long away as a planned change takes."""
    LOST = "lost"
    """Not regained without a person, on purpose."""
    ANY = "any"
    """Nothing is asked of them: the verdict is on data and on what isn't done."""


class Lost(StrEnum):
    """What may be missing of what was acknowledged."""

    NONE = "none"
    WITHIN_BOUND = "within-bound"


@dataclass(frozen=True)
class Step:
    """One action. ``after`` is in seconds after the step before it, for the first one after the
    drill's moment; ``region`` where it acts.

    ``part`` and ``mode`` are those of an outage, ``fault`` and ``value`` those of a fault.
    ``when`` holds the step back until a controller has been in that stage since the drill's moment.
    """

    action: Action
    region: str = "us-east-1"
    after: float = 0.0
    part: str = ""
    mode: str = ""
    fault: str = ""
    value: str = ""
    when: str = ""


@dataclass(frozen=True)
class Expected:
    """What must have happened at the end of the watch.

    ``writer`` is the region that writes then, ``promotions`` the accepted calls of a controller,
    ``stage`` a stage that it must have passed since the loss, empty for none in particular.
    """

    traffic: Traffic
    writes: Writes
    writer: str = "us-east-1"
    promotions: int = 0
    lost: Lost = Lost.NONE
    stage: str = ""


@dataclass(frozen=True)
class Scenario:
    """One way in which things go wrong. ``watch_seconds`` is the longest that is waited for what
    must happen, or how long it must not.

    ``patient`` says that the whole of it is watched though all has happened; ``loss_step`` is the
    number of the step from which is measured. ``reconcile`` asks that the survivor is guarded
    before the writer is brought home, and that every acknowledged row is there again then.
    """

    name: str
    title: str
    objective: str
    likelihood: str
    steps: tuple[Step, ...]
    expect: Expected
    watch_seconds: float = 960.0
    patient: bool = False
    person_absent: bool = True
    on_aws: bool = False
    reconcile: bool = False
    loss_step: int = -1
    hazards: tuple[str, ...] = ()

    @property
    def loss(self) -> Step:
        """The step from which is measured."""
        return self.steps[self.loss_step]

    @property
    def expectation(self) -> str:
        """What must happen, as ``--list`` shows it."""
        expect = self.expect
        parts = [
            f"requests: {expect.traffic}",
            f"writes: {expect.writes} in {expect.writer}",
            f"promotions: {expect.promotions}",
            f"lost: {expect.lost}",
        ]
        return ", ".join(parts + ([f"controller: {expect.stage}"] if expect.stage else []))


def names() -> list[str]:
    """The scenarios there are, the default one first."""
    found = sorted(file.stem for file in DIRECTORY.glob("*.toml"))
    return sorted(found, key=lambda name: name != DEFAULT)


def load(name: str = DEFAULT) -> Scenario:
    """The scenario of that name. Raises ``OperatorError`` with the nearest one that exists."""
    known = names()
    if name not in known:
        raise bad_input(
            f"unknown scenario {name!r}{nearest(name, known)}: ./inv drill --list shows all"
        )
    return parse(name, (DIRECTORY / f"{name}.toml").read_text("utf-8"))


def parse(name: str, text: str) -> Scenario:
    """A scenario's file, typed. Raises ``OperatorError`` naming the key that is wrong."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise bad_input(f"scenario {name} isn't TOML: {error}") from None
    steps = tuple(_step(name, step) for step in given.pop("step", []))
    if not steps:
        raise bad_input(f"scenario {name} has no [[step]]: nothing would happen")
    expect = made(f"scenario {name}", Expected, given.pop("expect", {}), _EXPECTED)
    hazards = tuple(given.pop("hazards", []))
    plain = {"name": name, "steps": steps, "expect": expect, "hazards": hazards}
    return made(f"scenario {name}", Scenario, {**given, **plain}, {})


_EXPECTED: Mapping[str, type[StrEnum]] = {"traffic": Traffic, "writes": Writes, "lost": Lost}


def _step(name: str, given: Mapping[str, Any]) -> Step:
    step = made(f"scenario {name}", Step, given, {"action": Action})
    chosen: tuple[tuple[str, str, list[str]], ...] = (
        ("region", step.region, list(REGIONS)),
        ("part", step.part, ["", *OutageKind]),
        ("mode", step.mode, ["", *Mode]),
        ("fault", step.fault, list(Fault) if step.action is Action.FAULT else [""]),
    )
    for key, value, known in chosen:
        if value not in known:
            raise bad_input(f"scenario {name}: {key} {value!r} is none of {', '.join(known)}")
    return step
