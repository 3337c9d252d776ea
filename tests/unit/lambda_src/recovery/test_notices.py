"""Notices to people: one at every transition, in words that say what is theirs to do."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from recovery import words
from recovery.model import Incident, Intent, Notice, Sent, Stage, State
from recovery.model import Path as Way
from recovery.notices import KEPT_MINUTES
from recovery.transitions import noted

ROOT = Path(__file__).resolve().parents[4]
SOURCES = ROOT / "lambda_src" / "recovery" / "recovery"
SCHEMA = json.loads((ROOT / "docs" / "notice.schema.json").read_text())
INTENT = Intent(Way.REGION, 1, 90, "", 1, 5)


def kinds() -> set[str]:
    """Every kind of notice that the sources raise."""
    files = [*SOURCES.glob("*.py"), *(ROOT / "ops" / "recovery").glob("*.py")]
    text = "\n".join(file.read_text() for file in files)
    calls = re.findall(r'(?:page|inform)\([^"]*?f?"([a-z-]+)[:"]', text)
    return {
        *calls,
        *re.findall(r'Notice\("([a-z-]+)"', text),
        *re.findall(r'key = "([a-z]+):', text),
    }


def test_every_notice_has_its_words() -> None:
    """Issue 19.4: what was done, what is left to do, the command; no words for nothing."""
    assert kinds() == set(words.WORDS)


@pytest.mark.parametrize("kind", words.WORDS)
def test_a_message_says_what_was_seen_done_and_is_left_to_do(kind: str) -> None:
    """Issue 19.4: for the person who is woken, and for a program the same by schema."""
    notice = Notice(f"{kind}:x", "what was seen", page=True)
    said = words.message(notice)
    found = words.words_of(notice)
    for part in ("what was seen", found.done, found.yours, found.command, words.STATUS):
        assert part in said
    assert found.command.startswith("./inv ")
    detail = words.detail(notice, "us-west-2", "lab")
    properties = SCHEMA["properties"]
    assert set(detail) == set(SCHEMA["required"]) == set(properties)
    kinds_ = {"string": str, "boolean": bool, "integer": int}
    assert all(type(detail[key]) is kinds_[one["type"]] for key, one in properties.items())
    assert detail["schema"] == properties["schema"]["const"]


def test_a_kind_without_words_is_delivered_all_the_same() -> None:
    """A fault of ours swallows nothing."""
    assert "seen" in words.message(Notice("new", "seen", page=True))


@pytest.mark.parametrize(
    ("before", "after", "kind", "wakes"),
    [
        (Stage.SUSPECT, Stage.INTENT, "promoting", True),
        (Stage.PROMOTED, Stage.REBUILDING, "rebuilding", False),
        (Stage.REBUILDING, Stage.READY, "ready", False),
        (Stage.HELD, Stage.WATCHING, "watching", False),
        (Stage.UNPROTECTED, Stage.WATCHING, "watching", False),
    ],
)
def test_a_transition_is_notified_once(before: Stage, after: Stage, kind: str, wakes: bool) -> None:
    """Issue 19.4: the new stage raises its notice; staying in it raises none."""
    sent = (Sent("held:x", 5),)
    old, new = State(stage=before, raised=sent), State(stage=after, intent=INTENT)
    (notice,) = noted(old, new, 10).pending
    assert (notice.key, notice.page) == (kind, wakes)
    assert noted(new, new, 11).pending == ()
    again = noted(old, noted(old, new, 10), 11)
    assert len(again.pending) == 1, "not twice within its repeat time"
    assert KEPT_MINUTES > 60


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Stage.WATCHING, Stage.SUSPECT), (Stage.SUSPECT, Stage.WATCHING),
        (Stage.CALLED, Stage.PROMOTING),
    ],
)  # fmt: skip
def test_a_suspicion_is_no_message(before: Stage, after: Stage) -> None:
    """H4: a failover within the other region begins and ends so within a minute."""
    assert noted(State(stage=before), State(stage=after), 10).pending == ()


def test_the_end_of_what_nobody_heard_of_is_not_notified() -> None:
    """A new environment is unprotected for its first runs, and nobody was notified."""
    assert noted(State(stage=Stage.UNPROTECTED), State(), 10).pending == ()


def test_what_a_promotion_may_lose_is_said() -> None:
    """Seconds, or that nobody knows."""
    unknown = State(stage=Stage.INTENT, intent=replace(INTENT, loss_bound_seconds=-1))
    known = State(stage=Stage.INTENT, intent=INTENT, incident=Incident(1, Way.REGION, 90))
    texts = [noted(State(), one, 10).pending[0].text for one in (known, unknown)]
    assert "at most 90 s" in texts[0]
    assert "an unknown amount" in texts[1]
