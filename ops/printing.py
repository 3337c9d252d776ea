"""How tasks print: plain tables, ``key  value`` lines, and JSON for pipelines.

What comes from outside (ARNs, names, what an API or a program said) is printed as it is: no markup,
no emoji codes, and control characters as escapes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.errors import visible

PLAIN_WIDTH = 10_000
"""Columns where there is no terminal to ask: enough that no ARN is folded."""


class _PlainConsole(Console):
    """A console for which every text is just text."""

    def render_str(self, text: str, **options: Any) -> Text:
        """The text as it is, control characters as escapes."""
        return super().render_str(visible(text), **options)


def make_console(*, stderr: bool = False, file: IO[str] | None = None) -> Console:
    """A console that keeps its lines whole where no terminal limits them."""
    plain: dict[str, Any] = {
        "stderr": stderr, "file": file, "markup": False, "emoji": False, "highlight": False,
        "soft_wrap": True,
    }  # fmt: skip
    console = _PlainConsole(**plain)
    return console if console.is_terminal else _PlainConsole(**plain, width=PLAIN_WIDTH)


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
