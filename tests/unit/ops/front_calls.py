"""What a thin task passes on to the code that does its work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from invoke.exceptions import Exit
from watched_driver import Watched

from ops import session
from ops.errors import OperatorError

CLIENTS = object()
DRIVER = Watched.__new__(Watched)
"""What tasks hand on without looking into it."""


def check_passes_on(
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[], object],
    module: Any,
    function: str,
    given: tuple[Any, ...],
) -> None:
    """Holds that ``call`` calls ``module.function`` once with ``given``, and that a fault of it
    ends the task in one line."""
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(session, "driver_for", lambda stack, engine: DRIVER)
    monkeypatch.setattr(session, "clients_for", lambda stack: (CLIENTS, stack))
    monkeypatch.setattr(module, function, lambda *arguments: asked.append(arguments))
    call()
    assert asked == [given]

    def refuse(*_: object) -> None:
        raise OperatorError("no")

    monkeypatch.setattr(module, function, refuse)
    with pytest.raises(Exit) as caught:
        call()
    assert caught.value.message == "no"
