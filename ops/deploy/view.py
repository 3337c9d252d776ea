"""What operators see: progress for each layer while it works, then tables.

On a terminal the progress is one moving line a layer; elsewhere (pipelines, files) plain lines.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ops.deploy.sequence import LayerResult, Outcome
from ops.waiting import PATIENCE_SECONDS
from pulumi_protocol.events import EngineError, Event, LogEvent, Operation, ResourceEvent

SIGNS = {
    Operation.CREATE: "+",
    Operation.UPDATE: "~",
    Operation.REPLACE: "±",
    Operation.DELETE: "-",
    Operation.REFRESH: "~",
}
"""The operations that change something; all others are shown as counts only."""

LONGEST_VALUE = 60
TICK_SECONDS = 0.5
REMINDER_SECONDS = 30.0
"""Between two lines on the same wait."""


def change_lines(event: ResourceEvent) -> list[str]:
    """A changed resource in words: its type and name, then each property's old and new value."""
    unchanged = event.operation is Operation.REFRESH and not event.diff
    if event.operation not in SIGNS or unchanged:
        return []
    lines = [f"{SIGNS[event.operation]} {event.operation} {event.type} {event.name}"]
    if event.operation in (Operation.UPDATE, Operation.REPLACE, Operation.REFRESH):
        lines += [
            f"    {change.path}: {_shown(change.old)} → {_shown(change.new)}"
            + (" (forces replacement)" if change.replaces else "")
            for change in event.diff
        ]
    return lines


def error_lines(error: BaseException) -> list[str]:
    """An error's line, and below it what each resource's provider said."""
    message = " ".join(str(error).split()) or type(error).__name__
    details = error.details if isinstance(error, EngineError) else ()
    return [message, *(f"  {detail}" for detail in details if detail not in message)]


def results_table(results: Sequence[LayerResult], *, planned: bool) -> Table:
    """Layer, what happened to its resources, and how long it took."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("layer")
    verbs = ("create", "update", "replace", "same", "delete")
    done = ("created", "updated", "replaced", "same", "deleted")
    for heading in verbs if planned else done:
        table.add_column(heading, justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("")
    for result in results:
        summary = result.summary
        counts = (
            summary.created, summary.updated, summary.replaced, summary.same, summary.deleted,
        )  # fmt: skip
        outcome = "" if result.outcome is Outcome.DONE else str(result.outcome)
        shown = map(str, counts) if result.outcome is Outcome.DONE else [""] * len(counts)
        table.add_row(result.layer, *shown, f"{result.seconds:.1f}", outcome)
    if len(results) > 1:
        all_of = [result.summary for result in results]
        totals = (
            sum(s.created for s in all_of), sum(s.updated for s in all_of),
            sum(s.replaced for s in all_of), sum(s.same for s in all_of),
            sum(s.deleted for s in all_of),
        )  # fmt: skip
        seconds = sum(result.seconds for result in results)
        table.add_row("all", *map(str, totals), f"{seconds:.1f}", "", style="bold")
    return table


@dataclass
class LayerProgress:
    """Where one layer stands while it works."""

    started: float
    counts: dict[Operation, int] = field(default_factory=dict)
    working: dict[str, ResourceEvent] = field(default_factory=dict)
    """urn → the step under way"""
    ended: str = ""

    def take(self, event: ResourceEvent) -> None:
        """Counts a step that ended or was planned, and remembers one that began."""
        if event.phase == "started":
            self.working[event.urn] = event
            return
        self.working.pop(event.urn, None)
        if event.phase != "failed":
            self.counts[event.operation] = self.counts.get(event.operation, 0) + 1

    def line(self) -> str:
        """Counts so far, and one resource that is being worked on."""
        counts = ", ".join(
            f"{count} {operation}" for operation, count in self.counts.items() if count
        )
        if self.ended or not self.working:
            return counts
        event = next(iter(self.working.values()))
        more = f" and {len(self.working) - 1} more" if len(self.working) > 1 else ""
        return f"{counts}{'; ' if counts else ''}{event.operation} {event.name}{more}"


class View(AbstractContextManager["View"]):
    """Progress of a sequence; thread-safe, because layers may run side by side."""

    def __init__(self, console: Console, title: str) -> None:
        self.console = console
        self._title = title
        self._lock = threading.Lock()
        self._layers: dict[str, LayerProgress] = {}
        self._live: Live | None = None
        self._over = threading.Event()
        self._due = 0.0
        """When a line is due though nothing happened (``time.monotonic``)."""

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(
                console=self.console, get_renderable=self._moving, refresh_per_second=8
            )
            self._live.start()
        else:
            self._print(self._title)
            threading.Thread(target=self._stay_in_touch, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._live:
            self._live.stop()

    def event(self, layer: str, event: Event) -> None:
        """One event of a layer's engine."""
        with self._lock:
            progress = self._progress(layer)
            if isinstance(event, LogEvent):
                self._log(layer, event)
                return
            progress.take(event)
            planned = event.phase == "planned"
            if planned or (event.phase == "done" and not self._live):
                for line in change_lines(event):
                    self._print(f"{layer}: {line}")

    def begin(self, layer: str) -> None:
        """A layer's turn has come."""
        with self._lock:
            self._progress(layer)

    def finished(self, result: LayerResult) -> None:
        """A layer's turn is over."""
        with self._lock:
            progress = self._progress(result.layer)
            progress.ended = str(result.outcome)
            if not self._live:
                counts = progress.line() or "nothing to do"
                line = f"{result.layer}: {result.outcome} in {result.seconds:.1f} s: {counts}"
                self._print(line)

    def _progress(self, layer: str) -> LayerProgress:
        if layer not in self._layers:
            self._layers[layer] = LayerProgress(time.monotonic())
            if not self._live:
                self._print(f"{layer}: started")
        return self._layers[layer]

    def _log(self, layer: str, event: LogEvent) -> None:
        # Errors come again, in full, as the layer's result.
        if event.severity in ("info", "warning"):
            style = "yellow" if event.severity == "warning" else "dim"
            for line in event.message.strip().splitlines():
                self._print(f"{layer}: {line}", style)

    def _print(self, line: str, style: str = "") -> None:
        self.console.print(line, style=style)
        self._due = time.monotonic() + PATIENCE_SECONDS

    def _stay_in_touch(self) -> None:
        """Where no terminal shows it moving: says what is under way when nothing else was said."""
        while not self._over.wait(TICK_SECONDS):
            with self._lock:
                if time.monotonic() < self._due:
                    continue
                for layer, progress in self._layers.items():
                    if not progress.ended:
                        seconds = time.monotonic() - progress.started
                        doing = progress.line() or "the program hasn't registered anything"
                        self._print(f"{layer}: after {seconds:.0f} s: {doing}", "dim")
                self._due = time.monotonic() + REMINDER_SECONDS

    def _moving(self) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False, title=self._title,
                      title_justify="left", title_style="bold")  # fmt: skip
        for layer, progress in list(self._layers.items()):
            seconds = time.monotonic() - progress.started
            mark = {"": "…", "done": "✓"}.get(progress.ended, "✗")
            clock = f"{seconds:.0f} s" if not progress.ended else ""
            table.add_row(mark, layer, clock, progress.line())
        return table


def _shown(value: Any) -> str:
    text = "(absent)" if value is None else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
