"""Scenarios as data: every shipped one is whole, and a wrong one is refused in one line."""

from __future__ import annotations

import pytest

from ops.drill.scenario import DEFAULT, Action, Lost, Traffic, Writes, load, names, parse
from ops.errors import OperatorError
from recovery.model import Stage

STEP = '[[step]]\naction = "outage"\n'
HEAD = 'title = "t"\nobjective = "o"\nlikelihood = "l"\n'
EXPECT = '[expect]\ntraffic = "any"\nwrites = "regained"\n'


def test_the_agreed_scenarios_are_there() -> None:
    """Issue 20.1: each of them, the region's loss first."""
    assert names()[0] == DEFAULT == "region-loss"
    assert set(names()) >= {
        "region-loss", "application-only", "database-only", "peering-cut", "replication-stalled",
        "hanging-dependency", "flapping-health", "bad-deploy", "controller-stopped",
        "loss-during-switchover", "lag-above-limit", "fence-timeout", "planned-switchover",
        "full-circle",
    }  # fmt: skip


@pytest.mark.parametrize("name", names())
def test_a_shipped_scenario_says_what_must_happen(name: str) -> None:
    """It can pass and fail: its expectation is more than that something happened."""
    chosen = load(name)
    assert chosen.name == name
    assert chosen.hazards
    assert chosen.loss in chosen.steps
    assert f"promotions: {chosen.expect.promotions}" in chosen.expectation
    # Who is promoted writes in the standby, and a loss of rows is excused by a promotion alone.
    assert (chosen.expect.lost is Lost.WITHIN_BOUND) == (chosen.expect.promotions > 0)
    if chosen.expect.promotions:
        assert chosen.expect.writer == "us-west-2"
    # A stage that no controller has would never come.
    stages = {chosen.expect.stage, *(step.when for step in chosen.steps)}
    assert stages <= {"", *Stage}


@pytest.mark.parametrize("name", names())
def test_a_loss_in_several_steps_is_measured_from_the_first_of_them(name: str) -> None:
    """Issue 20.4: a request that the first of them failed isn't one from before the loss."""
    scenario = load(name)
    before = scenario.steps[: scenario.steps.index(scenario.loss)]
    assert Action.OUTAGE not in {step.action for step in before}


def test_a_scenario_is_typed() -> None:
    """Enumerations and defaults; the stage stands in the expectation where there is one."""
    chosen = parse("x", HEAD + STEP + EXPECT + 'stage = "held"\n')
    assert chosen.steps[0].action is Action.OUTAGE
    assert (chosen.expect.traffic, chosen.expect.writes) == (Traffic.ANY, Writes.REGAINED)
    assert chosen.expectation.endswith("controller: held")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = [", "scenario x isn't TOML"),
        (HEAD + EXPECT, "scenario x has no [[step]]"),
        (HEAD + STEP, "scenario x: traffic, writes isn't given"),
        (STEP + EXPECT, "scenario x: title, objective, likelihood isn't given"),
        ('titel = "t"\n' + HEAD + STEP + EXPECT, "unknown key 'titel'; did you mean title?"),
        (HEAD + '[[step]]\naction = "explode"\n' + EXPECT, "action 'explode' is none of outage"),
        (HEAD + STEP + 'region = "mars"\n' + EXPECT, "region 'mars' is none of us-east-1"),
        (HEAD + STEP + 'part = "roof"\n' + EXPECT, "part 'roof' is none of"),
        (HEAD + STEP + 'mode = "sad"\n' + EXPECT, "mode 'sad' is none of"),
        (HEAD + '[[step]]\naction = "fault"\nfault = "x"\n' + EXPECT, "fault 'x' is none of"),
        (HEAD + STEP + 'fault = "describe-stale"\n' + EXPECT, "fault 'describe-stale' is none of"),
        (HEAD + STEP + EXPECT.replace("any", "flies"), "traffic 'flies' is none of fails-over"),
    ],
)
def test_a_wrong_scenario_is_one_line(text: str, line: str) -> None:
    """Bad input: the key, its value and what there is."""
    with pytest.raises(OperatorError) as caught:
        parse("x", text)
    assert line in str(caught.value)
    assert caught.value.code == 2


def test_an_unknown_scenario_names_the_nearest() -> None:
    """Bad input: nothing was touched."""
    with pytest.raises(OperatorError, match="did you mean peering-cut"):
        load("peering-cutt")
