"""The document: of the published schema, with nothing called RTO that isn't one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import fastjsonschema
import pytest
from drill_histories import FACTS, LOSS_AT, document, recovered_course

from ops.drill import findings
from ops.drill.document import pieces
from ops.drill.findings import Finding
from ops.drill.measure import figures
from ops.drill.scenario import load, names
from ops.drill.schema import validator
from ops.errors import OperatorError
from tapstack.budget import recovery_budget

TODAY = date(2026, 11, 28)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", names())
def test_a_document_is_of_the_published_schema(name: str) -> None:
    """names.md: whatever the scenario, passed or failed, the form is the agreed one."""
    made = document(scenario=load(name))
    validator()(made)
    assert {"verdict", "scenario", "where", "clock", "rows", "objects", "events", "rpo_seconds",
            "timeline", "findings", "budget", "floor_seconds"} <= made.keys()  # fmt: skip
    assert json.loads(json.dumps(made)) == made


def test_a_real_clock_has_rtos() -> None:
    """Measured, and with AWS's allowance, beside each other."""
    made = document()
    assert made["traffic_rto_seconds"] == pytest.approx(120, abs=1)
    assert made["write_rto_seconds"] == pytest.approx(260, abs=1)
    assert made["write_rto_with_allowance_seconds"] == pytest.approx(738, abs=1)
    assert made["floor_seconds"] == 160
    assert made["next_due"] == "2027-02-26"
    assert (
        document(scenario=load("application-only"))["write_rto_with_allowance_seconds"]
        == (made["write_rto_seconds"])
    )


def test_a_fast_clock_has_none_and_the_schema_holds_it() -> None:
    """Issue 20.4: figures at another clock are never called RTO."""
    made = document(clock=20.0)
    assert made["traffic_rto_seconds"] is made["write_rto_seconds"] is None
    assert made["write_rto_with_allowance_seconds"] is None
    assert made["figures"]["traffic"]["honest"] == pytest.approx(120, abs=1)
    validator()(made)
    with pytest.raises(fastjsonschema.JsonSchemaException):
        validator()({**made, "traffic_rto_seconds": 120.0})


@pytest.mark.parametrize(
    "change", [{"verdict": "fine"}, {"more": 1}, {"id": "x y"}, {"rows": {}}, {"clock": 0}]
)
def test_another_form_is_refused(change: dict[str, Any]) -> None:
    """The schema can fail: no field more, none less, none of another kind."""
    with pytest.raises(fastjsonschema.JsonSchemaException):
        validator()({**document(), **change})


def test_pieces_stand_beside_the_budget() -> None:
    """Each piece that the budget names, and none where nothing was seen of it."""
    budget = recovery_budget(30, 3)
    found = pieces(figures(recovered_course(), LOSS_AT), budget)
    assert [one["measured_seconds"] for one in found] == [
        100.0, pytest.approx(20, abs=1), pytest.approx(258, abs=1), 2.0,
    ]  # fmt: skip
    assert [one["budget_seconds"] for one in found] == [100, 60, 420, 480]
    nothing = replace(
        figures(recovered_course(), LOSS_AT), dns_switch=None, promotion=None, traffic={}
    )
    assert [one["measured_seconds"] for one in pieces(nothing, budget)] == [None] * 4


def test_a_failed_drill_says_why() -> None:
    """The reasons stand in the document, and make findings until somebody closes them."""
    made = document(facts=replace(FACTS, promotions=2))
    assert made["verdict"] == "failed"
    assert made["reasons"] == ["2 promotions were called, and should be 1"]


# Findings


def test_findings_are_carried_until_they_are_closed() -> None:
    """Issue 20.5: with owners and dates, from drill to drill."""
    first = findings.with_given([], ["alarm was late; A. Person; 2027-01-31"], TODAY, "d1")
    assert first == [Finding("d1/1", "alarm was late", "A. Person", "2027-01-31", "2026-11-28")]
    second = findings.with_reasons(first, ["alarm was late", "other", "other"], TODAY, "d2")
    assert [one.id for one in second] == ["d1/1", "d2/1"]
    assert (second[1].owner, second[1].due) == ("", "2026-12-28")
    kept = findings.carried(document(findings=tuple(second)))
    assert kept == second
    closed = findings.with_given(kept, ["close: d1/1"], TODAY, "d3")
    assert closed[0].closed == "2026-11-28"
    assert [one.id for one in findings.carried(document(findings=tuple(closed)))] == ["d2/1"]
    assert findings.carried(None) == []


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("only text", "isn't TEXT;OWNER;DUE"),
        ("text;owner;soon", "isn't TEXT;OWNER;DUE"),
        (";owner;2027-01-31", "isn't TEXT;OWNER;DUE"),
        ("close:d9/9", "there is no open finding 'd9/9': none is open"),
    ],
)
def test_a_finding_of_another_form_is_one_line(given: str, line: str) -> None:
    """Bad input."""
    with pytest.raises(OperatorError, match=line):
        findings.with_given([], [given], TODAY, "d1")
