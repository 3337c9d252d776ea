"""The lab's tasks call what they should."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from front_calls import check_passes_on
from invoke.context import Context

from ops import lab
from ops.front import lab as tasks


@pytest.mark.parametrize(
    ("call", "function", "given"),
    [
        (lambda: tasks.up(Context(), clock=2.0), "up", ("lab", 2.0)),
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
