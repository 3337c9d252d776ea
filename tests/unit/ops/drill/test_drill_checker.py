"""The checker: histories that hold exactly one of each fault, and none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from drill_histories import EAST, WEST, whole, without, written
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.drill.checker import Counts, DataVerdict, check
from ops.drill.history import Found, History, Kind, Outcome, Reading, What


def judged(
    history: History, loss_at: float | None = None, bound: float | None = None
) -> DataVerdict:
    """Judged as a drill judges it."""
    return check(history, loss_at=loss_at, bound_seconds=bound)


def faults(counts: Counts) -> dict[str, int]:
    """The counts that aren't zero, but for the good ones."""
    good = ("acknowledged", "found")
    return {name: count for name, count in counts.as_dict().items() if count and name not in good}


def _lost(history: History) -> History:
    return without(without(history, EAST, "id-1"), WEST, "id-1")


def _duplicated(history: History) -> History:
    history.add(Found(WEST, What.ROW, "id-other", 1))
    return history


def _answered_twice(history: History) -> History:
    history.add(written(1, at=30.0, attempt=2, record="id-other"))
    return history


def _read_too_late(history: History) -> History:
    history.add(
        written(1, at=200.0, kind=Kind.READ_BACK, outcome=Outcome.ABSENT, status=404, record="")
    )
    return history


def _phantom(history: History) -> History:
    history.add(Found(EAST, What.ROW, "id-99", 99))
    return history


def _refused_and_there(history: History) -> History:
    history.add(written(50, outcome=Outcome.REFUSED, status=400, record=""))
    history.add(Found(EAST, What.ROW, "id-50", 50))
    return history


def _unanswered(history: History) -> History:
    history.add(written(50, outcome=Outcome.UNKNOWN, status=0, record=""))
    return history


def _unanswered_and_there(history: History) -> History:
    _unanswered(history)
    history.add(Found(EAST, What.ROW, "id-50", 50))
    return history


def _never_read(history: History) -> History:
    history.readings = [Reading(EAST, What.ROW, False), Reading(WEST, What.ROW, False)]
    return history


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda history: history, {}),
        (_lost, {"lost": 1}),
        (lambda history: without(history, WEST, "id-1"), {"stale": 1}),
        (_read_too_late, {"stale": 1}),
        (_duplicated, {"duplicated": 1}),
        (_answered_twice, {"duplicated": 1}),
        (_phantom, {"phantoms": 1}),
        (_refused_and_there, {"phantoms": 1}),
        (_unanswered, {"indeterminate": 1}),
        (_unanswered_and_there, {"indeterminate": 1, "indeterminate_found": 1}),
        (_never_read, {"never_read": 3}),
    ],
)
def test_exactly_what_is_wrong_is_counted(
    change: Callable[[History], History], expected: dict[str, int]
) -> None:
    """N11: of three rows one is lost, stale, duplicated … and nothing else is said."""
    found = judged(change(whole(range(3))))
    assert faults(found.rows) == expected
    wrong = sum(
        count for name, count in expected.items() if name in ("lost", "stale", "duplicated")
    )
    assert found.rows.found == 3 - wrong - 3 * ("never_read" in expected)


@pytest.mark.parametrize(
    ("what", "key"), [(What.OBJECT, "object-1"), (What.EVENT, "event-1")], ids=str
)
def test_objects_and_events_are_judged_by_key(what: What, key: str) -> None:
    """N11: each of them apart from its row."""

    def of(history: History) -> dict[str, int]:
        found = judged(history)
        return faults(found.objects if what is What.OBJECT else found.events)

    assert of(whole(range(3))) == {}
    assert of(without(whole(range(3)), WEST, key)) == {"stale": 1}
    assert of(without(without(whole(range(3)), WEST, key), EAST, key)) == {"lost": 1}
    twice = whole(range(3))
    twice.add(next(one for one in twice.found if one.key == key))
    assert of(twice) == {"duplicated": 1}
    unread = whole(range(3))
    unread.readings = []
    assert of(unread) == {"never_read": 3}


def test_an_object_with_other_content_is_not_the_acknowledged_one() -> None:
    """What was acknowledged is a content, not a name."""
    history = whole(range(2))
    history.found = [
        replace(one, digest="other") if one.key == "object-1" and one.region == WEST else one
        for one in history.found
    ]
    assert faults(judged(history).objects) == {"stale": 1}


def test_a_region_that_was_not_read_to_its_end_says_nothing() -> None:
    """The last reading of a region counts."""
    history = without(whole(range(3)), EAST, "id-1")
    history.add(Reading(EAST, What.ROW, False, "answers 503"))
    assert faults(judged(history).rows) == {}
    assert judged(history).unread == ("us-east-1's rows",)
    assert judged(whole(range(3))).unread == ()


def test_loss_is_held_against_the_measured_bound() -> None:
    """N11: rows are written at 10 to 14 s, the loss is at 15 s: what is older than the bound has no
    excuse, and the RPO is the oldest one's age."""
    history = whole(range(5))
    for number in (2, 4):
        history = without(without(history, EAST, f"id-{number}"), WEST, f"id-{number}")
    excused = judged(history, loss_at=15.0, bound=3.0)
    assert (excused.rows.lost, excused.beyond_bound) == ((2, 4), ())
    assert excused.rpo_seconds == pytest.approx(2.9)
    assert judged(history, loss_at=15.0, bound=1.5).beyond_bound == (2,)
    assert judged(history, loss_at=15.0, bound=None).beyond_bound == (2, 4)
    assert judged(history, loss_at=None, bound=9.0).rpo_seconds == 0


def test_a_read_back_in_time_or_of_nothing_acknowledged_is_no_fault() -> None:
    """Replication may take its while; of an unanswered write nobody expects anything."""
    history = whole(range(2))
    absent = written(1, at=20.0, kind=Kind.READ_BACK, outcome=Outcome.ABSENT, status=404, record="")
    history.add(absent)
    history.add(replace(absent, number=77, began=500.0))
    assert faults(judged(history).rows) == {}


@settings(deadline=None)
@given(st.data())
def test_every_acknowledged_row_is_counted_once(data: st.DataObject) -> None:
    """A property over any removals: found, lost and stale add up to what was acknowledged."""
    history = whole(range(6))
    history.found = [one for one in history.found if data.draw(st.booleans())]
    counts = judged(history).rows
    assert counts.found + len(counts.lost) + len(counts.stale) == counts.acknowledged == 6
    held = {(one.region, one.number) for one in history.found if one.what is What.ROW}
    assert set(counts.lost) == {
        n for n in range(6) if (EAST, n) not in held and (WEST, n) not in held
    }  # fmt: skip
