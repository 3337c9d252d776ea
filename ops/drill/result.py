"""A drill's result where the system itself reads it: both recovery items, and two metrics.

In ``prod`` recovery is automatic only after a passed drill of the last 90 days; while one runs that
condition is lifted, or the first one could never pass (``lambda_src/recovery``'s ``mode``). What
counts is a promotion that was really made: a drill that expects none, or that is void, proves
nothing about it and leaves the result that stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import ceil
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from ops.drill.judge import Verdict
from ops.drill.readiness import LONGEST_SECONDS
from ops.drill.scenario import Scenario
from ops.errors import OperatorError
from ops.recovery.items import Item, Items, minute_of
from recovery import commands
from recovery.metrics import put

LOAD_SECONDS = 600
"""For the load's beginning and for what is read before anything is given back."""
METRICS = {
    "DrillTrafficRto": "traffic_rto_seconds",
    "DrillWriteRto": "write_rto_seconds",
}
"""Metric → the figure of the document, in seconds; at another clock than 1 there is none."""
UNWRITTEN = "the drill isn't written into the recovery items"

Report = Callable[[str], None]
Document = Mapping[str, Any]


def proves(scenario: Scenario) -> bool:
    """Whether a drill of this scenario says anything about a promotion without a person."""
    return scenario.expect.promotions > 0


def minutes_of(scenario: Scenario) -> int:
    """The longest that a drill needs the controllers to be automatic."""
    return ceil((LONGEST_SECONDS + LOAD_SECONDS + scenario.watch_seconds) / 60)


@contextmanager
def running(items: Items, scenario: Scenario, report: Report) -> Iterator[None]:
    """Marks both items while the body runs, whatever is drilled: on AWS each drill asks for full
    readiness, and that says what a mark that couldn't be written keeps it from. A mark that a kill
    leaves ends by itself.
    """

    def begin() -> tuple[Item, Item]:
        minute = minute_of(items.read())
        return items.change(lambda one: commands.drill_begins(one, minute, minutes_of(scenario)))

    _tried(begin, report)
    try:
        yield
    finally:
        _tried(lambda: items.change(commands.drill_ends), report)


def record(
    items: Items, clients: Clients, suffix: str, scenario: Scenario, document: Document,
    report: Report,
) -> None:  # fmt: skip
    """Puts the metrics where the controller is armed, and writes the result into both items; what
    can't be written is reported."""
    if document["verdict"] == Verdict.VOID:
        return
    try:
        found = items.read()
    except OperatorError as fault:
        report(f"{UNWRITTEN}: {fault}")
        return
    armed = [item.region for item in found if item.state is not None and item.state.armed]
    _put(clients, suffix, (armed or [items.regions[1]])[0], document, report)
    if proves(scenario):
        minute, passed = minute_of(found), document["verdict"] == Verdict.PASSED
        _tried(lambda: items.change(lambda one: commands.drilled(one, minute, passed)), report)


def _put(clients: Clients, suffix: str, region: str, document: Document, report: Report) -> None:
    for name, figure in METRICS.items():
        if document[figure] is None:
            continue
        try:
            put(clients.get("cloudwatch", region), suffix, name, document[figure])
        except (ClientError, BotoCoreError) as error:
            report(f"{name} isn't written in {region}: {reason(error)}")


def _tried(order: Callable[[], tuple[Item, Item]], report: Report) -> None:
    try:
        written = order()
    except OperatorError as fault:
        report(f"{UNWRITTEN}: {fault}")
        return
    for item in written:
        if item.unknown:
            report(f"{UNWRITTEN} of {item.region}: {item.unknown}")
