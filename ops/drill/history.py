"""The recorded history of a drill (``.jsonl``): what was asked, answered, seen and found.

One JSON object a line, each with its ``line`` (``operation``, ``seen``, ``found`` or ``reading``);
docs/drill.md has the fields, so that anybody's checker can judge the same file. Times are the
drill's seconds from the beginning of the load: real ones at clock 1.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from pulumi_protocol.files import private_directory

OBJECT_EVERY = 10
"""Each tenth record carries an attachment."""


class Kind(StrEnum):
    """What a client asked for."""

    WRITE = "write"
    """``POST /records`` under an idempotency key that is this number's alone."""
    READ = "read"
    """The feed's first page: whether requests are served."""
    READ_BACK = "read-back"
    """``GET /records/{id}`` of a record that was acknowledged."""


class Outcome(StrEnum):
    """What a client knows after it."""

    OK = "ok"
    REFUSED = "refused"
    """Answered by 4xx: it certainly didn't happen."""
    ABSENT = "absent"
    """A read-back that found no such record."""
    UNKNOWN = "unknown"
    """No answer, or 5xx: it may have happened."""


class What(StrEnum):
    """What can be found in a region."""

    ROW = "row"
    OBJECT = "object"
    EVENT = "event"


def has_attachment(number: int) -> bool:
    """Whether the record of that number carries an attachment, which is an object in S3."""
    return number % OBJECT_EVERY == 0


@dataclass(frozen=True)
class Operation:
    """One request of one client. ``due`` is when the schedule wanted it, whenever it began.

    ``number`` is the record's, -1 where there is none; ``status`` 0 where nothing answered.
    ``record``, ``event`` and ``object`` are what a write or a read-back was answered, ``digest`` is
    the SHA-256 of the attachment that was sent (hexadecimal); ``region`` is who answered.
    """

    kind: Kind
    population: str
    number: int
    attempt: int
    due: float
    began: float
    ended: float
    outcome: Outcome
    status: int = 0
    region: str = ""
    record: str = ""
    event: str = ""
    object: str = ""
    digest: str = ""
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether the client got what it asked for."""
        return self.outcome is Outcome.OK


@dataclass(frozen=True)
class Seen:
    """What the drill observed beside the clients: ``source`` is dns, writer, health, controller,
    switch, drill or notice; only changes are recorded."""

    at: float
    source: str
    what: str


@dataclass(frozen=True)
class Found:
    """One thing that a region showed at the end. ``key`` is a row's id, an object's key or an
    event's id; ``number`` is the record's that a row says it is, -1 for others."""

    region: str
    what: What
    key: str
    number: int = -1
    digest: str = ""


@dataclass(frozen=True)
class Reading:
    """One region was read to the end, or it wasn't (``complete`` false) and says nothing."""

    region: str
    what: What
    complete: bool
    detail: str = ""


@dataclass
class History:
    """All of it, in the order of recording."""

    operations: list[Operation] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Adds one entry to its list."""
        _LISTS[type(entry)](self).append(entry)

    def entries(self) -> list[Entry]:
        """All entries, kind by kind."""
        return [*self.operations, *self.seen, *self.found, *self.readings]


Entry = Operation | Seen | Found | Reading
_NAMES: dict[str, Any] = {
    "operation": Operation, "seen": Seen, "found": Found, "reading": Reading,
}  # fmt: skip
_LINES = {kind: name for name, kind in _NAMES.items()}
_LISTS: dict[Any, Any] = {
    Operation: lambda history: history.operations,
    Seen: lambda history: history.seen,
    Found: lambda history: history.found,
    Reading: lambda history: history.readings,
}
_ENUMS: dict[str, type[StrEnum]] = {"kind": Kind, "outcome": Outcome, "what": What}


class HistoryError(ValueError):
    """A line isn't of this form: which one, and why."""


def as_line(entry: Entry) -> str:
    """One entry as its line, without the newline."""
    return json.dumps({"line": _LINES[type(entry)], **asdict(entry)}, separators=(",", ":"))


def parse(lines: Iterable[str]) -> History:
    """The history of these lines. Raises ``HistoryError`` with the number of the wrong one."""
    history = History()
    for number, line in enumerate(lines, 1):
        try:
            given = json.loads(line)
            kind = _NAMES[given.pop("line")]
            known = {field.name for field in fields(kind)}
            if given.keys() - known:
                raise ValueError(f"unknown field {', '.join(sorted(given.keys() - known))}")
            history.add(kind(**{k: _typed(kind, k, v) for k, v in given.items()}))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise HistoryError(f"line {number} isn't of a drill's history: {error}") from None
    return history


def _typed(kind: Any, key: str, value: Any) -> Any:
    return value if kind is Seen or key not in _ENUMS else _ENUMS[key](value)


class Recorder:
    """Writes entries as they come, thread-safe, and keeps them. A full disk is noted and stops
    nothing: what is lost of the file makes the drill void, not the system."""

    def __init__(self, path: Path) -> None:
        private_directory(path.parent)
        self._lock = threading.Lock()
        self.history = History()
        self.fault = ""
        self._file: TextIO | None = path.open("x", encoding="utf-8")
        path.chmod(0o600)

    def add(self, entry: Entry) -> None:
        """Keeps one entry and writes its line."""
        with self._lock:
            self.history.add(entry)
            self._write(f"{as_line(entry)}\n")

    def flush(self) -> None:
        """Writes what is buffered."""
        with self._lock:
            self._write("", flush=True)

    def close(self) -> None:
        """Ends the file; safe to call twice."""
        with self._lock:
            self._write("", flush=True)
            if self._file is not None:
                file, self._file = self._file, None
                file.close()

    def _write(self, text: str, *, flush: bool = False) -> None:
        if self._file is None:
            return
        try:
            self._file.write(text)
            if flush:
                self._file.flush()
        except OSError as error:
            self.fault = f"the history can't be written: {error.strerror}"
            file, self._file = self._file, None
            try:
                file.close()
            except OSError:
                return
