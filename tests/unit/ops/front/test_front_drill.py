"""``./inv drill`` and ``drill.*``: each task passes on what it was given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from invoke.context import Context
from invoke.exceptions import Exit
from watched_driver import watched

from ops import session, workspace
from ops.drill import command
from ops.front import drill
from ops.report import compare, drills, figures, history, page, verify
from ops.workspace import Workspace


def test_a_drill_gets_its_options_and_the_one_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Findings are carried from the newest document of the stack; recovery is acted on when it is
    needed, and not before."""
    made = watched(tmp_path, FakeEngine())
    seen: list[Any] = []
    monkeypatch.setattr(session, "driver_for", lambda stack, engine: made)
    monkeypatch.setattr(session, "acting_on", lambda stack: f"world of {stack}")
    monkeypatch.setattr(drills, "newest", lambda directory, stack: (directory, stack))
    monkeypatch.setattr(command, "run", lambda *given: seen.append(given) or 0)
    drill.drill.body(Context(), "peering-cut", 7, participants=["A"], stay=True, stack="dev")
    driver, options, paging, world, before = seen[0]
    assert driver is made
    assert options == command.Options("peering-cut", 7, ["A"], "", (), True)
    assert (paging, before) == (page.page, (tmp_path, "dev"))
    assert world() == "world of dev"


def test_an_unknown_scenario_starts_no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad input: one line, nothing touched."""
    monkeypatch.setattr(session, "driver_for", lambda *_: pytest.fail("touched"))
    with pytest.raises(Exit) as caught:
        drill.drill.body(Context(), "x")
    assert caught.value.code == 2


def test_the_other_tasks_read_the_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They start nothing; an exit code is passed on."""
    seen: list[Any] = []
    monkeypatch.setattr(workspace, "find", lambda: Workspace(tmp_path, tmp_path))
    monkeypatch.setattr(command, "show_list", lambda *given: seen.append(given))
    monkeypatch.setattr(history, "show", lambda *given: seen.append(given) or 5)
    monkeypatch.setattr(figures, "show", lambda *given: seen.append(given))
    monkeypatch.setattr(compare, "show", lambda *given: seen.append(given))
    monkeypatch.setattr(verify, "show", lambda *given: seen.append(given) or 0)
    drill.drill.body(Context(), list=True, json=True)
    with pytest.raises(Exit) as caught:
        drill.history_.body(Context())
    assert caught.value.code == 5
    drill.history_.body(Context(), markdown=True)
    drill.compare_.body(Context(), "a", "b")
    drill.verify_.body(Context(), "f", "k", True)
    assert seen == [
        (True,), (tmp_path, False), (tmp_path,), (tmp_path, "a", "b", False), ("f", "k", True),
    ]  # fmt: skip


def test_flags_are_of_their_kinds() -> None:
    """A seed is a number in the document as well; what may be repeated is a list of texts."""
    kinds = {one.name: one.kind for one in drill.drill.get_arguments()}
    assert (kinds["seed"], kinds["rate"]) == (int, float)
    assert kinds["participants"] is kinds["finding"] is list
