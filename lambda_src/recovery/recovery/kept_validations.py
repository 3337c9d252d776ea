"""What the validator keeps in the recovery table: an hour of validations, and its markers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from recovery.codec import from_json, to_json
from recovery.facts import Crossing
from recovery.recorded_events import Validations
from recovery.stored import DynamoDb

KEPT_MINUTES = 60
"""The controller keeps the one that counts in its own item."""
MARKERS_KEY: dict[str, Any] = {"kind": {"S": "marker"}, "number": {"N": "0"}}


class Deleting(DynamoDb, Protocol):
    """What is used of boto3's DynamoDB client."""

    def delete_item(self, **arguments: Any) -> Mapping[str, Any]:
        """Takes one item away."""
        ...


@dataclass(frozen=True)
class Markers:
    """Where the markers stood after the last run."""

    objects: Crossing = Crossing()
    events: Crossing = Crossing()


class KeptValidations(Validations):
    """The table's items of kinds ``validation`` and ``marker``; errors are raised."""

    def __init__(self, client: Deleting, table: str) -> None:
        super().__init__(client, table)
        self._deleting, self._name = client, table

    def drop_old(self, minute: int) -> None:
        """Takes away the validations that began more than an hour before ``minute``."""
        found = self._deleting.query(
            TableName=self._name,
            KeyConditionExpression="kind = :validation AND #number < :before",
            ExpressionAttributeNames={"#number": "number"},
            ExpressionAttributeValues={
                ":validation": {"S": "validation"},
                ":before": {"N": str(minute - KEPT_MINUTES)},
            },
        )["Items"]
        for item in found:
            key = {"kind": item["kind"], "number": item["number"]}
            self._deleting.delete_item(TableName=self._name, Key=key)

    def markers(self) -> Markers:
        """Returns the markers as last kept."""
        item = self._deleting.get_item(TableName=self._name, Key=MARKERS_KEY).get("Item")
        return from_json(Markers, json.loads(item["body"]["S"])) if item else Markers()

    def keep(self, markers: Markers) -> None:
        """Stores the markers over those before."""
        body = json.dumps(to_json(markers), sort_keys=True)
        item = {**MARKERS_KEY, "body": {"S": body}}
        self._deleting.put_item(TableName=self._name, Item=item)
