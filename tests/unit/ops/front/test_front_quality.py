"""Tasks for who changes the repository call what they should."""

from __future__ import annotations

from typing import Any

import pytest
from front_calls import check_passes_on
from invoke.context import Context

from ops.front import quality
from ops.quality import benches, checks, pins


def test_a_benchmark_runs_until_its_own_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """STYLE: tasks are thin; a fault of what they call is one line."""
    check_passes_on(
        monkeypatch, lambda: quality.bench(Context(), "kills"), benches, "run", ("kills", 0.0, 1.0)
    )


def test_benchmarks_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """names.md: bench NAME."""
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(benches, "run", lambda *given: asked.append(given))
    quality.bench(Context(), "deploy")
    quality.bench(Context(), "mutants", 2.5)
    quality.bench(Context(), "drills", 30.0, 5.0)
    assert asked == [("deploy", 0.0, 1.0), ("mutants", 2.5, 1.0), ("drills", 30.0, 5.0)]


def test_checks_get_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """lint and test run their commands through invoke."""
    asked: list[Any] = []
    monkeypatch.setattr(checks, "lint", asked.append)
    monkeypatch.setattr(checks, "test", lambda context, **flags: asked.append((context, flags)))
    context = Context()
    quality.lint(context)
    quality.test(context, match="x")
    flags = {"unit": False, "integration": False, "match": "x", "quick": False}
    assert asked == [context, (context, flags)]


def test_the_pins_tasks_pass_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """STYLE: tasks are thin; the audit runs its command through invoke."""
    context = Context()
    for task, name, given in (
        (quality.pins_check, "check", ()),
        (quality.pins_write, "write", ()),
        (quality.pins_audit, "audit", (context,)),
    ):
        check_passes_on(monkeypatch, lambda task=task: task(context), pins, name, given)
