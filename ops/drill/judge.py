"""The verdict of a drill: what the scenario wanted beside what was measured. Pure.

*Void* says that nothing can be concluded (the generator was late, nothing was steady before, the
history is incomplete); *failed* names each expectation that wasn't met.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ops.drill.checker import Counts, DataVerdict
from ops.drill.measure import HONEST, LATE_LIMIT_SECONDS, Figures
from ops.drill.scenario import Lost, Scenario, Traffic, Writes
from tapstack.budget import PROMOTION_ALLOWANCE_SECONDS, Budget

FLOOR_MARGIN = 1.15
"""By how much the clients' traffic RTO may be above Route 53's floor."""
KEPT_SECONDS = 120.0
"""Longest absence of writes that a planned change may cause."""


class Verdict(StrEnum):
    """What a drill says."""

    PASSED = "passed"
    FAILED = "failed"
    VOID = "void"


@dataclass(frozen=True)
class Facts:
    """What was found beside the clients: who writes at the end, calls that were accepted and
    refused, stages of the controller, whether all was steady, the generator's lateness in *real*
    seconds."""

    writer: str
    promotions: int
    stages: frozenset[str]
    steady: bool
    late_seconds: float
    clock: float
    home: str
    history_fault: str = ""
    interrupted: str = ""
    refused: int = 0
    left: str = ""
    """Why the system wasn't brought back to what it was; empty where it was."""


@dataclass(frozen=True)
class Judgement:
    """The verdict and its reasons; none where it passed."""

    verdict: Verdict
    reasons: tuple[str, ...] = field(default=())


def judge(
    scenario: Scenario, figures: Figures, data: DataVerdict, facts: Facts, budget: Budget
) -> Judgement:
    """Returns the verdict. Times are held against the budget at clock 1 alone: functions run in
    real time, so a fast lab's seconds are no measure of a promise."""
    void = _void(facts)
    if void:
        return Judgement(Verdict.VOID, tuple(void))
    reasons = [
        *_traffic(scenario, figures, facts, budget),
        *_writes(scenario, figures, facts, budget),
        *_recovery(scenario, facts),
        *_data(scenario, data),
        *([f"not brought home: {facts.left}"] if facts.left else []),
    ]
    return Judgement(Verdict.FAILED if reasons else Verdict.PASSED, tuple(reasons))


def with_allowance(seconds: float | None, promotion: float | None) -> float | None:
    """The write RTO as it would be were the promotion to take all that is allowed for AWS's."""
    if seconds is None:
        return None
    return seconds - (promotion or 0.0) + PROMOTION_ALLOWANCE_SECONDS


def _void(facts: Facts) -> list[str]:
    found = {
        facts.interrupted: bool(facts.interrupted),
        facts.history_fault: bool(facts.history_fault),
        "requests and writes weren't steady before the loss": not facts.steady,
        f"the generator was {facts.late_seconds * 1000:.0f} ms late at p99, at most "
        f"{LATE_LIMIT_SECONDS * 1000:.0f} ms": facts.late_seconds > LATE_LIMIT_SECONDS,
    }
    return [reason for reason, holds in found.items() if holds]


def _traffic(scenario: Scenario, figures: Figures, facts: Facts, budget: Budget) -> list[str]:
    wanted, seconds = scenario.expect.traffic, figures.traffic.get(HONEST)
    if wanted is Traffic.ANY:
        return []
    if seconds is None:
        return ["requests didn't recover while it was watched"]
    if wanted is Traffic.STAYS:
        moved = figures.served_by != facts.home
        return [f"requests went to {figures.served_by}, and should have stayed"] if moved else []
    if figures.served_by == facts.home:
        return [f"requests are still served by {facts.home}"]
    limit = budget.traffic_rto * FLOOR_MARGIN
    if facts.clock == 1 and seconds > limit:
        return [f"requests recovered after {seconds:.0f} s, at most {limit:.0f} s"]
    return []


def _writes(scenario: Scenario, figures: Figures, facts: Facts, budget: Budget) -> list[str]:
    wanted, seconds = scenario.expect.writes, figures.writes.get(HONEST)
    if wanted is Writes.ANY:
        return []
    if wanted is Writes.LOST:
        return [] if seconds is None else [f"writes came back after {seconds:.0f} s by themselves"]
    if seconds is None:
        return ["writes didn't recover while it was watched"]
    if facts.clock != 1:
        return []
    if wanted is Writes.KEPT:
        if seconds <= KEPT_SECONDS:
            return []
        return [f"writes were away for {seconds:.0f} s, at most {KEPT_SECONDS:.0f} s"]
    promoted = scenario.expect.promotions > 0
    said = with_allowance(seconds, figures.promotion) if promoted else seconds
    limit = budget.write_rto_with_a_lost_run
    if said is not None and said > limit:
        return [f"writes recovered after {said:.0f} s with AWS's allowance, at most {limit} s"]
    return []


def _recovery(scenario: Scenario, facts: Facts) -> list[str]:
    expect, found = scenario.expect, []
    if facts.writer != expect.writer:
        found.append(f"{facts.writer or 'nobody'} writes, and {expect.writer} should")
    if facts.promotions != expect.promotions:
        found.append(
            f"{facts.promotions} promotions were called, and should be {expect.promotions}"
        )
    if facts.refused:
        found.append(f"{facts.refused} calls were refused by AWS, which no guard held back")
    if expect.stage and expect.stage not in facts.stages:
        found.append(f"the controller never was {expect.stage}")
    return found


def _data(scenario: Scenario, data: DataVerdict) -> list[str]:
    found: Mapping[str, int] = {
        **(
            {"acknowledged rows are lost": len(data.rows.lost)}
            if scenario.expect.lost is Lost.NONE
            else {
                "acknowledged rows are lost though older than the measured bound": len(
                    data.beyond_bound
                )
            }
        ),
        "acknowledged rows are duplicated": len(data.rows.duplicated),
        "acknowledged rows were never read": len(data.rows.never_read),
        "acknowledged rows are stale": len(data.rows.stale),
        "rows are there that nobody wrote": data.rows.phantoms,
        **_of_kept_rows("events", data.events, data.rows),
        **_of_kept_rows("objects", data.objects, data.rows),
    }
    unread = [f"{what} weren't read to their end" for what in data.unread]
    return [f"{count} {what}" for what, count in found.items() if count] + unread


def _of_kept_rows(what: str, counts: Counts, rows: Counts) -> Mapping[str, int]:
    """An event or an object goes with its row; one whose row is kept has no excuse."""
    gone = set(rows.lost)
    return {
        f"{what} of kept rows are lost": len(set(counts.lost) - gone),
        f"{what} of kept rows are in one region alone": len(set(counts.stale) - gone),
    }
