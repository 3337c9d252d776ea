"""In production two people give an order that lifts a guard: the second by their own credentials.

The first run of the command asks, and does nothing else; the same command, run by somebody else
within half an hour, gives the order. What was asked stands in the recovery tables, in each region
that answers: a lost one stops nobody.

An item of kind ``approval`` says who asked last, and counts for nothing by itself: it names the
item under ``approval#USERID`` which IAM lets that user alone write (ops/permissions/operators.toml;
IAM user guide, "IAM policy elements: Variables and tags").
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
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

    user: str
    """The caller's ``aws:userid``: the item's key, so IAM vouches for it."""
    by: str
    """ARN of the caller, as they say."""
    at: int
    """Seconds since the epoch."""
    why: str = ""

    @property
    def person(self) -> str:
        """Of an assumed role the session's name: one person may assume two roles."""
        return self.user.rpartition(":")[2]

    def stands(self, caller: Asked) -> bool:
        """Whether it is somebody else's, and young enough by either clock."""
        return self.person != caller.person and abs(caller.at - self.at) <= VALID_SECONDS


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
    caller = account.caller(clients)
    suffix = file.settings.suffix
    tables = [
        (clients.get("dynamodb", region), physical_name("table", RECOVERY, region, suffix))
        for region in clients.regions
    ]
    mine = Asked(caller.user_id, caller.arn, int(now()), why)
    other = next((asked for asked in _read(tables, order) if asked.stands(mine)), None)
    if other is not None:
        for key in _keys(order, other.user):
            _each(tables, lambda client, name, key=key: client.delete_item(TableName=name, Key=key))
        return f"{other.by}, user id {other.user}"
    body = {"by": mine.by, "at": mine.at, "why": mine.why}
    proof, last = _keys(order, mine.user)
    for item in (
        {**proof, "body": {"S": json.dumps(body)}},
        {**last, "user": {"S": mine.user}},
    ):
        _each(tables, lambda client, name, item=item: client.put_item(TableName=name, Item=item))
    raise OperatorError(
        f"{order} in {file.stack} takes two people: {caller.arn} has asked, and nothing was done; "
        f"somebody else runs the same command within {VALID_SECONDS // 60} minutes",
        ExitCode.BUSY,
    )


def _keys(order: str, user: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of the item that proves what a user asked, and of the one that says who asked last."""
    number = {"N": str(ORDERS[order])}
    return (
        {"kind": {"S": f"{KIND}#{user}"}, "number": number},
        {"kind": {"S": KIND}, "number": number},
    )


def _read(tables: list[tuple[Any, str]], order: str) -> list[Asked]:
    """What stands in each region that answers; without a proof, or with one that says nothing,
    nobody has asked."""
    found: list[Asked] = []

    def read(client: Any, name: str) -> None:
        def item(key: dict[str, Any]) -> dict[str, Any]:
            answer = client.get_item(TableName=name, Key=key, ConsistentRead=True)
            return answer.get("Item", {})

        user = item(_keys(order, "")[1]).get("user", {}).get("S", "")
        try:
            body = json.loads(item(_keys(order, user)[0])["body"]["S"])
            found.append(Asked(user, str(body["by"]), int(body["at"]), str(body["why"])))
        except (KeyError, TypeError, ValueError):
            return

    _each(tables, read)
    return found


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
