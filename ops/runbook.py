"""The runbook's table of alarms, as a person reads it: docs/runbook.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ALARMS = "## Alarms"
_ROW = re.compile(
    r"^\| `(?P<purpose>[a-z0-9-]+)` \| (?P<means>.+?) \| (?P<do>.+?) \|$", re.MULTILINE
)


@dataclass(frozen=True)
class Line:
    """One alarm's row: what it means, and what to do."""

    means: str
    do: str


def lines(text: str) -> dict[str, Line]:
    """Purpose → its row, of the runbook's text."""
    table = text.partition(f"\n{ALARMS}\n")[2].partition("\n## ")[0]
    return {row["purpose"]: Line(row["means"], row["do"]) for row in _ROW.finditer(table)}


def read(repository: Path, stack: str, suffix: str) -> dict[str, Line]:
    """The rows of this working copy, for one stack; none where the page isn't there."""
    page = repository / "docs" / "runbook.md"
    text = page.read_text() if page.is_file() else ""
    return lines(text.replace("--stack ENV", f"--stack {stack}").replace("SUFFIX", suffix))
