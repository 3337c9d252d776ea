"""``./inv drill.compare A B``: two drills side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ops.errors import bad_input
from ops.printing import make_console, print_json, rows_table
from ops.report import drills

Document = Mapping[str, Any]


def compared(one: Document, other: Document) -> list[tuple[str, Any, Any]]:
    """(figure, of one, of the other). Raises ``OperatorError`` where their seconds are of other
    clocks, or their places are others: such figures say nothing beside each other."""
    for key, what in (("clock", "clocks"), ("where", "places")):
        if one[key] != other[key]:
            raise bad_input(
                f"{one['id']} and {other['id']} have other {what} ({one[key]} and {other[key]}): "
                "their figures can't be compared"
            )
    return list(_figures(one, other))


def show(directory: Path, one: str, other: str, as_json: bool) -> None:
    """Prints both drills' figures."""
    first, second = (drills.find(directory, name).document for name in (one, other))
    rows = compared(first, second)
    if as_json:
        print_json({name: [left, right] for name, left, right in rows})
        return
    cells = ((name, _said(left), _said(right)) for name, left, right in rows)
    make_console().print(rows_table(("figure", first["id"], second["id"]), cells))


def _figures(one: Document, other: Document) -> Iterator[tuple[str, Any, Any]]:
    for key in ("scenario", "verdict", "clock", "seed", "traffic_rto_seconds", "write_rto_seconds",
                "write_rto_with_allowance_seconds", "rpo_seconds", "rpo_rows",
                "loss_bound_seconds"):  # fmt: skip
        yield key, one[key], other[key]
    for group in ("figures", "rows", "objects", "events", "latency"):
        for key, value in one[group].items():
            if not isinstance(value, dict):
                yield f"{group}.{key}", value, other[group][key]


def _said(value: Any) -> str:
    return "none" if value in (None, "") else str(value)
