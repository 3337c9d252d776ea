"""What the page may order, and how it is carried out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from console_facts import AWS, EAST, LAB
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.errors import LabInputError
from ops.console import actions
from ops.console.actions import Invocation, LabCommand, order
from ops.console.orders import Orders
from ops.console.runs import Runs
from ops.console.timeline import Moment
from ops.errors import ExitCode, OperatorError


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("outage", {"region": EAST, "part": "all", "mode": "down"},
         LabCommand("outage", (EAST, None, "down"),
                    ("lab.outage", EAST, "--mode", "down"))),
        ("outage", {"region": EAST, "part": "api", "mode": "hang"},
         LabCommand("outage", (EAST, "api", "hang"),
                    ("lab.outage", EAST, "--part", "api", "--mode", "hang"))),
        ("restore", {"region": EAST}, LabCommand("restore", (EAST,), ("lab.restore", EAST))),
        ("fault", {"fault": "fence-timeout"},
         LabCommand("fault", ("fence-timeout", None), ("lab.fault", "fence-timeout"))),
        ("fault", {"fault": "promotion-delay", "value": " 60 "},
         LabCommand("fault", ("promotion-delay", "60"), ("lab.fault", "promotion-delay", "60"))),
        ("clock", {"factor": "20"}, LabCommand("clock", ("20",), ("lab.clock", "20"))),
        ("drill", {}, Invocation(("drill", "--stack", "lab"))),
        ("drill", {"scenario": "--yes"}, Invocation(("drill", "--stack", "lab",
                                                     "--scenario=--yes"))),
        ("failover", {"how": "after a loss", "confirm": "lab"},
         Invocation(("failover", "--stack", "lab", "--yes"))),
        ("failover", {"how": "planned", "confirm": "lab"},
         Invocation(("failover", "--stack", "lab", "--yes", "--planned"))),
        ("failover", {"how": "after a loss", "confirm": "lab", "reason": "lag is known"},
         Invocation(("failover", "--stack", "lab", "--yes", "--force", "--reason=lag is known"))),
        ("failback", {"confirm": "lab"}, Invocation(("failback", "--stack", "lab", "--yes"))),
    ],
)  # fmt: skip
def test_an_order_s_words(name: str, given: dict[str, str], wanted: Any) -> None:
    """Issue 21: the lab's commands, and ``./inv`` with what was written as one word each."""
    assert order(LAB, name, given) == wanted


@pytest.mark.parametrize(
    ("stack", "name", "given", "why"),
    [
        (LAB, "coffee", {}, "'coffee' can't be ordered for stack lab"),
        (LAB, "outage", {"region": "mars", "part": "all", "mode": "down"}, "Region is one of"),
        (LAB, "clock", {"factor": " "}, "Factor is missing"),
        (LAB, "drill", {"scenario": "x" * 500}, "at most 400 characters"),
        (LAB, "drill", {"scenario": "a\x1bb"}, "all of them visible"),
        (
            LAB,
            "failover",
            {"how": "planned", "confirm": "yes"},
            "nothing was touched: type the stack's name, lab",
        ),
        (
            LAB,
            "failover",
            {"how": "planned", "confirm": "lab", "reason": "now"},
            "a planned failover can't be forced",
        ),
        (LAB, "failover", {"confirm": "lab"}, "How is one of after a loss, planned"),
        (LAB, "failback", {}, "nothing was touched"),
        (AWS, "failover", {"how": "planned", "confirm": "lab"}, "type the stack's name, dev"),
        (AWS, "outage", {"region": EAST, "part": "all", "mode": "down"}, "can't be ordered"),
        (AWS, "drill", {}, "can't be ordered for stack dev"),
    ],
)
def test_an_order_that_is_refused(stack: Any, name: str, given: dict[str, str], why: str) -> None:
    """Issue 21: one line, exit code 2's kind, nothing touched."""
    with pytest.raises(OperatorError, match=why) as caught:
        order(stack, name, given)
    assert caught.value.code is ExitCode.BAD_INPUT


def test_on_aws_only_failover_and_failback_are_offered() -> None:
    """Issue 21: nothing else, and both are confirmed by name."""
    offered = actions.offered(AWS)
    assert [action.name for action in offered] == ["failover", "failback"]
    assert all(action.confirmed for action in offered)
    assert len(actions.offered(LAB)) == 7


@given(st.sampled_from(actions.ACTIONS), st.dictionaries(
    st.sampled_from(
        ["region", "part", "mode", "reason", "confirm", "scenario", "value", "factor", "how"]
    ),
    st.text(max_size=20) | st.sampled_from(["lab", "planned", "after a loss"]),
))  # fmt: skip
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_written_is_an_order_or_one_line(action: Any, given: dict[str, str]) -> None:
    """Fuzzed: nothing that is written becomes a flag of its own."""
    try:
        found = order(LAB, action.name, given)
    except OperatorError as error:
        assert str(error)
        return
    if isinstance(found, Invocation):
        known = ("--stack", "--yes", "--planned", "--force", "--reason=", "--scenario=")
        assert all(word.startswith(known) for word in found.words if word.startswith("-"))


class Recorded:
    """The lab and the processes, as they were ordered."""

    def __init__(self, stack: Any = LAB) -> None:
        self.done: list[Any] = []
        self.kept: list[Moment] = []
        lab = {name: self.command(name) for name in ("outage", "restore", "fault", "clock")}
        runs = cast(Runs, self)
        self.orders = Orders(stack, Path("/lab"), runs, self.kept.append, lab)

    def command(self, name: str) -> Any:
        def called(*arguments: Any) -> None:
            if name == "restore":
                raise LabInputError("us-east-1 has lost nothing")
            self.done.append((name, *arguments))

        return called

    def start(self, words: list[str]) -> None:
        self.done.append(words)


def test_orders_are_carried_out_and_kept() -> None:
    """Issue 21: the lab's at once, the others as processes; the timeline names each as typed."""
    recorded = Recorded()
    given = {"region": EAST, "part": "all", "mode": "slow"}
    assert recorded.orders.carry_out("outage", given) == (
        "./inv lab.outage us-east-1 --mode slow: done"
    )
    given = {"how": "after a loss", "confirm": "lab", "reason": "a b"}
    said = recorded.orders.carry_out("failover", given)
    assert said.endswith("--force '--reason=a b': started: its output is below")
    assert recorded.done == [
        ("outage", Path("/lab"), EAST, None, "slow"),
        ("failover", "--stack", "lab", "--yes", "--force", "--reason=a b"),
    ]
    assert recorded.kept[0].now == "./inv lab.outage us-east-1 --mode slow"


def test_what_the_lab_refuses_is_not_kept() -> None:
    """Issue 21: nothing was done, so nothing is in the timeline."""
    recorded = Recorded()
    with pytest.raises(LabInputError):
        recorded.orders.carry_out("restore", {"region": EAST})
    assert recorded.kept == []
