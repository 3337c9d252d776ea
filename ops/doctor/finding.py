"""What the doctor found: one line each, with the remedy beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class State(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    ADVICE = "advice"
    """Works today; its remedy avoids a fault later."""
    MISSING = "missing"
    """Nothing can be deployed until this is there."""


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
    """Returns what needs no remedy."""
    return Finding(what, State.OK, detail)


def advice(what: str, detail: str, remedy: str) -> Finding:
    """Returns what works today, with what makes it better."""
    return Finding(what, State.ADVICE, detail, remedy)


def missing(what: str, detail: str, remedy: str) -> Finding:
    """Returns what keeps a deployment from working until its remedy is done."""
    return Finding(what, State.MISSING, detail, remedy)
