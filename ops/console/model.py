"""What the page shows, as values: the templates draw them, the timeline keeps what changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """What a value means; each has a colour, a sign and a word of its own."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"
    PLAIN = "plain"
    """Says nothing of good or bad."""


@dataclass(frozen=True)
class Cell:
    """One thing and how it is."""

    label: str
    text: str
    tone: Tone = Tone.PLAIN
    detail: str = ""
    until: float = 0.0
    """Seconds since the epoch to which the page counts down; 0: nothing to count."""
    kept: bool = False
    """Whether its changes belong into the timeline."""


@dataclass(frozen=True)
class Link:
    """Text that leads somewhere below the page's own address."""

    text: str
    address: str


@dataclass(frozen=True)
class Table:
    """Rows of texts, cells or links."""

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell | Link | str, ...], ...]
    empty: str = "none"
    """What is said where there is no row."""


@dataclass(frozen=True)
class Bar:
    """One bar of a chart: parts of ``Chart.most``."""

    at: int
    requests: int
    errors: int


@dataclass(frozen=True)
class Chart:
    """Requests and errors over time, oldest first."""

    unit: str
    """``second`` or ``minute``"""
    bars: tuple[Bar, ...]
    most: int
    said: str
    """The same in a sentence."""


@dataclass(frozen=True)
class Section:
    """One part of the page; ``name`` is its id and never changes."""

    name: str
    title: str
    cells: tuple[Cell, ...] = ()
    tables: tuple[Table, ...] = ()
    chart: Chart | None = None
    charted: bool = False
    """Whether it has a chart, also while there is nothing to draw."""
    marks: tuple[Cell, ...] = ()
    """Probes one by one, oldest first."""
    output: tuple[str, ...] = ()
    """Lines of a process."""


@dataclass(frozen=True)
class Problem:
    """Why little is known, and how to continue."""

    what: str
    next: str


@dataclass(frozen=True)
class Page:
    """Everything."""

    headline: Cell
    next: str
    problem: Problem | None
    sections: tuple[Section, ...]

    def kept(self) -> dict[str, Cell]:
        """The cells whose changes belong into the timeline, by section and label."""
        found = {
            f"{section.title}: {cell.label}" if section.title else cell.label: cell
            for section in self.sections
            for cell in section.cells
            if cell.kept
        }
        return {self.headline.label: self.headline, **found}
