"""The lab's tasks call what they should."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from front_calls import check_passes_on
from invoke.context import Context

from ops import lab, lab_tools
from ops.front import lab as tasks


@pytest.mark.parametrize(
    ("call", "function", "given"),
    [
        (lambda: tasks.up(Context(), clock=2.0, rtt=65.0), "up", ("lab", 2.0, 65.0)),
        (lambda: tasks.fault_(Context(), "f", "1"), "fault", ("f", "1")),
        (lambda: tasks.down(Context()), "down", ()),
        (lambda: tasks.status(Context()), "status", (False,)),
        (lambda: tasks.outage(Context(), "r", mode="hang"), "outage", ("r", None, "hang")),
        (lambda: tasks.restore(Context(), "r"), "restore", ("r",)),
        (lambda: tasks.clock(Context(), 3.0), "clock", (3.0,)),
    ],
)
def test_the_labs_tasks_pass_their_flags_on(
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[], object],
    function: str,
    given: tuple[Any, ...],
) -> None:
    """STYLE: tasks are thin; a fault of what they call is one line."""
    check_passes_on(monkeypatch, call, lab, function, given)


@pytest.mark.parametrize(
    ("call", "function", "given"),
    [
        (lambda: tasks.mails(Context(), confirm=True), "mails", (True, False)),
        (lambda: tasks.env_(Context()), "env", ("lab",)),
        (lambda: tasks.types_(Context(), json=True), "types", (True,)),
        (lambda: tasks.aws_(Context(), "s3 ls"), "aws", ("lab", "s3 ls")),
    ],
)
def test_the_labs_tools_get_their_flags(
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[], object],
    function: str,
    given: tuple[Any, ...],
) -> None:
    """STYLE: tasks are thin; a fault of what they call is one line."""
    check_passes_on(monkeypatch, call, lab_tools, function, given)
