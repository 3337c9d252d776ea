"""The pictures of a drill's page as SVG: what stood when in both regions, latency and errors.

Own lines of SVG: the plotting libraries either weigh tens of megabytes or draw no lanes. Shapes
carry words and patterns beside their colours, so that they can be read on paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

WIDTH, LEFT, RIGHT = 960, 120, 20
LANE, GAP, AXIS = 26, 8, 30
PLOT_HEIGHT = 150
TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200)
LANES = ("health us-east-1", "health us-west-2", "dns", "writer", "switch", "controller us-east-1",
         "controller us-west-2")  # fmt: skip


@dataclass(frozen=True)
class Bar:
    """One state of one lane, in seconds after the loss."""

    lane: str
    start: float
    end: float
    text: str


def bars(timeline: Iterable[Mapping[str, Any]], loss_at: float, end: float) -> list[Bar]:
    """What a timeline says of each lane: a state lasts until the next one of its lane."""
    changes: dict[str, list[tuple[float, str]]] = {}
    for one in timeline:
        lane, text = _lane(one["source"], one["what"])
        if lane in LANES:
            changes.setdefault(lane, []).append((one["at"] - loss_at, text))
    found = []
    for lane in LANES:
        states = changes.get(lane, [])
        ends = [*(at for at, _ in states[1:]), max([end, *(at for at, _ in states)])]
        ends = ends[: len(states)]
        found += [
            Bar(lane, at, until, text)
            for (at, text), until in zip(states, ends, strict=True)
            if until > at
        ]
    return found


def _lane(source: str, what: str) -> tuple[str, str]:
    if source in ("health", "controller"):
        region, _, state = what.partition(": ")
        return f"{source} {region}", state
    return source, what


def lanes(found: Sequence[Bar], marks: Sequence[tuple[float, str]], start: float) -> Markup:
    """The picture of both regions. ``marks`` are moments with their names."""
    names = [lane for lane in LANES if any(bar.lane == lane for bar in found)]
    end = max([1.0, *(bar.end for bar in found), *(at for at, _ in marks)])
    height = len(names) * (LANE + GAP) + AXIS + 16 * len(marks)
    across = _scale(start, end)
    parts = [_open(height, "What stood when, in seconds after the loss")]
    for number, lane in enumerate(names):
        y = number * (LANE + GAP)
        parts.append(_text(LEFT - 6, y + 17, lane, "end"))
        for bar in (bar for bar in found if bar.lane == lane):
            x, width = across(bar.start), max(1.0, across(bar.end) - across(bar.start))
            parts.append(
                Markup('<rect x="{:.1f}" y="{}" width="{:.1f}" height="{}" class="bar {}">'
                       "<title>{}: {:.0f} s to {:.0f} s</title></rect>").format(
                    x, y, width, LANE, tone(bar.text), bar.text, bar.start, bar.end)
            )  # fmt: skip
            if width > 7 * len(bar.text):
                parts.append(_text(x + 4, y + 17, bar.text, "start", "inside"))
    bottom = len(names) * (LANE + GAP)
    parts += _axis(across, start, end, bottom)
    for number, (at, name) in enumerate(marks):
        x, y = across(at), bottom + AXIS + 16 * number
        side = "end" if x > WIDTH * 0.7 else "start"
        parts.append(
            Markup('<line x1="{:.1f}" y1="0" x2="{:.1f}" y2="{}" class="mark"/>').format(x, x, y)
        )
        offset = -4 if side == "end" else 4
        parts.append(_text(x + offset, y + 4, f"{name} {at:.0f} s", side))
    return Markup("").join([*parts, Markup("</svg>")])


def requests(rows: Sequence[Sequence[float]], width: int, loss_at: float, title: str) -> Markup:
    """Succeeded above and failed below the middle, by second, with the corrected p99 as a line.

    ``rows`` are (second, succeeded, failed, p99 in seconds).
    """
    start = min([0.0, *(row[0] - loss_at for row in rows)])
    end = max([1.0, *(row[0] - loss_at + width for row in rows)])
    most = max([1.0, *(max(row[1], row[2]) for row in rows)])
    slowest = max([0.1, *(row[3] for row in rows)])
    across, middle = _scale(start, end), PLOT_HEIGHT / 2
    parts = [_open(PLOT_HEIGHT + AXIS, title)]
    thick = max(1.0, across(start + width) - across(start) - 0.5)
    for second, good, bad, _ in rows:
        x = across(second - loss_at)
        up, down = good / most * middle, bad / most * middle
        for y, high, kind in ((middle - up, up, "good"), (middle, down, "bad")):
            if high:
                parts.append(_bar(x, y, thick, high, kind))
    points = " ".join(
        f"{across(row[0] - loss_at):.1f},{PLOT_HEIGHT - row[3] / slowest * PLOT_HEIGHT:.1f}"
        for row in rows
    )
    parts.append(Markup('<polyline points="{}" class="line"/>').format(points))
    parts.append(_text(LEFT - 6, 12, f"{most / width:g}/s served", "end"))
    parts.append(_text(LEFT - 6, PLOT_HEIGHT - 2, f"{most / width:g}/s failed", "end"))
    parts.append(_text(LEFT - 6, middle + 4, f"p99 up to {slowest:.2g} s", "end"))
    parts += _axis(across, start, end, PLOT_HEIGHT)
    return Markup("").join([*parts, Markup("</svg>")])


def tone(text: str) -> str:
    """The class of a state: what is good, what is bad, what only is."""
    if text in ("unhealthy", "unknown", "nobody", "failed", "split", "held", "none"):
        return "bad"
    if text in ("suspect", "intent", "called", "promoting", "verifying", "blind", "unprotected"):
        return "busy"
    if text in ("us-west-2", "engaged", "promoted", "rebuilding"):
        return "moved"
    return "good"


def _scale(start: float, end: float) -> Any:
    room = WIDTH - LEFT - RIGHT
    return lambda at: LEFT + (at - start) / (end - start) * room


def _open(height: int, title: str) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>'
    ).format(WIDTH, height, title, title)  # fmt: skip


def _axis(across: Any, start: float, end: float, y: float) -> list[Markup]:
    step = next((tick for tick in TICKS if (end - start) / tick <= 12), TICKS[-1])
    first = int(start // step) * step
    ticks = [at for at in range(first, int(end) + 1, step) if at >= start]
    parts = [
        Markup('<line x1="{:.1f}" y1="{}" x2="{:.1f}" y2="{}" class="tick"/>').format(
            across(at), y, across(at), y + 5
        )
        for at in ticks
    ]
    return parts + [_text(across(at), y + 18, f"{at} s", "middle") for at in ticks]


def _bar(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    return Markup(
        '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="bar {}"/>'
    ).format(x, y, width, height, kind)


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}" class="{}">{}</text>').format(
        x, y, anchor, kind, text
    )
