"""The drills that were recorded, as far as the page shows them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def recorded(folder: Path) -> tuple[Drill, ...]:
    """The drills of a folder, the newest file first; what isn't a whole document is listed as
    ``unreadable``."""
    try:
        files = sorted(folder.glob("*.json"), key=lambda file: (-file.stat().st_mtime, file.name))
    except OSError:
        return ()
    return tuple(_read(file) for file in files if NAME.fullmatch(file.stem))


def evidence(folder: Path, name: str, kind: str) -> Path | None:
    """The file of a drill's evidence; None where there is none of that name and kind."""
    if kind not in KINDS or not NAME.fullmatch(name):
        return None
    file = folder / f"{name}.{kind}"
    return file if file.is_file() else None


def _read(file: Path) -> Drill:
    kinds = tuple(kind for kind in KINDS if file.with_suffix(f".{kind}").is_file())
    try:
        found = json.loads(file.read_text())
        return Drill(
            file.stem,
            str(found["verdict"]),
            _scenario(found.get("scenario", "")),
            str(found.get("where", "")),
            float(found.get("clock", 1)),
            _seconds(found.get("traffic_rto_seconds")),
            _seconds(found.get("write_rto_seconds")),
            _seconds(found.get("rpo_seconds")),
            kinds,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Drill(file.stem, "unreadable", "", "", 1.0, None, None, None, kinds)


def _scenario(given: Any) -> str:
    return str(given.get("name", "")) if isinstance(given, dict) else str(given)


def _seconds(given: Any) -> float | None:
    return None if given is None else float(given)
