"""RDS's events by their ids, and validations, in the recovery table.

``DescribeEvents`` answers without ids (RDS API reference, ``Event``), so the ids come from
EventBridge, which calls the controller with each event of a cluster.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from recovery.codec import from_json, to_json
from recovery.observation import Event, Validation
from recovery.ports import UnavailableError
from recovery.stored import DynamoDb, error_code

RECENT_MINUTES = 60
PLACES = 10_000
"""An event's number is its minute and its id's four digits: the same event is stored once."""


class RecordedEvents:
    """The table's items of kind ``event``."""

    def __init__(self, client: DynamoDb, table: str) -> None:
        self._client, self._table = client, table

    def store(self, event: Mapping[str, Any]) -> Event:
        """Keeps one event as EventBridge brings it; raises ``UnavailableError``."""
        found = event_of(event)
        number = found.minute * PLACES + int(found.id.rpartition("-")[2])
        item = {
            "kind": {"S": "event"},
            "number": {"N": str(number)},
            "body": {"S": json.dumps(to_json(found), sort_keys=True)},
        }
        try:
            self._client.put_item(TableName=self._table, Item=item)
        except Exception as fault:
            raise UnavailableError(f"{self._table}: {error_code(fault)}") from fault
        return found

    def recent(self, minute: int) -> tuple[Event, ...]:
        """Returns the last hour's, oldest first; errors are raised."""
        found = self._client.query(
            TableName=self._table,
            KeyConditionExpression="kind = :event AND #number >= :since",
            ExpressionAttributeNames={"#number": "number"},
            ExpressionAttributeValues={
                ":event": {"S": "event"},
                ":since": {"N": str((minute - RECENT_MINUTES) * PLACES)},
            },
            ConsistentRead=True,
        )["Items"]
        return tuple(from_json(Event, json.loads(item["body"]["S"])) for item in found)


def event_of(event: Mapping[str, Any]) -> Event:
    """Returns an event of EventBridge's source ``aws.rds`` as the controller keeps it."""
    moment = datetime.fromisoformat(str(event["time"]).replace("Z", "+00:00"))
    return Event(str(event["detail"]["EventID"]), int(moment.timestamp()) // 60)


class Validations:
    """The table's items of kind ``validation``, numbered by the minute in which each began."""

    def __init__(self, client: DynamoDb, table: str) -> None:
        self._client, self._table = client, table

    def store(self, validation: Validation) -> None:
        """Keeps one run of the validator; raises ``UnavailableError``."""
        item = {
            "kind": {"S": "validation"},
            "number": {"N": str(validation.began)},
            "body": {"S": json.dumps(to_json(validation), sort_keys=True)},
        }
        try:
            self._client.put_item(TableName=self._table, Item=item)
        except Exception as fault:
            raise UnavailableError(f"{self._table}: {error_code(fault)}") from fault

    def newest(self) -> Validation | None:
        """Returns the last one; errors are raised."""
        found = self._client.query(
            TableName=self._table,
            KeyConditionExpression="kind = :validation",
            ExpressionAttributeValues={":validation": {"S": "validation"}},
            ScanIndexForward=False,
            Limit=1,
            ConsistentRead=True,
        )["Items"]
        return from_json(Validation, json.loads(found[0]["body"]["S"])) if found else None
