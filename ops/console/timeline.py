"""What changed in the last hour: decided from two pages, kept in a bounded file over a restart."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ops.console.facts import NOT_YET
from ops.console.model import Cell, Tone
from pulumi_protocol.files import write_atomically

HOUR_SECONDS = 3600
MOST = 2000
"""Moments that are kept; the file is rewritten when it holds twice as many lines."""
SHOWN = 200


@dataclass(frozen=True)
class Moment:
    """One change; ``at`` in seconds since the epoch. ``before`` is empty the first time."""

    at: float
    what: str
    before: str
    now: str
    tone: Tone
    detail: str = ""


@dataclass(frozen=True)
class Piece:
    """How something was for a part of the last hour; both in seconds of it."""

    start: int
    length: int
    tone: Tone
    text: str


@dataclass(frozen=True)
class Ribbon:
    """One thing over the last hour."""

    what: str
    pieces: tuple[Piece, ...]


def changes(known: Mapping[str, Moment], cells: Mapping[str, Cell], at: float) -> list[Moment]:
    """The cells that aren't as they were when they were last seen."""
    found = []
    for what, cell in cells.items():
        last = known.get(what)
        asked = NOT_YET not in cell.text
        if asked and (last is None or (last.now, last.tone) != (cell.text, cell.tone)):
            before = last.now if last else ""
            found.append(Moment(at, what, before, cell.text, cell.tone, cell.detail))
    return found


def ribbon(what: str, moments: Iterable[Moment], now: int) -> Ribbon:
    """How one thing was over the hour before ``now``; before it was first seen there is nothing."""
    own = [moment for moment in moments if moment.what == what]
    begin = now - HOUR_SECONDS
    pieces = []
    for index, moment in enumerate(own):
        end = own[index + 1].at if index + 1 < len(own) else now
        start = max(int(moment.at), begin)
        if int(end) > start:
            piece = Piece(start - begin, int(end) - start, moment.tone, moment.now)
            pieces.append(piece)
    return Ribbon(what, tuple(pieces))


@dataclass
class Timeline:
    """The moments of the last hour, and the last one of each thing however old it is."""

    file: Path
    moments: list[Moment] = field(default_factory=list)
    known: dict[str, Moment] = field(default_factory=dict)
    _lines: int = 0

    def load(self, now: float) -> None:
        """Reads what an earlier console kept; a line that isn't whole is left out."""
        try:
            lines = self.file.read_text().splitlines()
        except OSError:
            return
        self._take(moment for line in lines if (moment := _parsed(line)) is not None)
        self._forget(now)
        self._lines = len(lines)

    def see(self, cells: Mapping[str, Cell], at: float) -> bool:
        """Keeps what changed; returns whether anything did. Raises OSError."""
        found = changes(self.known, cells, at)
        for moment in found:
            self.add(moment)
        return bool(found)

    def add(self, moment: Moment) -> None:
        """Keeps one moment. Raises OSError where it can't be written."""
        self._take([moment])
        self._forget(moment.at)
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._lines >= 2 * MOST:
            kept = {id(one): one for one in (*self.known.values(), *self.moments)}
            every = sorted(kept.values(), key=lambda one: one.at)
            write_atomically(self.file, "".join(map(_line, every)))
            self._lines = len(every)
            return
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w") as output:
            output.write(_line(moment))
        self._lines += 1

    def shown(self) -> Sequence[Moment]:
        """The changes of the last hour, newest first; a first sight is no change."""
        return [moment for moment in reversed(self.moments) if moment.before][:SHOWN]

    def _take(self, moments: Iterable[Moment]) -> None:
        for moment in moments:
            self.moments.append(moment)
            self.known[moment.what] = moment

    def _forget(self, now: float) -> None:
        """What is older than an hour goes, except how each thing was when the hour began."""
        begin = now - HOUR_SECONDS
        young = [moment for moment in self.moments if moment.at >= begin]
        old: dict[str, Moment] = {}
        for moment in self.moments:
            if moment.at < begin:
                old[moment.what] = replace(moment, before="")
        self.moments = [*old.values(), *young][-MOST:]


def _line(moment: Moment) -> str:
    return json.dumps(asdict(moment)) + "\n"


def _parsed(line: str) -> Moment | None:
    try:
        found = json.loads(line)
        return Moment(**{**found, "at": float(found["at"]), "tone": Tone(found["tone"])})
    except (ValueError, KeyError, TypeError):
        return None
