"""Findings: what a drill taught, who mends it until when. They are carried from drill to drill
until they are closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from ops.errors import bad_input

DUE_DAYS = 30
"""When a failed expectation that nobody has taken yet is due."""
FORM = "TEXT;OWNER;DUE (such as 'alarm was late;A. Person;2027-01-31'), or close:ID"
CLOSE = "close:"


@dataclass(frozen=True)
class Finding:
    """Dates are ISO 8601; ``closed`` is empty while it is open."""

    id: str
    text: str
    owner: str
    due: str
    opened: str
    closed: str = ""


def carried(document: Mapping[str, Any] | None) -> list[Finding]:
    """The open findings of the drill before."""
    given = document["findings"] if document else []
    return [finding for one in given if not (finding := Finding(**one)).closed]


def with_given(
    before: Sequence[Finding], given: Iterable[str], today: date, drill: str
) -> list[Finding]:
    """Those before with what ``--finding`` says: new ones, or ``close:ID``. Raises
    ``OperatorError``."""
    found = list(before)
    for text in given:
        if text.startswith(CLOSE):
            wanted = text.removeprefix(CLOSE).strip()
            if wanted not in {one.id for one in found}:
                known = ", ".join(one.id for one in found) or "none is open"
                raise bad_input(f"there is no open finding {wanted!r}: {known}")
            found = [
                replace(one, closed=today.isoformat()) if one.id == wanted else one for one in found
            ]
            continue
        parts = [part.strip() for part in text.split(";")]
        if len(parts) != 3 or not all(parts) or not _is_date(parts[2]):
            raise bad_input(f"--finding {text!r} isn't {FORM}")
        what, owner, due = parts
        found.append(Finding(_id(drill, found), what, owner, due, today.isoformat()))
    return found


def with_reasons(
    before: Sequence[Finding], reasons: Iterable[str], today: date, drill: str
) -> list[Finding]:
    """Those before, and one for each reason that none of the open ones has already."""
    found = list(before)
    for reason in reasons:
        if reason not in {one.text for one in found if not one.closed}:
            due = (today + timedelta(days=DUE_DAYS)).isoformat()
            found.append(Finding(_id(drill, found), reason, "", due, today.isoformat()))
    return found


def _id(drill: str, found: Sequence[Finding]) -> str:
    own = sum(one.id.startswith(f"{drill}/") for one in found)
    return f"{drill}/{own + 1}"


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
