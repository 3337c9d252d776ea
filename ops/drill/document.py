"""A drill's document (docs/drill.schema.json): what an auditor reads, made of what was recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.drill import measure
from ops.drill.checker import DataVerdict
from ops.drill.findings import Finding
from ops.drill.history import History, Kind
from ops.drill.judge import Facts, Judgement, with_allowance
from ops.drill.measure import HONEST, Figures
from ops.drill.scenario import Scenario
from tapstack.budget import CONTROLLER_PERIOD_SECONDS, PROMOTION_ALLOWANCE_SECONDS, Budget

FORM = 1
"""Version of the document's form."""
NEXT_DAYS = 90
"""A promotion without a person wants a passed drill that is no older (RECOVERY 3)."""
PLOT_WIDTH = 2
"""Seconds of one column in the plots."""


@dataclass(frozen=True)
class About:
    """What is known of a drill before it begins.

    ``where`` is lab or aws, ``clock`` the lab's seconds in a real one. ``participants`` are name
    and role.
    """

    id: str
    where: str
    stack: str
    clock: float
    seed: int
    commit: str
    configuration_sha256: str
    versions: Mapping[str, str] = field(default_factory=dict)
    participants: tuple[tuple[str, str], ...] = ()
    approved_by: str = ""


@dataclass(frozen=True)
class Course:
    """When what happened. ``started`` and ``ended`` are real, seconds since 1970; ``loss_at`` is in
    the drill's seconds; ``loss_bound_seconds`` is the controller's, None where none was promoted.
    """

    started: float
    ended: float
    loss_at: float
    loss_bound_seconds: float | None
    steady_before: Mapping[str, str]
    steady_after: Mapping[str, str]
    restored: str
    """How the drill left the system."""
    notices: Sequence[Mapping[str, Any]] = ()


def build(
    about: About,
    scenario: Scenario,
    course: Course,
    history: History,
    figures: Figures,
    data: DataVerdict,
    facts: Facts,
    judgement: Judgement,
    budget: Budget,
    history_file: tuple[str, bytes],
    findings: Sequence[Finding],
) -> dict[str, Any]:
    """Returns the document; ``history_file`` is the name and the content of the history."""
    at_speed = about.clock == 1
    traffic, writes = figures.traffic.get(HONEST), figures.writes.get(HONEST)
    promoted = scenario.expect.promotions > 0
    allowed = with_allowance(writes, figures.promotion) if promoted else writes
    ended = datetime.fromtimestamp(course.ended, UTC)
    name, content = history_file
    return {
        "form": FORM,
        "id": about.id,
        "verdict": judgement.verdict.value,
        "reasons": list(judgement.reasons),
        "scenario": scenario.name,
        "title": scenario.title,
        "objective": scenario.objective,
        "likelihood": scenario.likelihood,
        "hazards": list(scenario.hazards),
        "expected": scenario.expectation,
        "person_absent": scenario.person_absent,
        "where": about.where,
        "stack": about.stack,
        "clock": about.clock,
        "seed": about.seed,
        "started": _iso(course.started),
        "ended": _iso(course.ended),
        "participants": [{"name": who, "role": role} for who, role in about.participants],
        "approved_by": about.approved_by,
        "plan": {
            "commit": about.commit,
            "configuration_sha256": about.configuration_sha256,
            "versions": dict(about.versions),
        },
        "steady_state": {"before": dict(course.steady_before), "after": dict(course.steady_after)},
        "restored": course.restored,
        "traffic_rto_seconds": _seconds(traffic) if at_speed else None,
        "write_rto_seconds": _seconds(writes) if at_speed else None,
        "write_rto_with_allowance_seconds": _seconds(allowed) if at_speed else None,
        "floor_seconds": budget.traffic_rto,
        "figures": _rounded({**figures.as_dict(), "loss_at": course.loss_at}),
        "budget": _listed(budget.as_dict()),
        "pieces": pieces(figures, budget),
        "rows": data.rows.as_dict(),
        "objects": data.objects.as_dict(),
        "events": data.events.as_dict(),
        "rpo_seconds": round(data.rpo_seconds, 3),
        "rpo_rows": len(data.rows.lost),
        "loss_bound_seconds": course.loss_bound_seconds,
        "beyond_bound": len(data.beyond_bound),
        "generator_late_ms": round(facts.late_seconds * 1000, 1),
        "latency": _rounded(asdict(measure.latency(history.operations))),
        "operations": len(history.operations),
        "by_second": {
            "width": PLOT_WIDTH,
            **{
                kind.value: [
                    [second, good, bad, round(p99, 3)]
                    for second, good, bad, p99 in measure.by_second(
                        history.operations, kind, PLOT_WIDTH
                    )
                ]
                for kind in (Kind.READ, Kind.WRITE)
            },
        },
        "timeline": [
            {"at": round(one.at, 3), "source": one.source, "what": one.what}
            for one in sorted(history.seen, key=lambda one: one.at)
        ],
        "notices": [dict(notice) for notice in course.notices],
        "findings": [asdict(finding) for finding in findings],
        "next_due": (ended + timedelta(days=NEXT_DAYS)).date().isoformat(),
        "history": {"file": name, "sha256": hashlib.sha256(content).hexdigest()},
    }


def pieces(figures: Figures, budget: Budget) -> list[dict[str, Any]]:
    """Each piece of the budget beside what was measured of it; None where nothing was."""
    switch, traffic = figures.dns_switch, figures.traffic.get(HONEST)
    regained, promotion = figures.writer_regained, figures.promotion
    decided = None if regained is None or promotion is None else max(0.0, regained - promotion)
    health, ttl = budget.traffic
    before = sum(
        piece.seconds for piece in budget.writes if piece.seconds != PROMOTION_ALLOWANCE_SECONDS
    )
    found = [
        (health.name, health.seconds, switch),
        (
            ttl.name,
            ttl.seconds,
            None if traffic is None or switch is None else max(0.0, traffic - switch),
        ),
        ("proof, decision and proof of writes", before + CONTROLLER_PERIOD_SECONDS, decided),
        ("promotion of the standby database", PROMOTION_ALLOWANCE_SECONDS, promotion),
    ]
    return [
        {"name": name, "budget_seconds": limit, "measured_seconds": _seconds(seconds)}
        for name, limit, seconds in found
    ]


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers to a millisecond, in mappings as well."""
    return {
        key: round(value, 3)
        if isinstance(value, float)
        else _rounded(value)
        if isinstance(value, dict)
        else value
        for key, value in values.items()
    }


def _listed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Tuples as JSON has them."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
