"""A recorded pair of terminals, and the animated picture of it.

A recording is JSON lines, one for each line of a terminal. ``./inv bench recording`` makes it of a
drill's history; the picture shows its lines in their order and at their pace, sped up as a whole,
and never changes one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from html import escape

from ops.quality.themes import Theme

PLAY_SECONDS = 40.0
"""How long the picture plays before it begins again."""
END_SECONDS = 4.0
"""Of them, how long the last screen stands."""
READ_SECONDS = 1.2
"""Time to read what stands there before the next command is typed."""
TYPING_SECONDS = 0.02
"""A typed letter."""

PROMPT = 2
"""Letters of the prompts ``$`` and ``>`` with their space."""
COLUMNS = 56
LINE, LETTER, EDGE, TITLE = 19, 8.4, 12, 26
"""Pixels: a line's height, a letter's width, the margin, the height of a pane's title."""


SUMMARY = (
    "Two terminals. A client writes records, and a drill takes us-east-1 away: writes fail, DNS "
    "moves to us-west-2, its database is promoted by itself, and writes succeed."
)
"""What a screen reader says of the recording in docs/pictures."""


COLOURS = {
    "dead": r"outage|unhealthy|unknown|no answer|\b503\b",
    "alive": r"\b(?:201|dns:|writer:) us-west-2$|promoted$",
}
"""Colour → what a line in it says; all others have the text's own."""


@dataclass(frozen=True)
class Pane:
    """One of the terminals: its name in the recording, its title, its height in lines."""

    name: str
    title: str
    rows: int


PANES = (
    Pane("operator", "the drill: what is seen from outside", 15),
    Pane("client", "a client's writes through DNS", 9),
)


@dataclass(frozen=True)
class Shown:
    """One line of a terminal. ``at`` is in seconds from the recording's beginning; what was typed
    begins with its prompt (``PROMPT`` letters)."""

    at: float
    pane: str
    text: str
    typed: bool = False


def dump(shown: Iterable[Shown]) -> str:
    """Returns a recording's JSON lines."""
    return "".join(f"{json.dumps(asdict(one), ensure_ascii=False)}\n" for one in shown)


def load(text: str) -> list[Shown]:
    """Returns the lines of a recording, in the order of their time."""
    found = [Shown(**json.loads(line)) for line in text.splitlines()]
    return sorted(found, key=lambda one: one.at)


def wrapped(shown: Iterable[Shown]) -> list[Shown]:
    """Returns the lines as a terminal of ``COLUMNS`` letters breaks them."""
    return [
        replace(one, text=one.text[start : start + COLUMNS].rstrip())
        for one in shown
        for start in range(0, max(1, len(one.text)), COLUMNS)
    ]


def schedule(shown: Sequence[Shown]) -> tuple[float, list[float]]:
    """Returns how much faster than recorded it plays, and when each line appears (seconds).

    Everything plays at one pace; only before and while a command is typed time stands. Raises
    ValueError for more commands than ``PLAY_SECONDS`` have room for.
    """
    stops, stopped = [], 0.0
    for number, one in enumerate(shown):
        before = shown[number - 1] if number else None
        if one.typed and before is not None and not before.typed:
            stopped += READ_SECONDS
        stops.append(stopped)
        if one.typed:
            stopped += TYPING_SECONDS * len(one.text)
    room = PLAY_SECONDS - END_SECONDS - stopped
    if room <= 0:
        raise ValueError(f"{stopped:.0f} s of typing and reading leave no time to play: type less")
    first, last = shown[0].at, shown[-1].at
    pace = max(1.0, (last - first) / room)
    return pace, [(one.at - first) / pace + stop for one, stop in zip(shown, stops, strict=True)]


def draw(recorded: Sequence[Shown], theme: Theme, summary: str) -> str:
    """Returns the picture as SVG: animated by CSS, still and at its end where motion is unwanted.

    ``summary`` is what a screen reader says of it.
    """
    shown = wrapped(recorded)
    pace, times = schedule(shown)
    styles, panes = [], []
    top = 0
    for pane in PANES:
        mine = [(at, one) for at, one in zip(times, shown, strict=True) if one.pane == pane.name]
        title = (
            f"{pane.title}, {pace:.0f} times as fast as it was" if pane is PANES[-1] else pane.title
        )
        style, drawn = _pane(pane, title, mine, top)
        styles += style
        panes += drawn
        top += TITLE + pane.rows * LINE + EDGE
    width = round(COLUMNS * LETTER + 2 * EDGE)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" role="img" '
            'xml:space="preserve" '
            f'aria-label="{escape(summary)}" font-size="14" '
            'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace">',
            f"<title>{escape(summary)}</title>",
            "<style>",
            *_colours(theme),
            "@media (prefers-reduced-motion: no-preference) {",
            *styles,
            "}",
            "</style>",
            f'<rect width="{width}" height="{top}" rx="10" class="ground"/>',
            *panes,
            "</svg>\n",
        ]
    )


def _colours(theme: Theme) -> list[str]:
    return [
        f".ground {{ fill: {theme.ground}; }} .box {{ fill: {theme.box}; }}",
        f".text {{ fill: {theme.text}; }} .title {{ fill: {theme.faint}; font-size: 12px; }}",
        f".typed {{ fill: {theme.text}; font-weight: 600; }}",
        f".dead {{ fill: {theme.dead}; }} .alive {{ fill: {theme.alive}; }}",
    ]


def _pane(
    pane: Pane, title: str, lines: Sequence[tuple[float, Shown]], top: int
) -> tuple[list[str], list[str]]:
    """Returns the animations of one pane, and its elements."""
    height, width = pane.rows * LINE, round(COLUMNS * LETTER)
    styles = [_scroll(pane, [at for at, _ in lines])]
    drawn = [
        f'<text x="{EDGE}" y="{top + 18}" class="title">{escape(title)}</text>',
        f'<svg x="{EDGE - 6}" y="{top + TITLE}" width="{width + 12}" height="{height + 1}">',
        '<rect width="100%" height="100%" rx="6" class="box"/>',
        f'<g class="{pane.name}" transform="translate(6 {(pane.rows - len(lines)) * LINE})">',
    ]
    for number, (at, one) in enumerate(lines):
        y = number * LINE + 15
        if one.text:
            drawn.append(
                f'<text y="{y}" class="{_class(one)}" textLength="{len(one.text) * LETTER:.1f}">'
                f"{escape(one.text)}</text>"
            )
        if one.typed:
            name = f"{pane.name}-{number}"
            styles.append(_typing(name, at, len(one.text)))
            drawn.append(
                f'<rect x="{PROMPT * LETTER:.1f}" y="{number * LINE}" width="{width}" '
                f'height="{LINE}" class="box {name}" transform="translate({width} 0)"/>'
            )
    return styles, [*drawn, "</g>", "</svg>"]


def _class(one: Shown) -> str:
    """The colour of a line, by what it says of the two regions."""
    if one.typed:
        return "typed"
    return next((name for name, words in COLOURS.items() if re.search(words, one.text)), "text")


def _scroll(pane: Pane, times: Sequence[float]) -> str:
    """The pane moves up by a line whenever one appears: all stand below it, in their order."""
    stands = dict.fromkeys([0.0], 0) | {at: number for number, at in enumerate(times, 1)}
    frames = " ".join(
        f"{_percent(at)} {{ transform: translate(6px, {(pane.rows - count) * LINE}px); }}"
        for at, count in stands.items()
    )
    last = f"100% {{ transform: translate(6px, {(pane.rows - len(times)) * LINE}px); }}"
    return (
        f"@keyframes {pane.name} {{ {frames} {last} }}\n"
        f".{pane.name} {{ animation: {pane.name} {PLAY_SECONDS:g}s step-end infinite; }}"
    )


def _typing(name: str, at: float, letters: int) -> str:
    """A cover moves off a command letter by letter."""
    end = at + TYPING_SECONDS * letters
    by_letter = f" animation-timing-function: steps({letters}, end);"
    frames = (
        ("0%", 0.0, ""),
        (_percent(at), 0.0, by_letter),
        (_percent(end), letters * LETTER, ""),
        (_percent(end + 0.01), COLUMNS * LETTER, ""),
        ("100%", COLUMNS * LETTER, ""),
    )
    drawn = " ".join(
        f"{when} {{ transform: translate({right:.1f}px, 0);{how} }}" for when, right, how in frames
    )
    return (
        f"@keyframes {name} {{ {drawn} }}\n"
        f".{name} {{ animation: {name} {PLAY_SECONDS:g}s step-end infinite; }}"
    )


def _percent(seconds: float) -> str:
    return f"{100 * seconds / PLAY_SECONDS:.3f}%"
