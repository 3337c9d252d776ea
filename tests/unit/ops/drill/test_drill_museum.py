"""The outage museum: sourced incidents, and the decision that the real controllers make in each."""

from __future__ import annotations

from pathlib import Path

import pytest
from museum_page import BUDGET, LONGEST, page, shown
from simulator.faults import BY_NAME, DISASTERS, NOTHING

from ops.drill import incident
from ops.drill.incident import Requests, Right, like, load, names, parse
from ops.errors import OperatorError

PAGE = Path(__file__).resolve().parents[4] / "docs" / "museum.md"
TEXT = """title = "t"
began = "2020-01-01T00:00:00Z"
source = "https://example.com"
minutes = 1
disaster = ""
right = "leave"
traffic = "stays"
why = "w"
"""
EVENT = '[[event]]\nminute = 0\nwhat = "w"\n'


def test_ten_incidents_are_there_and_the_agreed_ones_among_them() -> None:
    """Issue 20.1: us-east-1 of 2021, 2023 and October 2025, GitHub's of 2018, and others."""
    assert len(names()) >= 10
    assert {
        "aws-network-2021", "aws-lambda-2023", "aws-dynamodb-2025", "github-2018",
    } <= set(names())  # fmt: skip
    began = [load(name).began for name in names()]
    assert began == sorted(began)


@pytest.mark.parametrize("name", names())
def test_the_right_decision_is_the_one_that_is_computed(name: str) -> None:
    """Issue 20.1, H1, H6, H8, H12, H14, H28, H29: the real ``decide`` over each timeline."""
    found = shown(load(name))
    assert found.wrong == ()
    assert (found.decision, found.traffic) == (found.incident.right, found.incident.traffic)
    assert found.paged or found.decision is Right.LEAVE


@pytest.mark.parametrize("name", names())
def test_an_incident_is_whole(name: str) -> None:
    """Its minutes are in order, and what it is played as exists in the simulator."""
    one = load(name)
    minutes = [event.minute for event in one.events]
    assert minutes == sorted(minutes)
    assert {signal.fault for signal in one.signals} <= BY_NAME.keys()
    assert one.disaster in ("", *DISASTERS)
    assert one.disaster != NOTHING
    assert all(-LONGEST < signal.minute < LONGEST for signal in one.signals)


def test_the_page_is_what_is_computed() -> None:
    """docs/museum.md says what ``./inv bench museum`` would write now."""
    written = PAGE.read_text("utf-8")
    assert written == page(load(name) for name in names()), "run ./inv bench museum"


def test_the_rivals_costs_are_the_budgets() -> None:
    """Unguarded: promotes though the writer lives. A person: later, and rightly."""
    s3 = shown(load("aws-s3-2017"))
    assert s3.ours.requests == s3.ours.writes == BUDGET.traffic_rto
    assert (s3.ours.rows, s3.unguarded.rows, s3.person.rows) == (0, 120, 0)
    assert s3.unguarded.writes == 100 + 480 + 30
    assert s3.person.requests == 100 + 900 + 60
    cloudflare = shown(load("cloudflare-2023"))
    assert cloudflare.ours.writes <= BUDGET.write_rto
    assert cloudflare.person.writes == 117 * 60 + 480 + 30
    flapping = shown(load("aws-kinesis-2020"))
    assert flapping.ours.requests == flapping.unguarded.requests > flapping.person.requests


def test_another_timeline_makes_another_decision() -> None:
    """The measure can fail: the S3 incident with its database lost as well promotes."""
    text = (incident.DIRECTORY / "aws-s3-2017.toml").read_text("utf-8")
    lost = parse("x", text.replace('disaster = ""', 'disaster = "us-east-1 lost"'))
    found = shown(lost)
    assert (found.decision, found.traffic) == (Right.PROMOTE, Requests.MOVES)
    assert found.decision is not lost.right


def test_a_scenario_names_the_incidents_that_it_is_like() -> None:
    """By the incidents' own word."""
    assert like("peering-cut") == ["github-2018"]
    assert like("fence-timeout") == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = [", "incident x isn't TOML"),
        (TEXT, r"incident x has no \[\[event\]\]"),
        (EVENT, "incident x: title, began, source, minutes"),
        (TEXT + "whi = 1\n" + EVENT, "unknown key 'whi'; did you mean why?"),
        (TEXT.replace("leave", "flee") + EVENT, "right 'flee' is none of promote, hold, leave"),
        (TEXT.replace("https:", "http:") + EVENT, "source 'http://example.com' is no https"),
        (TEXT + 'scenario = "x"\n' + EVENT, "there is no scenario 'x'"),
        (TEXT.replace("2020-01-01T", "then ") + EVENT, "is no time of ISO 8601"),
        (TEXT + EVENT + "[[signal]]\nfault = 1\n", "minute, minutes, means isn't given"),
    ],
)
def test_a_wrong_incident_is_one_line(text: str, line: str) -> None:
    """Bad input: the key, its value and what there is."""
    with pytest.raises(OperatorError, match=line):
        parse("x", text)
