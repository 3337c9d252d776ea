"""What ``./inv failover`` and ``./inv failback`` ask, refuse and print."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from recovery_world import Both, world
from simulator.truth import EAST

from ops.cloud import objects, regions
from ops.errors import ExitCode, OperatorError
from ops.recovery import asking


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "lag_ms", lambda *_: 400.0)
    monkeypatch.setattr(objects, "pending", lambda *_: 0)


def fail_over(both: Both, **changes: Any) -> None:
    """The command with its defaults."""
    given = {
        "planned": False, "force": False, "reason": "", "yes": False, "as_json": False, **changes,
    }  # fmt: skip
    asking.fail_over(both, **given)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"force": True}, "failover --force: a reason is needed"),
        ({"force": True, "reason": " "}, "failover --force: a reason is needed"),
        ({"reason": "x"}, "it goes with --force"),
        ({"force": True, "reason": "x", "planned": True}, "a switchover can't be forced"),
        ({"as_json": True}, "nobody is here to be asked: add --yes"),
        ({}, "nobody is here to be asked: add --yes; nothing was touched"),
    ],
)
def test_bad_input_is_one_line_and_nothing_touched(given: dict[str, Any], why: str) -> None:
    """Issue 18: ``--force`` without a reason, and nobody at the keyboard."""
    both = world()
    both.lose(EAST)
    both.truth.advance(20)
    with pytest.raises(OperatorError, match=why) as caught:
        fail_over(both, **given)
    assert caught.value.code is ExitCode.BAD_INPUT
    assert both.truth.accepted == []


def test_a_promotion_prints_its_plan_its_way_and_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """For a person: what it costs comes first."""
    both = world()
    both.lose(EAST)
    both.truth.advance(20)
    fail_over(both, yes=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("failover   us-west-2")
    assert lines[2].startswith("loses      at most ")
    assert any(line.startswith("promoted") for line in lines)
    assert lines[-1] == "us-west-2 writes, epoch 2"


def test_as_json_only_the_document_is_on_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both commands, and a planned failover."""
    both = world()
    fail_over(both, planned=True, yes=True, as_json=True)
    there = capsys.readouterr()
    assert json.loads(there.out)["region"] == "us-west-2"
    assert "switchover us-west-2 becomes the writer" in there.err
    both.controllers(5)
    asking.fail_back(both, yes=True, as_json=True)
    back = json.loads(capsys.readouterr().out)
    assert (back["region"], back["epoch"], back["traffic"]) == (EAST, 3, EAST)


class Keyboard(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.mark.parametrize(("typed", "goes"), [("us-east-1\n", True), ("yes\n", False)])
def test_the_region_is_typed(
    typed: str, goes: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not ``y``: the word names what becomes the writer."""
    both = world()
    fail_over(both, planned=True, yes=True)
    both.controllers(5)
    monkeypatch.setattr("sys.stdin", Keyboard(typed))
    if goes:
        asking.fail_back(both, yes=False, as_json=False)
        assert "us-east-1 writes, epoch 3" in capsys.readouterr().out
        return
    with pytest.raises(OperatorError, match="not confirmed: nothing was touched"):
        asking.fail_back(both, yes=False, as_json=False)
    assert both.truth.writer == "us-west-2"
