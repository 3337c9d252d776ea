"""What a drill shows while it runs: who serves, who writes, errors, and what comes next.

On a terminal it is a table that changes; elsewhere each change is a line.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.live import Live

from ops.drill.history import History, Kind, Seen
from ops.drill.measure import HONEST, Figures
from ops.printing import rows_table

LATEST_SECONDS = 10.0
"""The errors that are shown are those of so many seconds."""


class Display:
    """Shows on ``console``; a context that leaves the terminal as it was."""

    def __init__(self, console: Console, history: History, standing: Callable[[], dict[str, str]]):
        self._console, self._history, self._standing = console, history, standing
        self._live = Live(console=console, refresh_per_second=2, transient=True)

    def __enter__(self) -> Display:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def seen(self, one: Seen) -> None:
        """One change, where there is no table."""
        if not self._console.is_terminal:
            self._console.print(f"{one.at:7.1f} s  {one.source}: {one.what}")

    def show(self, what: str, now: float, figures: Figures | None) -> None:
        """The table anew."""
        if not self._console.is_terminal:
            return
        standing = self._standing()
        rows = [
            ("now", f"{now:.0f} s"),
            ("next", what),
            ("DNS answers", standing.get("dns", "")),
            ("writes", standing.get("writer", "")),
            ("switch", standing.get("switch", "")),
            *((name, now) for name, now in sorted(standing.items()) if " " in name),
            ("requests", self._errors(Kind.READ, now)),
            ("records", self._errors(Kind.WRITE, now)),
        ]
        if figures is not None:
            traffic, writes = figures.traffic.get(HONEST), figures.writes.get(HONEST)
            rows += [
                ("requests back after", "not yet" if traffic is None else f"{traffic:.0f} s"),
                ("writes back after", "not yet" if writes is None else f"{writes:.0f} s"),
            ]
        self._live.update(rows_table(("drill", ""), rows))

    def _errors(self, kind: Kind, now: float) -> str:
        recent = [
            one.ok
            for one in self._history.operations[-500:]
            if one.kind is kind and one.due > now - LATEST_SECONDS
        ]
        return f"{sum(recent)} served, {len(recent) - sum(recent)} failed"
