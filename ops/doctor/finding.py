"""What the doctor found: one line each, with the remedy beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    ADVICE = "advice"
    """Works, and will hurt some day."""
    MISSING = "missing"
    """Nothing can be deployed before this is mended."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    detail: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """As ``--json`` prints it."""
        return asdict(self)


def ok(what: str, detail: str) -> Finding:
    """Nothing to do."""
    return Finding(what, State.OK, detail)


def advice(what: str, detail: str, remedy: str) -> Finding:
    """It works; the remedy is worth its while."""
    return Finding(what, State.ADVICE, detail, remedy)


def missing(what: str, detail: str, remedy: str) -> Finding:
    """It won't work before the remedy."""
    return Finding(what, State.MISSING, detail, remedy)
