"""``./inv recovery.freeze``, ``thaw``, ``hold`` and ``acknowledge``: orders to both controllers."""

from __future__ import annotations

import getpass
from collections.abc import Callable

from ops.errors import OperatorError, bad_input
from ops.printing import make_console, print_json
from ops.recovery.items import Change, Item, Items, minute_of
from recovery import commands
from recovery.model import State


def freeze(items: Items, reason: str, as_json: bool) -> None:
    """Stops all automatic recovery for a day."""
    minute = minute_of(items.read())
    by = getpass.getuser()
    _order(items, lambda state: commands.freeze(state, minute, by, reason), as_json, _frozen)


def thaw(items: Items, as_json: bool) -> None:
    """Ends a freeze."""
    _order(items, commands.thaw, as_json, _frozen)


def hold(items: Items, minutes: int, reason: str, as_json: bool) -> None:
    """Stops the database-only path for some minutes, at most an hour."""
    minute = minute_of(items.read())
    _order(items, lambda state: commands.hold(state, minute, minutes, reason), as_json, _held)


def acknowledge(items: Items, as_json: bool) -> None:
    """Lets the controllers guard again after a promotion; both regions must answer, since both
    must agree on the epoch."""
    first, second = items.read()
    if first.state is None or second.state is None:
        unknown = first if first.state is None else second
        raise OperatorError(
            f"{unknown.region} doesn't answer ({unknown.unknown}): acknowledge when both regions do"
        )
    if commands.nothing_to_acknowledge(first.state, second.state):
        raise bad_input("there is nothing to acknowledge: ./inv recovery.status shows both regions")
    epoch = max(first.state.epoch, second.state.epoch)
    _order(items, lambda state: commands.acknowledge(state, epoch), as_json, _guarding)


def _order(items: Items, change: Change, as_json: bool, said: Callable[[State], str]) -> None:
    """Carries an order out and prints what stands then; safe to repeat."""
    changed = items.change(change)
    if as_json:
        print_json({item.region: _as_dict(item, said) for item in changed})
        return
    console = make_console()
    for item in changed:
        line = said(item.state) if item.state else f"not known ({item.unknown})"
        console.print(f"{item.region}: {line}")
    if any(item.state is None for item in changed):
        console.print("a region that didn't answer is settled by the next order")


def _as_dict(item: Item, said: Callable[[State], str]) -> dict[str, str]:
    return {"stands": said(item.state)} if item.state else {"unknown": item.unknown}


def _frozen(state: State) -> str:
    frozen = state.freeze
    return f"frozen by {frozen.by}: {frozen.reason}" if frozen else "not frozen"


def _held(state: State) -> str:
    held = state.hold
    return f"held for {held.until - held.since} minutes: {held.reason}" if held else "not held"


def _guarding(state: State) -> str:
    return f"{state.stage.value}, epoch {state.epoch}"
