"""How tasks print: plain tables, ``key  value`` lines, and JSON for pipelines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

PLAIN_WIDTH = 160
"""Columns where there is no terminal to ask."""


def make_console(*, stderr: bool = False) -> Console:
    """A console that keeps its lines whole where no terminal limits them."""
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console = Console(stderr=stderr, highlight=False, soft_wrap=True, width=PLAIN_WIDTH)
    return console


def rows_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A plain table of texts."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    return table


def flat_lines(values: Mapping[str, Any]) -> list[str]:
    """``key  value``, lists joined, in the order given."""
    width = max((len(key) for key in values), default=0)
    return [
        f"{key:{width}}  {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for key, value in values.items()
    ]


def print_json(value: Any) -> None:
    """Prints a value for a pipeline; not through a console, which could break lines."""
    print(json.dumps(value, indent=2, sort_keys=False))
