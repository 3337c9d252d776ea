"""Recorded drills: found, read and checked against the published schema."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.drill import schema
from ops.drill.evidence import folder
from ops.drill.history import History, HistoryError, parse
from ops.errors import OperatorError, bad_input, nearest

SUFFIXES = (".json", ".html", ".sig", ".jsonl")


class DocumentError(ValueError):
    """A document isn't one, or not whole: why, in one line."""


@dataclass(frozen=True)
class Recorded:
    """One drill's document and where it lies; ``fault`` says why there is none."""

    path: Path
    document: Mapping[str, Any]
    fault: str = ""

    @property
    def id(self) -> str:
        """The drill's name: that of its files."""
        return self.path.stem

    @property
    def page(self) -> Path:
        """Its page."""
        return self.path.with_suffix(".html")


def recorded(directory: Path) -> list[Recorded]:
    """The drills of a workspace (``Workspace.directory``), the newest first; one that can't be read
    is listed with its fault."""
    found = []
    for path in sorted(folder(directory).glob("*.json"), reverse=True):
        try:
            found.append(Recorded(path, read(path)))
        except DocumentError as error:
            found.append(Recorded(path, {}, str(error)))
    return found


def whole(directory: Path) -> list[Recorded]:
    """Those of them that could be read."""
    return [one for one in recorded(directory) if not one.fault]


def newest(directory: Path, stack: str) -> Mapping[str, Any] | None:
    """The document of a stack's last drill; None before the first one."""
    documents = [one.document for one in whole(directory)]
    return next((one for one in documents if one["stack"] == stack), None)


def read(path: Path) -> Mapping[str, Any]:
    """One document. Raises ``DocumentError`` where it isn't of the published schema."""
    try:
        text = path.read_text("utf-8")
        found = schema.fault(text)
    except OSError as error:
        raise DocumentError(f"{path} can't be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise DocumentError(f"{path} is truncated or isn't JSON: {error}") from None
    if found:
        raise DocumentError(f"{path} {found}")
    return json.loads(text)


def history_of(one: Recorded) -> History:
    """The history that a document names. Raises ``DocumentError`` where it was changed, is
    truncated or missing."""
    named = one.document["history"]
    path = one.path.with_name(Path(named["file"]).name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DocumentError(f"{path} can't be read: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != named["sha256"]:
        raise DocumentError(f"{path} isn't what {one.path.name} was made of: changed or truncated")
    try:
        return parse(content.decode().splitlines())
    except HistoryError as error:
        raise DocumentError(f"{path}: {error}") from None


def find(directory: Path, name: str) -> Recorded:
    """One drill by its id, the beginning of it, or a file of it. Raises ``OperatorError``."""
    given = Path(name)
    if given.suffix in SUFFIXES and given.exists():
        path = given.with_suffix(".json")
    else:
        ids = [path.stem for path in sorted(folder(directory).glob("*.json"))]
        matching = [one for one in ids if one.startswith(name)]
        if len(matching) != 1:
            several = f"{name!r} is the beginning of {', '.join(matching)}" if matching else ""
            raise bad_input(
                several
                or f"there is no drill {name!r}{nearest(name, ids)}: ./inv drill.history lists them"
            )
        path = folder(directory) / f"{matching[0]}.json"
    try:
        return Recorded(path, read(path))
    except DocumentError as error:
        raise OperatorError(str(error)) from None
