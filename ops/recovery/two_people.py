"""In production two people give an order that lifts a guard: the second by their own credentials.

The first run of the command asks, and does nothing else; the same command, run by somebody else
within half an hour, gives the order. What was asked stands in the recovery tables, in each region
that answers: a lost one stops nobody.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud import account
from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from ops.errors import ExitCode, OperatorError
from ops.stack_file import StackFile
from tapstack.naming import physical_name
from tapstack.well_known import RECOVERY

GUARDED = "prod"
"""The environment in which one person alone isn't enough."""
ORDERS = {"failover --force": 1, "recovery.thaw": 2, "recovery.acknowledge": 3}
"""Order → its number among the items of kind ``approval``."""
KIND = "approval"
VALID_SECONDS = 1800


@dataclass(frozen=True)
class Asked:
    """Who asked for an order, and when."""

    by: str
    """ARN of the caller; of an assumed role with the session's name, which is the person."""
    at: int
    """Seconds since the epoch."""
    why: str = ""


def agreed(
    clients: Clients,
    file: StackFile,
    order: str,
    why: str = "",
    now: Callable[[], float] = time.time,
) -> str:
    """Returns who asked for the order that the caller now gives, empty where one is enough. Raises
    OperatorError where nobody else has asked: then the caller has, and nothing else was done."""
    if file.settings.environment != GUARDED:
        return ""
    caller = account.caller(clients).arn
    suffix = file.settings.suffix
    tables = [
        (clients.get("dynamodb", region), physical_name("table", RECOVERY, region, suffix))
        for region in clients.regions
    ]
    moment = int(now())
    waiting = [asked for asked in _read(tables, order) if moment - asked.at <= VALID_SECONDS]
    other = next((asked for asked in waiting if asked.by != caller), None)
    if other is not None:
        _each(tables, lambda client, name: client.delete_item(TableName=name, Key=_key(order)))
        return other.by
    item = {**_key(order), "body": {"S": json.dumps(asdict(Asked(caller, moment, why)))}}
    _each(tables, lambda client, name: client.put_item(TableName=name, Item=item))
    raise OperatorError(
        f"{order} in {file.stack} takes two people: {caller} has asked, and nothing was done; "
        f"somebody else runs the same command within {VALID_SECONDS // 60} minutes",
        ExitCode.BUSY,
    )


def _key(order: str) -> dict[str, Any]:
    return {"kind": {"S": KIND}, "number": {"N": str(ORDERS[order])}}


def _read(tables: list[tuple[Any, str]], order: str) -> Iterator[Asked]:
    found: list[Asked] = []

    def read(client: Any, name: str) -> None:
        answer = client.get_item(TableName=name, Key=_key(order), ConsistentRead=True)
        if item := answer.get("Item"):
            found.append(Asked(**json.loads(item["body"]["S"])))

    _each(tables, read)
    yield from found


def _each(tables: list[tuple[Any, str]], do: Callable[[Any, str], object]) -> None:
    """Does it in each region that answers; raises where none does."""
    faults: list[str] = []
    for client, name in tables:
        try:
            do(client, name)
        except (ClientError, BotoCoreError) as error:
            faults.append(f"{name}: {reason(error)}")
    if len(faults) == len(tables):
        raise OperatorError(f"no recovery table answers: {'; '.join(faults)}; try again")
