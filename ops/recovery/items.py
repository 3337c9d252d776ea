"""Both regions' recovery items, read and changed by commands.

Each controller reads its own item alone, so a command changes both; one that it can't reach is
settled by the next command, to the stricter of both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ops.cloud.clients import Clients
from ops.errors import OperatorError, bad_input
from ops.stack_file import StackFile
from recovery.commands import RefusedError, settled
from recovery.model import State
from recovery.ports import ConflictError, UnavailableError
from recovery.stored import StateTable
from tapstack.naming import physical_name
from tapstack.well_known import RECOVERY

TRIES = 5
PAUSE_SECONDS = 1.0
"""A run of the controller writes its item a few times within seconds."""
MISSING = "ResourceNotFoundException"

Change = Callable[[State], State]


@dataclass(frozen=True)
class Item:
    """One region's item, or why it isn't known."""

    region: str
    state: State | None
    unknown: str = ""


class Items:
    """The items of one environment."""

    def __init__(self, clients: Clients, suffix: str, stack: str) -> None:
        self._clients, self._suffix, self._stack = clients, suffix, stack
        self.regions = clients.regions

    @classmethod
    def of(cls, clients: Clients, file: StackFile) -> Items:
        """The items of a stack's environment."""
        return cls(clients, file.settings.suffix, file.stack)

    def table(self, region: str) -> str:
        """The name of a region's table."""
        return physical_name("table", RECOVERY, region, self._suffix)

    def dynamodb(self, region: str) -> Any:
        """The client of a region's table."""
        return self._clients.get("dynamodb", region)

    def read(self) -> tuple[Item, Item]:
        """Both items, the primary region's first. Raises where nothing is deployed or nobody
        answers."""
        first, second = (self._read(region) for region in self.regions)
        if first.state is None and second.state is None:
            if MISSING in first.unknown or MISSING in second.unknown:
                raise bad_input(
                    "there is no recovery table yet: run ./inv up --layer global --stack "
                    f"{self._stack}"
                )
            raise OperatorError(
                f"no recovery table answers: {first.unknown}; {second.unknown}; try again when a "
                "region does"
            )
        return first, second

    def change(self, change: Change) -> tuple[Item, Item]:
        """Settles both items and changes each that answers; returns them as they stand then.

        Raises ``OperatorError`` with the refusal's own line, and nothing is written.
        """
        return self.change_each(dict.fromkeys(self.regions, change))

    def change_each(self, changes: Mapping[str, Change]) -> tuple[Item, Item]:
        """The same with another change for each region."""
        first, second = self.read()
        try:
            for item in (first, second):
                if item.state is not None:
                    changes[item.region](item.state)
        except RefusedError as refusal:
            raise bad_input(str(refusal)) from None
        return (
            self._write(first, second, changes[first.region]),
            self._write(second, first, changes[second.region]),
        )

    def _read(self, region: str) -> Item:
        try:
            return Item(region, StateTable(self.dynamodb(region), self.table(region)).load())
        except UnavailableError as fault:
            return Item(region, None, str(fault))

    def _write(self, item: Item, other: Item, change: Change) -> Item:
        table = StateTable(self.dynamodb(item.region), self.table(item.region))
        for _ in range(TRIES):
            own = item.state
            if own is None:
                return item
            peer = own if other.state is None else other.state
            changed = replace(change(settled(own, peer)), version=own.version + 1)
            try:
                table.save(changed)
            except ConflictError:
                time.sleep(PAUSE_SECONDS)
                item = self._read(item.region)
                continue
            except UnavailableError as fault:
                return Item(item.region, None, str(fault))
            return Item(item.region, changed)
        raise OperatorError(
            f"{table_is_busy(item.region)}: the order isn't written there; run the same again"
        )


def table_is_busy(region: str) -> str:
    """What is wrong where every try met another writer."""
    return f"the recovery item of {region} was written by others {TRIES} times"


def minute_of(items: tuple[Item, Item]) -> int:
    """The scheduled minute that is now: a lab's schedule may be ahead of this machine's clock."""
    counted = [item.state.last_minute or 0 for item in items if item.state is not None]
    return max(int(time.time()) // 60, *counted)
