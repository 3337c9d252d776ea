"""``./inv recovery.*``: each task passes on what it was given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from invoke.context import Context
from watched_driver import stack_file

from ops import session
from ops.front import recovery
from ops.recovery import asking, orders, standing
from ops.recovery.items import Items

FILE = stack_file()
SPACE = object()


class NoClients:
    """Of both regions, and never asked."""

    regions = ("us-east-1", "us-west-2")


CLIENTS = NoClients()


@pytest.mark.parametrize(
    ("call", "module", "function", "given"),
    [
        (lambda c: recovery.freeze.body(c, "why", stack="dev"), orders, "freeze", ("why", False)),
        (lambda c: recovery.thaw.body(c, json=True), orders, "thaw", (True,)),
        (lambda c: recovery.hold.body(c, "why", 5), orders, "hold", (5, "why", False)),
        (recovery.acknowledge.body, orders, "acknowledge", (False,)),
    ],
)
def test_an_order_reaches_both_items(
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[Context], None],
    module: Any,
    function: str,
    given: tuple[Any, ...],
) -> None:
    """Issue 18.3: the items of the stack, and the arguments as they were given."""
    seen: list[tuple[Any, ...]] = []
    monkeypatch.setattr(session, "looking_at", lambda _: (SPACE, FILE, CLIENTS))
    monkeypatch.setattr(module, function, lambda *arguments: seen.append(arguments))
    call(Context())
    items, *rest = seen[0]
    assert isinstance(items, Items)
    assert items.table("us-west-2") == f"table-recovery-us-west-2-{FILE.settings.suffix}"
    assert tuple(rest) == given


def test_the_status_looks_at_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts nothing and waits for no lost region."""
    seen: list[tuple[Any, ...]] = []
    monkeypatch.setattr(session, "looking_at", lambda stack: (SPACE, stack, CLIENTS))
    monkeypatch.setattr(standing, "show", lambda *arguments: seen.append(arguments))
    recovery.status.body(Context(), "dev", True)
    assert seen == [(SPACE, "dev", CLIENTS, True)]


def test_what_moves_the_writer_acts_on_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 18.3: every flag reaches the command as it was given."""
    seen: list[Any] = []
    monkeypatch.setattr(session, "acting_on", lambda stack: stack)
    for name in ("fail_over", "fail_back", "reconcile"):
        monkeypatch.setattr(
            asking, name, lambda world, name=name, **given: seen.append((name, world, given))
        )
    recovery.failover.body(Context(), "dev", True, False, True, "why", True)
    recovery.failback.body(Context())
    recovery.reconcile.body(Context(), "dev", True, "gone", True)
    flags = {"planned": False, "force": True, "reason": "why", "yes": True, "as_json": True}
    assert seen == [
        ("fail_over", "dev", flags),
        ("fail_back", "lab", {"yes": False, "as_json": False}),
        ("reconcile", "dev", {"replay": True, "accept": "gone", "as_json": True}),
    ]
