"""The outage museum: published incidents as sourced timelines (``museum/*.toml``).

Minutes count from the incident's beginning, as its own post-mortem has them. ``signal`` is what of
it a controller in us-west-2 would have met here, in the words of the recovery simulator's faults;
``./inv bench museum`` plays it with the real controllers and writes docs/museum.md.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from ops.drill import scenario
from ops.drill.tables import made
from ops.errors import bad_input

DIRECTORY = Path(__file__).parent / "museum"


class Right(StrEnum):
    """The decision on the database that is right, as the museum argues."""

    PROMOTE = "promote"
    HOLD = "hold"
    """Lost, and a person decides."""
    LEAVE = "leave"
    """The writer stays where it is."""


class Requests(StrEnum):
    """What Route 53 does with requests."""

    MOVES = "moves"
    STAYS = "stays"


@dataclass(frozen=True)
class Event:
    """What the source says of a minute."""

    minute: int
    what: str


@dataclass(frozen=True)
class Signal:
    """A fault of the simulator, when it begins and how long it lasts; ``means`` says why it stands
    for the incident."""

    fault: str
    minute: int
    minutes: int
    means: str


@dataclass(frozen=True)
class Incident:
    """One published incident. ``began`` is ISO 8601; ``minutes`` until the service was back;
    ``disaster`` what is lost in minute 0, empty for nothing; ``decided_minute`` when people decided
    to fail over, -1 where the source doesn't say; ``scenario`` the drill that is like it.
    """

    name: str
    title: str
    began: str
    source: str
    minutes: int
    disaster: str
    right: Right
    traffic: Requests
    why: str
    events: tuple[Event, ...]
    signals: tuple[Signal, ...] = ()
    decided_minute: int = -1
    scenario: str = ""


def names() -> list[str]:
    """The incidents there are, the earliest first."""
    found = (load(path.stem) for path in DIRECTORY.glob("*.toml"))
    return [one.name for one in sorted(found, key=lambda one: one.began)]


def like(chosen: str) -> list[str]:
    """The incidents that a scenario of the drill is like."""
    return [name for name in names() if load(name).scenario == chosen]


def load(name: str) -> Incident:
    """One incident of the museum."""
    return parse(name, (DIRECTORY / f"{name}.toml").read_text("utf-8"))


def parse(name: str, text: str) -> Incident:
    """The incident of a file's text. Raises ``OperatorError`` with the wrong key or value."""
    what = f"incident {name}"
    try:
        given: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise bad_input(f"{what} isn't TOML: {error}") from None
    events = tuple(made(what, Event, one, {}) for one in given.pop("event", []))
    signals = tuple(made(what, Signal, one, {}) for one in given.pop("signal", []))
    plain = {"name": name, "events": events, "signals": signals}
    found = made(what, Incident, {**given, **plain}, {"right": Right, "traffic": Requests})
    if not events:
        raise bad_input(f"{what} has no [[event]]: nothing would be known of it")
    if not found.source.startswith("https://"):
        raise bad_input(f"{what}: source {found.source!r} is no https address")
    if found.scenario not in ("", *scenario.names()):
        raise bad_input(f"{what}: there is no scenario {found.scenario!r}")
    try:
        datetime.fromisoformat(found.began)
    except ValueError:
        raise bad_input(f"{what}: began {found.began!r} is no time of ISO 8601") from None
    return found
