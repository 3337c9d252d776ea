"""The journal: append-only entries, each carrying the hash of the one before (H10, audit).

An entry's hash covers its number, minute, kind, body and the hash before it, so that taking out,
changing or exchanging one breaks every later link.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from recovery.codec import to_json
from recovery.model import Action, Decision, Outcome, State
from recovery.observation import Observation

GENESIS = "0" * 64
"""The hash before the first entry."""


@dataclass(frozen=True)
class Entry:
    """One link; ``body`` is canonical JSON, ``hash`` SHA-256 in hexadecimal."""

    number: int
    minute: int
    kind: str
    body: str
    previous: str
    hash: str


def link(before: Entry | None, minute: int, kind: str, body: Mapping[str, Any]) -> Entry:
    """Returns the entry that follows ``before``."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    number = before.number + 1 if before else 1
    previous = before.hash if before else GENESIS
    return Entry(number, minute, kind, text, previous, _hash(number, minute, kind, text, previous))


def broken(entries: Iterable[Entry]) -> str:
    """Returns where a chain from its first entry on is broken, or nothing."""
    before: Entry | None = None
    for entry in entries:
        number, previous = (before.number + 1, before.hash) if before else (1, GENESIS)
        if entry.number != number:
            return f"entry {number} is missing: {entry.number} follows"
        if entry.previous != previous:
            return f"entry {number} doesn't follow the one before it"
        expected = _hash(entry.number, entry.minute, entry.kind, entry.body, entry.previous)
        if entry.hash != expected:
            return f"entry {number} was changed"
        before = entry
    return ""


def changed(before: State, decision: Decision) -> bool:
    """Whether a run is worth an entry: it acts, or its stage or reason is another one."""
    after = decision.state
    return bool(decision.actions) or (before.stage, before.reason) != (after.stage, after.reason)


def decision_body(observation: Observation, decision: Decision) -> dict[str, Any]:
    """Returns what an entry says of a decision and of all that it saw."""
    return {
        "actions": [describe(action) for action in decision.actions],
        "epoch": decision.state.epoch,
        "observation": to_json(observation),
        "reason": decision.reason,
        "stage": decision.state.stage.value,
    }


def outcome_body(action: Action, outcome: Outcome) -> dict[str, Any]:
    """Returns what an entry says of an action that was taken."""
    return {"action": describe(action), "outcome": to_json(outcome)}


def describe(action: Action) -> dict[str, Any]:
    """Returns an action as JSON values, with its name."""
    return {"name": type(action).__name__, **to_json(action)}


def _hash(number: int, minute: int, kind: str, body: str, previous: str) -> str:
    text = json.dumps([number, minute, kind, body, previous], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
