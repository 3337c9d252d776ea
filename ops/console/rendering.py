"""From the page's values to HTML: fragments by id, so that only what changed is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ops.console.actions import CONFIRM, Action
from ops.console.facts import Stack
from ops.console.model import Page
from ops.console.timeline import Moment, Ribbon
from ops.console.view import clock

SIGNS = {"good": "●", "warn": "▲", "bad": "■", "unknown": "?", "plain": ""}
"""A shape beside each colour, for who doesn't see colours."""
HEAD, TIMELINE = "head", "timeline"


@cache
def environment() -> Environment:
    """The templates; everything is escaped."""
    made = Environment(
        loader=PackageLoader("ops.console"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["signs"] = SIGNS
    made.filters["clock"] = clock
    return made


@dataclass(frozen=True)
class Shown:
    """The timeline as it is shown."""

    ribbons: tuple[Ribbon, ...]
    moments: tuple[Moment, ...]


def whole(
    stack: Stack, page: Page, shown: Shown, offered: Sequence[Action], secrets: Mapping[str, str]
) -> str:
    """The first answer: everything, with the forms. ``secrets``: ``csrf``, ``instance``."""
    parts = Fragments().changed(page, shown)
    return _render(
        "page.html",
        stack=stack,
        sections=page.sections,
        parts=parts,
        actions=offered,
        confirm=CONFIRM,
        **secrets,
    )


class Fragments:
    """Renders what changed since the last time."""

    def __init__(self) -> None:
        self._last: dict[str, Any] = {}

    def changed(self, page: Page, shown: Shown) -> dict[str, str]:
        """Id → HTML of every fragment that isn't as it was."""
        values: dict[str, tuple[str, Any]] = {
            HEAD: ("head.html", (page.headline, page.next, page.problem)),
            TIMELINE: ("timeline.html", shown),
        }
        for section in page.sections:
            values[section.name] = ("section.html", replace(section, chart=None))
            if section.charted:
                values[f"{section.name}-chart"] = ("chart.html", section.chart)
        found = {
            name: _render(template, value=value)
            for name, (template, value) in values.items()
            if name not in self._last or self._last[name] != value
        }
        self._last = {name: value for name, (_, value) in values.items()}
        return found


def _render(template: str, **values: Any) -> str:
    return environment().get_template(template).render(values)
