"""Facts as a calm lab has them, for the tests to change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lab_answers import RUNNING

from ops.cloud.alarms import RegionAlarms
from ops.cloud.minutes import Minutes
from ops.cloud.parameters import Parameters
from ops.cloud.probes import Probe, Probes
from ops.cloud.queues import Events
from ops.cloud.readiness import Readiness
from ops.cloud.traffic import Traffic
from ops.console.facts import Asked, Facts, Layer, Reading, Stack
from ops.console.model import Cell, Page, Section
from ops.console.view import view
from ops.runbook import Line
from tapstack.budget import recovery_budget

EAST, WEST = "us-east-1", "us-west-2"
NOW = 1_800_000_000.0
LAB = Stack("lab", True, "lab", (EAST, WEST), recovery_budget(30, 3),
            {"target-5xx": Line("answers fail", "look in <region>")},
            (Asked("events", 10.0, 0.001),))  # fmt: skip
AWS = replace(LAB, name="dev", is_lab=False, environment="dev")
CALM = replace(RUNNING, regions={EAST: "up", WEST: "up"}, outages={}, clock=1.0)
PROBE = Probe("us-east-1 127.0.0.1", NOW - 5, True, "HTTP Status Code 200")
DOCUMENT: dict[str, Any] = {
    "region": WEST, "mode": "automatic", "effective_mode": {"mode": "automatic", "reasons": []},
    "state": "watching", "epoch": 1, "writer": EAST,
    "signals": {"own_reader": "alive", "peer_ready": "dead", "witness": "unknown"},
    "lag_ms": 0, "hold": None, "freeze": None,
    "readiness": {"score": 1, "reasons": [], "notes": []},
    "last_decision": "the other region lives",
    "journal": [{"number": 2, "kind": "decision", "body": {"reason": "it lives", "stage": "x"}}],
    "unknown": {},
}  # fmt: skip
VALUES: dict[str, Any] = {
    "lab": CALM,
    "layers": tuple(Layer(name, True, 1) for name in ("network", "data", "app", "global")),
    "requests": {EAST: [[int(NOW) - 2, 4, 1]], WEST: []},
    "traffic": Traffic(EAST, 60),
    "switch": "released",
    "recovery": DOCUMENT,
    "parameters": Parameters(3),
    **{f"health/{region}": "200 healthy" for region in (EAST, WEST)},
    **{f"ready/{region}": Readiness(200) for region in (EAST, WEST)},
    f"database/{EAST}": "writer, available",
    f"database/{WEST}": "reader, available",
    f"lag/{WEST}": "9 ms",
    **{f"events/{region}": Events(0, 0) for region in (EAST, WEST)},
    **{f"alarms/{region}": RegionAlarms(region) for region in (EAST, WEST)},
    **{f"probes/{region}": Probes((PROBE,)) for region in (EAST, WEST)},
    **{
        f"minutes/{region}": Minutes(((int(NOW) - 60, 9, 2),), 40.0, 0.0, 0)
        for region in (EAST, WEST)
    },
}


def facts(stack: Stack = LAB, **changed: Any) -> Facts:
    """Calm facts; ``changed`` by name, two underscores for the slash, None for unknown."""
    values = VALUES | {_key(name): value for name, value in changed.items()}
    readings = {
        name: Reading(unknown="no connection") if value is None else Reading(value, NOW, 10, "")
        for name, value in values.items()
    }
    return Facts(stack, NOW, readings, probes={EAST: (PROBE,), WEST: (PROBE,)})


def _key(name: str) -> str:
    what, _, region = name.partition("__")
    return f"{what}/{region.replace('_', '-')}" if region else what


def page(stack: Stack = LAB, **changed: Any) -> Page:
    """What they look like."""
    return view(facts(stack, **changed))


def section(shown: Page, name: str) -> Section:
    """One part."""
    return next(one for one in shown.sections if one.name == name)


def cell(shown: Page, name: str, label: str) -> Cell:
    """One thing of one part."""
    return next(one for one in section(shown, name).cells if one.label == label)
