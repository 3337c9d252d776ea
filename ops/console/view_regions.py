"""One region's part of the page: pure."""

from __future__ import annotations

from collections.abc import Sequence

from ops.cloud.minutes import Minutes
from ops.cloud.queues import Events
from ops.cloud.readiness import Readiness
from ops.cloud.regions import RegionStatus
from ops.console.facts import Facts
from ops.console.model import Bar, Cell, Chart, Section, Tone
from ops.deploy.standing import Standing
from tapstack.budget import (
    DATABASE_LAG_ALARM_SECONDS,
    EVENT_DELIVERY_ALARM_SECONDS,
    OBJECT_REPLICATION_SECONDS,
)

SECONDS_SHOWN = 60
"""Of the chart in the lab; on AWS it shows as many minutes."""
PROBES_SHOWN = 20
LATE_SECONDS = 5
"""From here on a reader is late, though no alarm has risen; Aurora's is mostly below one."""


def region(facts: Facts, seen: Standing, name: str) -> Section:
    """Everything that is asked in one region."""
    here = next(one for one in seen.regions if one.region == name)
    cells = (
        *_losses(facts, name),
        _health(here.health),
        _ready(here.ready),
        *_database(here),
        _events(here.events),
        *_arriving(facts, name),
    )
    chart = _chart(facts, name)
    marks = tuple(
        Cell("", "passed" if probe.success else "failed",
             Tone.GOOD if probe.success else Tone.BAD, f"{probe.checker}: {probe.report}")
        for probe in facts.probes.get(name, ())[-PROBES_SHOWN:]
    )  # fmt: skip
    title = f"{name}, {here.role}"
    return Section(
        name, title, (*cells, _verdict(facts, name)), chart=chart, charted=True, marks=marks
    )


def _losses(facts: Facts, name: str) -> tuple[Cell, ...]:
    lab = facts.value("lab")
    if lab is None or not lab.running:
        return ()
    lost = lab.outages.get(name)
    if lost:
        return (Cell("Lab", f"has lost {', '.join(lost)}", Tone.BAD, kept=True),)
    return (Cell("Lab", "whole", Tone.GOOD, kept=True),)


def _health(said: str) -> Cell:
    if said.startswith("unknown") or said == "not deployed":
        return Cell("Application", said, Tone.UNKNOWN, kept=True)
    return Cell("Application", said, Tone.GOOD if said == "200 healthy" else Tone.BAD, kept=True)


def _ready(ready: Readiness) -> Cell:
    if not ready.is_known:
        return Cell("Reaches its writer", str(ready), Tone.UNKNOWN, kept=True)
    text = "yes" if ready.writes else "no"
    tone = Tone.GOOD if ready.writes else Tone.BAD
    if ready.writes and ready.failing:
        tone = Tone.WARN
    return Cell("Reaches its writer", text, tone, str(ready), kept=True)


def _database(here: RegionStatus) -> tuple[Cell, ...]:
    said = here.database
    if said.startswith("unknown") or said == "not deployed":
        return (Cell("Database", said, Tone.UNKNOWN, kept=True),)
    settled = said.endswith(", available")
    tone = Tone.GOOD if settled else Tone.BAD if said.startswith("detached") else Tone.WARN
    cell = Cell("Database", said, tone, kept=True)
    return (cell, _lag(here.replication_lag)) if said.startswith("reader") else (cell,)


def _lag(said: str) -> Cell:
    number = said.removesuffix(" ms")
    if not number.isdecimal():
        return Cell("Behind the writer", said, Tone.UNKNOWN)
    seconds = int(number) / 1000
    tone = Tone.BAD if seconds >= DATABASE_LAG_ALARM_SECONDS else Tone.WARN
    return Cell("Behind the writer", said, Tone.GOOD if seconds < LATE_SECONDS else tone)


def _events(events: Events) -> Cell:
    if events.unknown:
        return Cell("Events", str(events), Tone.UNKNOWN)
    tone = Tone.BAD if events.dead_letters else Tone.GOOD
    return Cell("Events", str(events), tone)


def _arriving(facts: Facts, name: str) -> tuple[Cell, ...]:
    """What comes from the other region: events and objects."""
    found: Minutes | None = facts.value("minutes", name)
    why = facts.why("minutes", name) or (found.unknown if found else "")
    if found is None or why:
        text = f"unknown ({why})"
        return (
            Cell("Events arrive", text, Tone.UNKNOWN),
            Cell("Objects arrive", text, Tone.UNKNOWN),
        )
    waiting = f", {found.objects_waiting} waiting" if found.objects_waiting is not None else ""
    return (
        _late("Events arrive", found.event_ms, 0.001, EVENT_DELIVERY_ALARM_SECONDS),
        _late("Objects arrive", found.object_seconds, 1.0, OBJECT_REPLICATION_SECONDS, waiting),
    )


def _late(label: str, value: float | None, unit: float, most: int, more: str = "") -> Cell:
    if value is None:
        return Cell(label, f"unknown (not measured){more}", Tone.UNKNOWN)
    seconds = value * unit
    tone = Tone.BAD if seconds >= most else Tone.GOOD
    return Cell(label, f"{seconds:.1f} s after they left{more}", tone)


def _verdict(facts: Facts, name: str) -> Cell:
    """What Route 53's checkers say, newest observation of each."""
    found = facts.value("probes", name)
    why = facts.why("probes", name) or found.unknown
    if why or not found.seen:
        return Cell("Health check", f"unknown ({why or 'no probe yet'})", Tone.UNKNOWN)
    passed = sum(probe.success for probe in found.seen)
    total = len(found.seen)
    # Healthy while more than 18 % of the checkers say so (Route 53 developer guide).
    tone = Tone.GOOD if passed == total else Tone.WARN if passed > 0.18 * total else Tone.BAD
    return Cell("Health check", f"{passed} of {total} probes pass", tone, kept=True)


def _chart(facts: Facts, name: str) -> Chart | None:
    if facts.stack.is_lab:
        counted = (facts.value("requests") or {}).get(name)
        series = None if counted is None else _filled(counted, int(facts.now))
        unit = "second"
    else:
        found = facts.value("minutes", name)
        series = None if found is None or found.unknown else found.requests[-SECONDS_SHOWN:]
        unit = "minute"
    if not series:
        return None
    bars = tuple(Bar(*entry) for entry in series)
    requests, errors = sum(bar.requests for bar in bars), sum(bar.errors for bar in bars)
    said = f"{requests} requests, {errors} errors in {len(bars)} {unit}s"
    return Chart(unit, bars, max(1, *(bar.requests for bar in bars)), said)


def _filled(counted: Sequence[Sequence[int]], now: int) -> list[tuple[int, int, int]]:
    """One entry a second: seconds without a request are zeros."""
    by_second = {at: (requests, errors) for at, requests, errors in counted}
    return [(at, *by_second.get(at, (0, 0))) for at in range(now - SECONDS_SHOWN, now)]
