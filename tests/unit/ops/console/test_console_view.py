"""What facts mean on the page: pure, and nothing good that isn't known to be good."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pytest
from console_facts import (
    AWS,
    CALM,
    DOCUMENT,
    EAST,
    LAB,
    NOW,
    PROBE,
    VALUES,
    WEST,
    cell,
    facts,
    page,
    section,
)
from hypothesis import given
from hypothesis import strategies as st
from lab_answers import STOPPED

from ops.cloud.account import Caller
from ops.cloud.alarms import NO_DATA, RED, Alarm, RegionAlarms
from ops.cloud.minutes import Minutes
from ops.cloud.parameters import Parameters
from ops.cloud.probes import Probe, Probes
from ops.cloud.queues import Events
from ops.cloud.readiness import Readiness
from ops.cloud.traffic import Traffic
from ops.console.drills import Drill
from ops.console.facts import Facts, Layer, Moved, Reading
from ops.console.model import Cell, Link, Page, Tone
from ops.console.runs import Run
from ops.console.view import view
from ops.recorded_drift import RecordedDrift
from recovery.model import Stage

FAILING = Readiness(503, {"writer": "unreachable"})


def cells(shown: Page) -> list[Cell]:
    """Every cell of a page, those of its tables included."""
    found = [shown.headline]
    for part in shown.sections:
        rows = chain.from_iterable(table.rows for table in part.tables)
        found += [*part.cells, *part.marks]
        found += [one for row in rows for one in row if isinstance(one, Cell)]
    return found


def test_a_calm_lab_is_green() -> None:
    """N10, issue 21: writes, both regions, DNS, alarms and layers; and the next step is nothing."""
    shown = page()
    assert (shown.headline.text, shown.headline.tone) == ("succeed", Tone.GOOD)
    assert shown.next == "nothing: both regions are as they should be"
    assert shown.problem is None
    for name, label in (
        (EAST, "Application"), (EAST, "Database"), (WEST, "Behind the writer"), (WEST, "Lab"),
        ("traffic", "DNS answers"), ("traffic", "Shared parameters"), ("alarms", "Red"),
        ("recovery", "State"), ("recovery", "May"), ("deployed", "global"),
    ):  # fmt: skip
        assert cell(shown, name, label).tone is Tone.GOOD, (name, label)


def test_before_anything_is_known_nothing_is_good() -> None:
    """Issue 21: unknown is a colour and a word of its own."""
    for stack in (LAB, AWS):
        shown = view(Facts(stack, NOW))
        assert not [one for one in cells(shown) if one.tone is Tone.GOOD]
        assert shown.headline.tone is Tone.UNKNOWN


@given(st.sets(st.sampled_from(sorted(VALUES))))
def test_what_is_unknown_is_never_good(missing: set[str]) -> None:
    """Issue 21: whatever isn't answered, what depends on it alone isn't green, and the page holds
    together."""
    shown = view(
        replace(
            facts(),
            readings={
                name: Reading(unknown="gone") if name in missing else Reading(value, NOW, 10, "")
                for name, value in VALUES.items()
            },
        )
    )
    for name in missing:
        what, _, region = name.partition("/")
        labels = {
            "health": "Application", "ready": "Reaches its writer", "database": "Database",
            "events": "Events", "probes": "Health check",
        }  # fmt: skip
        if what in labels:
            assert cell(shown, region, labels[what]).tone is Tone.UNKNOWN
    if "traffic" in missing:
        assert cell(shown, "traffic", "DNS answers").tone is Tone.UNKNOWN
    if f"health/{EAST}" in missing:
        assert shown.headline.tone is Tone.UNKNOWN


def test_an_old_answer_counts_as_none() -> None:
    """Issue 21: what isn't answered any more turns unknown by itself."""
    late = replace(facts(), now=NOW + 60)
    shown = view(late)
    assert shown.headline.tone is Tone.UNKNOWN
    assert cell(shown, EAST, "Application").text == "unknown (no answer for 60 s)"


@pytest.mark.parametrize(
    ("changed", "text", "tone"),
    [
        ({f"ready__{EAST}": FAILING}, "fail", Tone.BAD),
        ({f"health__{EAST}": "no answer (no connection)"}, "fail", Tone.BAD),
        ({f"health__{EAST}": None}, "whether writes succeed isn't known", Tone.UNKNOWN),
        ({f"ready__{EAST}": None}, "whether writes succeed isn't known", Tone.UNKNOWN),
        ({"traffic": Traffic(WEST, 60)}, "succeed", Tone.GOOD),
    ],
)
def test_the_headline_says_whether_writes_succeed(
    changed: dict[str, Any], text: str, tone: Tone
) -> None:
    """Issue 21: as ``./inv status`` says it, where clients are sent."""
    shown = page(**changed)
    assert (shown.headline.text, shown.headline.tone) == (text, tone)


EXPIRED = "AWS credentials don't work (ExpiredToken): set AWS_PROFILE"


@pytest.mark.parametrize(
    ("stack", "changed", "what", "then"),
    [
        (LAB, {"lab": STOPPED}, "the lab isn't running", "./inv lab.up"),
        (LAB, {"lab": None}, "the lab's state isn't known (no connection)", "./inv lab.status"),
        (LAB, {"layers": (Layer("app", False, None),)}, "nothing is deployed on stack lab",
         "run ./inv deploy-all"),
        (AWS, {"layers": (Layer("app", False, None),)}, "nothing is deployed on stack dev",
         "run ./inv deploy-all --stack dev"),
        (AWS, {"layers": None}, "what is deployed isn't known (no connection)",
         "./inv doctor --stack dev"),
    ],
)  # fmt: skip
def test_a_problem_says_how_to_go_on(
    stack: Any, changed: dict[str, Any], what: str, then: str
) -> None:
    """Issue 21: a stopped lab and a stack that isn't deployed are a page, not a traceback."""
    shown = page(stack, **changed)
    assert shown.problem is not None
    assert what in shown.problem.what
    assert shown.next == shown.problem.next
    assert then in shown.next


def test_a_state_that_cannot_be_read_is_said_with_its_own_remedy() -> None:
    """Issue 21: a backend that isn't chosen, a passphrase that isn't set."""
    given = facts(AWS)
    locked = Reading(unknown="the secrets need their passphrase: set PULUMI_CONFIG_PASSPHRASE")
    shown = view(replace(given, readings={**given.readings, "layers": locked}))
    assert shown.problem is not None
    assert shown.problem.what == "what is deployed isn't known (the secrets need their passphrase)"
    assert shown.next == "set PULUMI_CONFIG_PASSPHRASE"
    unasked = view(replace(given, readings={**given.readings, "layers": Reading()}))
    assert unasked.problem is None


def test_expired_credentials_are_said_with_whose_they_are() -> None:
    """Issue 21: on AWS the page says whose credentials it uses."""
    mine = page(AWS, caller=Caller("111122223333", "arn:aws:iam::111122223333:user/me"))
    assert cell(mine, "traffic", "AWS credentials of").text.endswith("user/me")
    given = facts(AWS)
    expired = replace(given, readings={**given.readings, "caller": Reading(unknown=EXPIRED)})
    shown = view(expired)
    assert shown.problem is not None
    assert "ExpiredToken" in shown.problem.what
    assert "aws sso login" in shown.next
    assert cell(shown, "traffic", "AWS credentials of").tone is Tone.UNKNOWN


@pytest.mark.parametrize(
    ("region", "changed", "label", "text", "tone"),
    [
        (EAST, {"lab": replace(CALM, outages={EAST: ["api", "database (hang)"]})}, "Lab",
         "has lost api, database (hang)", Tone.BAD),
        (EAST, {"health": "answers 503"}, "Application", "answers 503", Tone.BAD),
        (EAST, {"health": "not deployed"}, "Application", "not deployed", Tone.UNKNOWN),
        (EAST, {"ready": FAILING}, "Reaches its writer", "no", Tone.BAD),
        (EAST, {"ready": Readiness(503, {"bus": "failed"})}, "Reaches its writer", "yes",
         Tone.WARN),
        (EAST, {"database": "detached from the global cluster"}, "Database",
         "detached from the global cluster", Tone.BAD),
        (EAST, {"database": "writer, failing-over"}, "Database", "writer, failing-over", Tone.WARN),
        (EAST, {"database": "not deployed"}, "Database", "not deployed", Tone.UNKNOWN),
        (WEST, {"lag": "60000 ms"}, "Behind the writer", "60000 ms", Tone.BAD),
        (WEST, {"lag": "5000 ms"}, "Behind the writer", "5000 ms", Tone.WARN),
        (WEST, {"lag": "not reported for 10 min"}, "Behind the writer", "not reported for 10 min",
         Tone.UNKNOWN),
        (EAST, {"events": Events(3, 1)}, "Events", "3 waiting, 1 dead letters", Tone.BAD),
        (EAST, {"events": Events(unknown="x")}, "Events", "unknown (x)", Tone.UNKNOWN),
        (EAST, {"minutes": Minutes((), 300_000.0, 2.0, 1)}, "Events arrive",
         "300.0 s after they left", Tone.BAD),
        (EAST, {"minutes": Minutes((), None, 2.0, 1)}, "Objects arrive",
         "2.0 s after they left, 1 waiting", Tone.GOOD),
        (EAST, {"minutes": Minutes(())}, "Objects arrive", "unknown (not measured)", Tone.UNKNOWN),
        (EAST, {"minutes": Minutes(unknown="Throttling")}, "Events arrive", "unknown (Throttling)",
         Tone.UNKNOWN),
        (EAST, {"minutes": None}, "Objects arrive", "unknown (no connection)", Tone.UNKNOWN),
        (EAST, {"probes": Probes((PROBE, replace(PROBE, success=False)))}, "Health check",
         "1 of 2 probes pass", Tone.WARN),
        (EAST, {"probes": Probes((replace(PROBE, success=False),))}, "Health check",
         "0 of 1 probes pass", Tone.BAD),
        (EAST, {"probes": Probes()}, "Health check", "unknown (no probe yet)", Tone.UNKNOWN),
        (EAST, {"probes": Probes(unknown="Throttling")}, "Health check", "unknown (Throttling)",
         Tone.UNKNOWN),
    ],
)  # fmt: skip
def test_a_region_s_cells(
    region: str, changed: dict[str, Any], label: str, text: str, tone: Tone
) -> None:
    """Issue 21: each thing with its own words and colour."""
    given = facts()
    readings = dict(given.readings)
    for name, value in changed.items():
        key = name if name == "lab" else f"{name}/{region}"
        unknown = Reading(unknown="no connection")
        readings[key] = unknown if value is None else Reading(value, NOW, 10, "")
    found = cell(view(replace(given, readings=readings)), region, label)
    assert (found.text, found.tone) == (text, tone)


def test_requests_are_drawn_by_second_in_the_lab_and_by_minute_on_aws() -> None:
    """Issue 21: a second without requests is a gap; what isn't counted isn't drawn."""
    chart = section(page(), EAST).chart
    assert chart is not None
    assert (chart.unit, len(chart.bars), chart.most) == ("second", 60, 4)
    assert [bar.requests for bar in chart.bars[-3:]] == [0, 4, 0]
    assert chart.said == "4 requests, 1 errors in 60 seconds"
    hourly = section(page(AWS), EAST).chart
    assert hourly is not None
    assert (hourly.unit, hourly.said) == ("minute", "9 requests, 2 errors in 1 minutes")
    assert section(page(requests=None), EAST).chart is None
    assert section(page(requests={WEST: []}), EAST).chart is None
    unknown = page(AWS, minutes__us_east_1=Minutes(unknown="x"))
    assert section(unknown, EAST).chart is None
    assert section(unknown, EAST).charted


def test_probes_are_marked_one_by_one() -> None:
    """Issue 21: the newest last."""
    failed = Probe("eu-west-1", NOW, False, "timed out")
    shown = view(replace(facts(), probes={EAST: (PROBE, failed)}))
    assert [mark.text for mark in section(shown, EAST).marks] == ["passed", "failed"]
    assert section(shown, EAST).marks[1].detail == "eu-west-1: timed out"
    assert section(shown, WEST).marks == ()


def test_answers_from_before_the_change_are_counted_down() -> None:
    """Issue 21: what DNS answers now, and for how long clients keep what it answered before; a fast
    lab's seconds are shorter."""
    moved = replace(facts(traffic=Traffic(WEST, 60)), moved=Moved(EAST, NOW - 10))
    found = cell(view(moved), "traffic", "Answers from before")
    assert (found.text, found.until) == ("some clients keep us-east-1", NOW + 50)
    assert cell(view(moved), "traffic", "DNS answers").tone is Tone.WARN
    fast = facts(traffic=Traffic(WEST, 60), lab=replace(CALM, clock=20.0))
    long_ago = view(replace(fast, moved=Moved(EAST, NOW - 10)))
    assert "Answers from before" not in [one.label for one in section(long_ago, "traffic").cells]
    aws = view(replace(facts(AWS, lab=None), moved=Moved(EAST, NOW)))
    assert cell(aws, "traffic", "Answers from before").until == NOW + 60


@pytest.mark.parametrize(
    ("changed", "label", "text", "tone"),
    [
        ({"switch": "engaged"}, "Failover switch", "engaged", Tone.WARN),
        ({"switch": None}, "Failover switch", "unknown (no connection)", Tone.UNKNOWN),
        ({"traffic": Traffic("", 0, "no address")}, "DNS answers", "unknown (no address)",
         Tone.UNKNOWN),
        ({"parameters": Parameters(1, ("epoch",))}, "Shared parameters", "differ: epoch",
         Tone.WARN),
        ({"parameters": Parameters(unknown="x")}, "Shared parameters", "unknown (x)", Tone.UNKNOWN),
        ({"parameters": Parameters()}, "Shared parameters", "none", Tone.PLAIN),
    ],
)  # fmt: skip
def test_between_the_regions(changed: dict[str, Any], label: str, text: str, tone: Tone) -> None:
    """Issue 21: DNS, switch and parameters."""
    found = cell(page(**changed), "traffic", label)
    assert (found.text, found.tone) == (text, tone)


def test_red_alarms_bring_the_runbook_s_line() -> None:
    """Issue 21: what it means and what to do, in its own region; one without data isn't red; a
    region that is silent isn't green."""
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    risen = (
        Alarm(EAST, "target-5xx", RED, at, "as declared"),
        Alarm(EAST, "other", RED, at, "as declared"),
        Alarm(EAST, "backup-missing", NO_DATA, at, ""),
    )
    shown = page(
        alarms__us_east_1=RegionAlarms(EAST, risen),
        alarms__us_west_2=RegionAlarms(WEST, unknown="no connection"),
    )
    (table,) = section(shown, "alarms").tables
    assert [row[1:] for row in table.rows] == [
        (EAST, "03:04:05 UTC", "answers fail", "look in us-east-1"),
        (EAST, "03:04:05 UTC", "as declared", ""),
    ]
    assert cell(shown, "alarms", "Red").text == "target-5xx in us-east-1, other in us-east-1"
    assert cell(shown, "alarms", WEST).tone is Tone.UNKNOWN
    silent = page(alarms__us_west_2=RegionAlarms(WEST, unknown="no connection"))
    assert cell(silent, "alarms", "Red").tone is Tone.UNKNOWN


DRILL = Drill("d-1", "passed", "region-loss", "lab", 1.0, 120.0, 900.0, None, ("json", "html"))


def test_the_budget_stands_beside_the_last_drill() -> None:
    """Issue 21: a void drill measured nothing; what was measured is held against the budget."""
    void = replace(DRILL, name="d-2", verdict="void", clock=20.0, kinds=("json",))
    shown = view(replace(facts(), drills=(void, DRILL)))
    (table,) = section(shown, "budget").tables
    assert table.headings[2] == "last drill (d-1)"
    assert [row[2].tone for row in table.rows if isinstance(row[2], Cell)] == [
        Tone.GOOD, Tone.BAD, Tone.UNKNOWN,
    ]  # fmt: skip
    (listed,) = section(shown, "drills").tables
    assert listed.rows[0][3:] == ("lab, clock 20", Link("json", "drills/d-2.json"))
    assert listed.rows[1][4:] == (
        Link("json", "drills/d-1.json"), Link("html", "drills/d-1.html"),
    )  # fmt: skip
    assert section(page(), "drills").tables[0].empty == "none was recorded: ./inv drill"


@pytest.mark.parametrize(
    ("drift", "text", "tone"),
    [
        (None, "unknown (nobody looked)", Tone.UNKNOWN),
        (RecordedDrift(NOW - 60, {"data": 0}), "none", Tone.GOOD),
        (RecordedDrift(NOW - 3 * 86_400, {"data": 0}), "none", Tone.UNKNOWN),
        (RecordedDrift(NOW - 60, {"data": 2, "app": 0}), "changed: data 2", Tone.WARN),
    ],
)
def test_the_last_drift_that_was_found(drift: Any, text: str, tone: Tone) -> None:
    """Issue 21: what was true days ago isn't known to be true now."""
    found = cell(view(replace(facts(), drift=drift)), "deployed", "Drift")
    assert (found.text, found.tone) == (text, tone)


def test_layers_have_their_versions() -> None:
    """Issue 21: which layer stands with which contract."""
    shown = page(layers=(Layer("app", True, 3), Layer("data", False, None)))
    assert cell(shown, "deployed", "app").detail == "contract version 3"
    assert cell(shown, "deployed", "data").tone is Tone.BAD
    assert cell(page(layers=None), "deployed", "Layers").tone is Tone.UNKNOWN


def test_orders_show_what_became_of_them() -> None:
    """Issue 21: at work, done or failed with its code; the newest one's last lines."""
    runs = (
        Run("./inv failover", NOW, ("one", "two"), None),
        Run("./inv drill", NOW, (), 0),
        Run("./inv failback", NOW, (), 2),
    )
    shown = section(view(replace(facts(), runs=runs)), "running")
    assert [(one.text, one.tone) for one in shown.cells] == [
        ("at work", Tone.WARN), ("done", Tone.GOOD), ("failed (exit code 2)", Tone.BAD),
    ]  # fmt: skip
    assert shown.output == ("one", "two")


def test_on_aws_the_page_says_what_it_asks_and_costs() -> None:
    """Issue 21: listed with their cost; the lab costs nothing."""
    (table,) = section(page(AWS), "asked").tables
    assert table.rows == (("events", "10.0", "$0.0010"), ("together", "10.0", "$0.0010"))
    assert "asked" not in [part.name for part in page().sections]


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_has_its_words(stage: Stage) -> None:
    """Issue 21: the controller's state in words; only one that guards calmly is green."""
    found = cell(page(recovery={**DOCUMENT, "state": stage.value}), "recovery", "State")
    assert found.detail
    assert (found.tone is Tone.GOOD) == (stage is Stage.WATCHING)


@pytest.mark.parametrize(
    ("changed", "label", "text", "tone"),
    [
        ({"effective_mode": {"mode": "notify", "reasons": ["no validation"]}}, "May", "notify",
         Tone.WARN),
        ({"signals": {}}, "State", "watching", Tone.UNKNOWN),
        ({"writer": None}, "Writer as it sees it", "unknown", Tone.UNKNOWN),
        ({"readiness": {"score": 0, "reasons": ["witness unreadable"], "notes": []}}, "Readiness",
         "not ready", Tone.BAD),
        ({"readiness": {"score": 0, "reasons": ["no validation of a day"], "notes": []}},
         "Readiness", "unknown", Tone.UNKNOWN),
        ({"freeze": {"reason": "work", "by": "me", "since": 0, "until": 60}}, "Freeze",
         "until 01:00 UTC", Tone.WARN),
        ({"unknown": {EAST: "no connection"}}, f"Item of {EAST}", "unknown (no connection)",
         Tone.UNKNOWN),
        ({"last_decision": ""}, "Last decision", "none yet", Tone.PLAIN),
    ],
)  # fmt: skip
def test_recovery_s_cells(changed: dict[str, Any], label: str, text: str, tone: Tone) -> None:
    """Issue 21: mode, hold, readiness with its reasons, last decision."""
    found = cell(page(recovery={**DOCUMENT, **changed}), "recovery", label)
    assert (found.text, found.tone) == (text, tone)


def test_what_readiness_excuses_is_said() -> None:
    """Issue 19.1: a young environment has no backup yet, and is ready all the same."""
    readiness = {"score": 1, "reasons": [], "notes": ["backup: none yet"]}
    found = cell(page(recovery={**DOCUMENT, "readiness": readiness}), "recovery", "Readiness")
    assert (found.text, found.tone, found.detail) == ("ready", Tone.GOOD, "backup: none yet")


def test_signals_and_journal() -> None:
    """Issue 21: each signal's value; the journal's entries in words, whatever their body is."""
    shown = section(page(), "signals")
    assert [one.tone for one in shown.cells] == [Tone.GOOD, Tone.BAD, Tone.UNKNOWN]
    assert shown.tables[0].rows == (("2", "decision", "it lives"),)
    journal = [{"number": 1, "kind": "order", "body": {"by": "me", "deep": {}, "minute": 3}},
               {"number": 0, "kind": "text", "body": "plain"}]  # fmt: skip
    other = section(page(recovery={**DOCUMENT, "signals": {}, "journal": journal}), "signals")
    assert other.cells[0].text == "unknown (no counted run)"
    assert [row[2] for row in other.tables[0].rows] == ["by me, minute 3", "plain"]
    none = page(recovery=None)
    assert cell(none, "recovery", "State").tone is Tone.UNKNOWN
    assert section(none, "signals").cells == ()


def test_a_stopped_lab_says_nothing_of_its_regions() -> None:
    """Issue 21: no region of a lab that doesn't run is whole."""
    assert "Lab" not in [one.label for one in section(page(lab=STOPPED), EAST).cells]
