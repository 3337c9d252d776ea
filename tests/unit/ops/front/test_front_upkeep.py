"""Tasks around a deployment call what they should, and print what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from front_calls import CLIENTS, check_passes_on
from invoke.context import Context

from ops import init, session, setup
from ops.cloud import redrive
from ops.front import upkeep


def test_redriving_passes_its_flags_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """STYLE: tasks are thin; a fault of what they call is one line."""
    check_passes_on(
        monkeypatch,
        lambda: upkeep.events_redrive(Context()),
        redrive,
        "show",
        (CLIENTS, "lab", False),
    )


def test_setup_and_moves_print_what_they_did(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """names.md: setup, state.move."""
    monkeypatch.setattr(setup, "setup", lambda: ["installed"])
    monkeypatch.setattr(session, "move_state", lambda stack, to: {"network": 3})
    upkeep.setup(Context())
    upkeep.state_move(Context(), to="pulumi")
    assert capsys.readouterr().out.splitlines() == [
        "installed",
        "network: 3 resources are the pulumi engine's now",
    ]


def test_init_says_what_to_run_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """names.md: init, flags only."""
    given: dict[str, str] = {}

    def write(name: str, values: dict[str, str]) -> Path:
        given.update(values)
        return tmp_path / f"Pulumi.{name}.yaml"

    monkeypatch.setattr(init, "write", write)
    upkeep.init(Context(), "pr-7", suffix="pr7", account="123456789012")
    assert given["TapStack:environmentSuffix"] == "pr7"
    assert given["TapStack:accountId"] == "123456789012"
    assert given["aws:region"] == "us-east-1"
    assert "./inv preview-all --stack pr-7" in capsys.readouterr().out
