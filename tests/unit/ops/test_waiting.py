"""No wait without a word."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from watched_driver import watched

from ops import waiting
from ops.deploy import view
from ops.printing import make_console


def test_a_long_wait_says_what_it_waits_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After five seconds (here: at once), on standard error, as one line."""
    assert waiting.PATIENCE_SECONDS == 5
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.01)
    with waiting.announced("the lab\nto start"):
        time.sleep(0.3)
    assert capsys.readouterr().err == "waiting for the lab to start\n"


def test_a_short_wait_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """And what failed isn't waited for any more."""
    with pytest.raises(ValueError, match="no"), waiting.announced("the lab"):
        raise ValueError("no")
    assert capsys.readouterr().err == ""


def test_a_deployment_in_a_pipeline_says_what_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database takes minutes: where no terminal shows it moving a line does, now and again."""
    monkeypatch.setattr(view, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(view, "REMINDER_SECONDS", 0.05)
    monkeypatch.setattr(view, "TICK_SECONDS", 0.01)
    engine = FakeEngine("network")
    driver = watched(tmp_path, engine)
    engine.during = lambda _layer: time.sleep(0.5)
    driver.up(["network", "data"])
    lines = driver.out.splitlines()
    said = [line for line in lines if line.startswith("network: after ")]
    assert len(said) > 1
    assert any(line.endswith(" s: create vpc-network") for line in said)
    assert all("network: after" not in line for line in lines[lines.index("data: started") :])


def test_a_program_that_registers_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer whose program hangs before its first resource isn't silent either."""
    monkeypatch.setattr(view, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(view, "TICK_SECONDS", 0.01)
    console = make_console(file=io.StringIO())
    with view.View(console, "deploy lab") as shown:
        shown.begin("network")
        time.sleep(0.3)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "s: the program hasn't registered anything" in text
    assert text.count("network: after") == 1  # the next comes REMINDER_SECONDS later
    time.sleep(0.1)
    assert console.file.getvalue() == text  # type: ignore[attr-defined]
