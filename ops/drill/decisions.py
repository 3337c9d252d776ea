"""The controllers' journals since a drill began, put into the timeline's words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.drill.history import Seen
from ops.recovery.items import Items
from recovery.model import Answer


@dataclass(frozen=True)
class Entry:
    """One entry: its number, the scheduled minute that it belongs to, and what it says."""

    region: str
    number: int
    minute: int
    kind: str
    body: Mapping[str, Any]


def entries(items: Items, region: str, after: int) -> list[Entry]:
    """The journal's entries after a number; none where the region doesn't answer."""
    asked: dict[str, Any] = {
        "TableName": items.table(region),
        "KeyConditionExpression": "kind = :journal AND #number > :after",
        "ExpressionAttributeNames": {"#number": "number"},
        "ExpressionAttributeValues": {":journal": {"S": "journal"}, ":after": {"N": str(after)}},
    }
    found: list[Entry] = []
    try:
        while True:
            page = items.dynamodb(region).query(**asked)
            for item in page["Items"]:
                entry = json.loads(item["entry"]["S"])
                body = json.loads(entry["body"])
                found.append(Entry(region, entry["number"], entry["minute"], entry["kind"], body))
            if "LastEvaluatedKey" not in page:
                return found
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    except (ClientError, BotoCoreError):
        return found


def promotions(found: Iterable[Entry]) -> int:
    """How many calls for a promotion were accepted."""
    return sum(answer == Answer.ACCEPTED for answer in _answers(found))


def refusals(found: Iterable[Entry]) -> int:
    """How many calls for a promotion AWS refused: a guard should have held each of them back."""
    return sum(answer == Answer.REFUSED for answer in _answers(found))


def _answers(found: Iterable[Entry]) -> Iterator[str]:
    for entry in found:
        if entry.kind == "outcome" and entry.body["action"]["name"] == "CallFailover":
            yield entry.body["outcome"]["answer"]


def timeline(found: Iterable[Entry], began_at: float) -> list[Seen]:
    """Decisions and what became of their actions. ``began_at`` is the system's time, in seconds
    since 1970, at the drill's second 0: an entry knows its scheduled minute alone."""
    seen = []
    for entry in found:
        body = entry.body
        if entry.kind == "outcome":
            outcome = ", ".join(f"{key} {value}" for key, value in body["outcome"].items())
            what = f"{body['action']['name']}: {outcome}"
        else:
            actions = ", ".join(action["name"] for action in body.get("actions", []))
            what = f"{body.get('stage', entry.kind)}: {body.get('reason', '')}"
            what += f" → {actions}" if actions else ""
        at = entry.minute * 60 - began_at
        seen.append(Seen(at, "decision", f"{entry.region}: {what}"))
    return seen


def notices(found: Iterable[Entry], began_at: float) -> list[dict[str, Any]]:
    """What was sent to people: when (the drill's seconds), to whom, and the words."""
    return [
        {
            "at": round(entry.minute * 60 - began_at, 3),
            "to": f"topic of {entry.region}",
            "text": str(entry.body["action"]["notice"]["text"]),
        }
        for entry in found
        if entry.kind == "outcome"
        and entry.body["action"]["name"] == "Send"
        and entry.body["outcome"].get("ok")
    ]
