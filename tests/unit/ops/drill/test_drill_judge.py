"""The verdict: each expectation that isn't met is named, and nothing passes by silence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from drill_histories import BUDGET, EAST, FACTS, LOSS_AT, recovered_course

from ops.drill import measure
from ops.drill.checker import Counts, DataVerdict
from ops.drill.judge import Facts, Judgement, Verdict, judge, with_allowance
from ops.drill.measure import Figures
from ops.drill.scenario import Lost, Scenario, Traffic, Writes, load

FIGURES = measure.figures(recovered_course(), LOSS_AT)
CLEAN = DataVerdict(Counts(5), Counts(1), Counts(5))


def expecting(**changes: Any) -> Scenario:
    """The region's loss with other expectations."""
    chosen = load()
    return replace(chosen, expect=replace(chosen.expect, **changes))


def judged(
    scenario: Scenario | None = None,
    figures: Figures = FIGURES,
    data: DataVerdict = CLEAN,
    facts: Facts = FACTS,
) -> Judgement:
    """The judgement over what is given, all else as it should be."""
    return judge(scenario or load(), figures, data, facts, BUDGET)


def test_a_region_recovered_in_time_passes() -> None:
    """N2: everything that had to happen has happened."""
    assert judged() == Judgement(Verdict.PASSED)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"interrupted": "interrupted"}, "interrupted"),
        ({"history_fault": "the history can't be written: full"}, "the history can't be written"),
        ({"steady": False}, "requests and writes weren't steady"),
        ({"late_seconds": 0.051}, "the generator was 51 ms late at p99, at most 50 ms"),
    ],
)
def test_what_measures_nothing_is_void(changes: dict[str, Any], reason: str) -> None:
    """Issue 20.2: no verdict on the system from a drill that saw too little."""
    found = judged(facts=replace(FACTS, **changes))
    assert found.verdict is Verdict.VOID
    assert found.reasons[0].startswith(reason)


@pytest.mark.parametrize(
    ("scenario", "figures", "facts", "reason"),
    [
        (None, {"traffic": {"honest": None}}, {}, "requests didn't recover while it was watched"),
        (None, {"traffic": {"honest": 185.0}}, {}, "requests recovered after 185 s, at most 184 s"),
        (None, {"served_by": EAST}, {}, "requests are still served by us-east-1"),
        (expecting(traffic=Traffic.STAYS), {}, {},
         "requests went to us-west-2, and should have stayed"),
        (None, {"writes": {"honest": None}}, {}, "writes didn't recover while it was watched"),
        (None, {"writes": {"honest": 430.0}}, {},
         "writes recovered after 908 s with AWS's allowance, at most 900 s"),
        (expecting(promotions=0), {"writes": {"honest": 901.0}}, {"promotions": 0},
         "writes recovered after 901 s with AWS's allowance, at most 900 s"),
        (expecting(writes=Writes.KEPT), {"writes": {"honest": 121.0}}, {},
         "writes were away for 121 s, at most 120 s"),
        (expecting(writes=Writes.LOST), {}, {}, "writes came back after 260 s by themselves"),
        (None, {}, {"writer": EAST}, "us-east-1 writes, and us-west-2 should"),
        (None, {}, {"writer": ""}, "nobody writes, and us-west-2 should"),
        (None, {}, {"promotions": 2}, "2 promotions were called, and should be 1"),
        (None, {}, {"refused": 1}, "1 calls were refused by AWS, which no guard held back"),
        (expecting(stage="held"), {}, {}, "the controller never was held"),
    ],
)  # fmt: skip
def test_each_expectation_that_is_not_met_is_named(
    scenario: Scenario | None, figures: dict[str, Any], facts: dict[str, Any], reason: str
) -> None:
    """Each guard that is gone fails a drill with the cause named."""
    found = judged(scenario, replace(FIGURES, **figures), facts=replace(FACTS, **facts))
    assert (found.verdict, found.reasons) == (Verdict.FAILED, (reason,))


@pytest.mark.parametrize(
    ("scenario", "figures"),
    [
        (expecting(traffic=Traffic.ANY), {"traffic": {"honest": None}}),
        (expecting(traffic=Traffic.STAYS), {"served_by": EAST}),
        (expecting(writes=Writes.KEPT), {"writes": {"honest": 20.0}}),
        (expecting(writes=Writes.LOST), {"writes": {"honest": None}}),
        (expecting(writes=Writes.ANY), {"writes": {"honest": None}}),
        (expecting(writes=Writes.ANY), {"writes": {"honest": 2000.0}}),
    ],
)
def test_what_was_expected_passes(scenario: Scenario, figures: dict[str, Any]) -> None:
    """The other side of each expectation."""
    assert judged(scenario, replace(FIGURES, **figures)).verdict is Verdict.PASSED


def test_a_fast_labs_seconds_are_held_against_no_promise() -> None:
    """Issue 20.4: at another clock than 1 there is no RTO; what didn't come back still fails."""
    slow = replace(FIGURES, traffic={"honest": 900.0}, writes={"honest": 2000.0})
    fast = replace(FACTS, clock=20.0)
    assert judged(figures=slow, facts=fast).verdict is Verdict.PASSED
    never = replace(slow, writes={"honest": None})
    assert judged(figures=never, facts=fast).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("lost", "data", "reason"),
    [
        (Lost.NONE, DataVerdict(Counts(5, lost=(1,)), Counts(), Counts(5)),
         "1 acknowledged rows are lost"),
        (Lost.NONE, DataVerdict(Counts(5), Counts(), Counts(5, lost=(1, 2))),
         "2 events of kept rows are lost"),
        (Lost.WITHIN_BOUND, DataVerdict(Counts(5, lost=(1,)), Counts(), Counts(5), 9.0, (1,)),
         "1 acknowledged rows are lost though older than the measured bound"),
        (Lost.WITHIN_BOUND, DataVerdict(Counts(5, lost=(1,)), Counts(), Counts(5, lost=(1, 2))),
         "1 events of kept rows are lost"),
        (Lost.NONE, DataVerdict(Counts(5), Counts(5, lost=(10,)), Counts(5)),
         "1 objects of kept rows are lost"),
        (Lost.NONE, DataVerdict(Counts(5), Counts(5, stale=(10, 20)), Counts(5)),
         "2 objects of kept rows are in one region alone"),
        (Lost.WITHIN_BOUND, DataVerdict(Counts(5), Counts(5), Counts(5, stale=(3,))),
         "1 events of kept rows are in one region alone"),
        (Lost.NONE, DataVerdict(Counts(5), Counts(5), Counts(5), unread=("us-west-2's objects",)),
         "us-west-2's objects weren't read to their end"),
        (Lost.WITHIN_BOUND, DataVerdict(Counts(5, duplicated=(1,)), Counts(), Counts(5)),
         "1 acknowledged rows are duplicated"),
        (Lost.NONE, DataVerdict(Counts(5, never_read=(1,)), Counts(), Counts(5)),
         "1 acknowledged rows were never read"),
        (Lost.NONE, DataVerdict(Counts(5, stale=(1,)), Counts(), Counts(5)),
         "1 acknowledged rows are stale"),
        (Lost.NONE, DataVerdict(Counts(5, phantoms=1), Counts(), Counts(5)),
         "1 rows are there that nobody wrote"),
    ],
)  # fmt: skip
def test_data_that_is_not_as_acknowledged_fails(lost: Lost, data: DataVerdict, reason: str) -> None:
    """N11: acknowledged means found, or lost within what was measured."""
    found = judged(expecting(lost=lost), data=data)
    assert found.reasons == (reason,)


def test_what_is_lost_within_the_bound_passes() -> None:
    """A promotion with data loss allowed may lose what the standby hadn't received."""
    lost = DataVerdict(
        Counts(5, lost=(4,)), Counts(2, stale=(4,)), Counts(5, lost=(4,), stale=(4,)), 0.4
    )
    assert judged(data=lost).verdict is Verdict.PASSED


def test_the_allowance_replaces_what_the_promotion_took() -> None:
    """Measured beside what AWS may take: never one for the other."""
    assert with_allowance(260.0, 2.0) == 738.0
    assert with_allowance(260.0, None) == 740.0
    assert with_allowance(None, 2.0) is None
