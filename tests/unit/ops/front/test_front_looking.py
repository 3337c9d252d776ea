"""Tasks that look call what they should."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from front_calls import CLIENTS, DRIVER, check_passes_on
from invoke.context import Context
from invoke.exceptions import Exit

from ops import session
from ops.cloud import inventory
from ops.deploy import alarms, drift, status
from ops.doctor import examination
from ops.errors import ExitCode
from ops.front import looking
from ops.permissions import show
from ops.policies import table


@pytest.mark.parametrize(
    ("call", "module", "given"),
    [
        (lambda: looking.inventory(Context()), inventory, (CLIENTS, "lab", False)),
        (lambda: looking.drift(Context(), json=True), drift, (DRIVER, True)),
        (lambda: looking.doctor(Context(), json=True), examination, ("lab", True)),
    ],
)
def test_looking_tasks_pass_their_flags_on(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[], object], module: Any, given: tuple[Any, ...]
) -> None:
    """STYLE: tasks are thin; a fault of what they call is one line."""
    check_passes_on(monkeypatch, call, module, "show", given)


def test_the_policy_table_gets_its_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """N8: as a table, as JSON, or as the document."""
    asked: list[Any] = []
    monkeypatch.setattr(session, "driver_for", lambda *given: given)
    monkeypatch.setattr(table, "show", lambda *given, **flags: asked.append((given, flags)))
    looking.policy(Context(), markdown=True)
    assert asked == [((("lab", None),), {"as_json": False, "markdown": True})]


def test_drift_asks_the_stacks_own_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """names.md: drift."""
    asked: list[Any] = []
    monkeypatch.setattr(session, "driver_for", lambda *given: given)
    monkeypatch.setattr(drift, "show", lambda *given: asked.append(given))
    looking.drift(Context(), json=True)
    assert asked == [(("lab", None), True)]


@pytest.mark.parametrize(("watch", "called"), [(False, "show"), (True, "watch")])
def test_status_starts_nothing_and_ends_with_its_finding(
    monkeypatch: pytest.MonkeyPatch, watch: bool, called: str
) -> None:
    """Issue 17.8: a stopped lab stays stopped, and failing writes are exit code 5."""
    started: list[Any] = []
    monkeypatch.setattr(session, "driver_for", lambda *_, **flags: started.append(flags) or DRIVER)
    monkeypatch.setattr(status, called, lambda *_: ExitCode.DIFFERENCE)
    with pytest.raises(Exit) as caught:
        looking.status(Context(), watch=watch)
    assert caught.value.code == 5
    assert started == [{"start": False}]


def test_iam_gets_its_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 54: for a role, printed or into a folder."""
    asked: list[Any] = []
    monkeypatch.setattr(show, "show", lambda *given: asked.append(given))
    looking.iam(Context(), stack="dev", role="read", to="iam")
    assert asked == [("dev", "read", "iam")]


def test_alarms_gets_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 17.8: as a table or as JSON."""
    asked: list[Any] = []
    monkeypatch.setattr(session, "looking_at", lambda stack: (stack, "file", "clients"))
    monkeypatch.setattr(alarms, "show", lambda *given: asked.append(given))
    looking.alarms(Context(), json=True)
    assert asked == [("lab", "file", "clients", True)]
