"""The recorded drills, as far as the page shows them, and their evidence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ops.drill.evidence import folder
from ops.report.drills import Recorded, recorded

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,120}")
KINDS = ("json", "html")
"""The evidence that a browser shows."""


@dataclass(frozen=True)
class Drill:
    """One recorded drill; seconds are None where none were measured."""

    name: str
    verdict: str
    scenario: str
    where: str
    clock: float
    traffic_rto: float | None
    write_rto: float | None
    rpo: float | None
    kinds: tuple[str, ...] = ()
    """Which of ``KINDS`` are there."""


class Drills:
    """The drills of a workspace, read again only when a file has come, gone or changed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: tuple[tuple[str, float], ...] = ()
        self._drills: tuple[Drill, ...] = ()

    def read(self) -> tuple[Drill, ...]:
        """Returns them, newest first; one that isn't whole is ``unreadable``. Raises OSError."""
        files = sorted(folder(self._directory).glob("*"))
        seen = tuple((file.name, file.stat().st_mtime) for file in files)
        if seen != self._seen:
            self._drills = tuple(map(_drill, recorded(self._directory)))
            self._seen = seen
        return self._drills


def evidence(directory: Path, name: str, kind: str) -> Path | None:
    """The file of a drill's evidence; None where there is none of that name and kind."""
    if kind not in KINDS or not NAME.fullmatch(name):
        return None
    file = folder(directory) / f"{name}.{kind}"
    return file if file.is_file() else None


def _drill(one: Recorded) -> Drill:
    kinds = tuple(kind for kind in KINDS if one.path.with_suffix(f".{kind}").is_file())
    found = one.document
    if one.fault:
        return Drill(one.id, "unreadable", "", "", 1.0, None, None, None, kinds)
    return Drill(
        one.id,
        found["verdict"],
        found["scenario"],
        found["where"],
        found["clock"],
        found["traffic_rto_seconds"],
        found["write_rto_seconds"],
        found["rpo_seconds"],
        kinds,
    )
