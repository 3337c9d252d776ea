"""The region's recovery table in DynamoDB: the state item and the journal.

Keys: ``kind`` (S) and ``number`` (N). The state is ``state``/0 with ``version`` (N) and ``body``
(JSON); the journal's entries are ``journal``/1, 2, … A write that isn't the next version, or a
second entry of one number, is refused by DynamoDB itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from recovery.codec import CodecError, from_json, to_json
from recovery.journal import Entry, link
from recovery.model import State
from recovery.ports import ConflictError, UnavailableError

STATE_KEY: dict[str, Any] = {"kind": {"S": "state"}, "number": {"N": "0"}}
JOURNAL_PREFIX = "recovery/journal/"
"""Where a bucket keeps the copies, by region and number."""
REFUSED = "ConditionalCheckFailedException"


class DynamoDb(Protocol):
    """What is used of boto3's DynamoDB client; its retries are off."""

    def get_item(self, **arguments: Any) -> Mapping[str, Any]:
        """A consistent read of one item."""
        ...

    def put_item(self, **arguments: Any) -> Mapping[str, Any]:
        """A conditional write of one item."""
        ...

    def query(self, **arguments: Any) -> Mapping[str, Any]:
        """The items of one ``kind`` in order."""
        ...


class S3(Protocol):
    """What is used of boto3's S3 client."""

    def put_object(self, **arguments: Any) -> Mapping[str, Any]:
        """Writes one object."""
        ...


def error_code(fault: Exception) -> str:
    """Returns an AWS error's code, or the exception's name where AWS gave no answer."""
    response = getattr(fault, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return str(code or type(fault).__name__)


class StateTable:
    """Port ``Table``."""

    def __init__(self, client: DynamoDb, name: str) -> None:
        self._client, self._name = client, name

    def load(self) -> State:
        """Returns the item as last written; a new state where there is none."""
        try:
            found = self._client.get_item(TableName=self._name, Key=STATE_KEY, ConsistentRead=True)
            item = found.get("Item")
            return from_json(State, json.loads(item["body"]["S"])) if item else State()
        except (CodecError, KeyError, ValueError) as fault:
            raise UnavailableError(f"{self._name} holds no state of ours: {fault}") from fault
        except Exception as fault:
            raise UnavailableError(f"{self._name}: {error_code(fault)}") from fault

    def save(self, state: State) -> None:
        """Stores version n where n - 1 stands, or where nothing stands and n is 1."""
        item = {
            **STATE_KEY,
            "version": {"N": str(state.version)},
            "body": {"S": json.dumps(to_json(state), sort_keys=True)},
        }
        first = state.version == 1
        condition = "attribute_not_exists(kind)" if first else "version = :before"
        values = {} if first else {":before": {"N": str(state.version - 1)}}
        try:
            self._client.put_item(
                TableName=self._name, Item=item, ConditionExpression=condition,
                **({"ExpressionAttributeValues": values} if values else {}),
            )  # fmt: skip
        except Exception as fault:
            if error_code(fault) == REFUSED:
                raise ConflictError from fault
            raise UnavailableError(f"{self._name}: {error_code(fault)}") from fault


class JournalTable:
    """Port ``Journal``: an entry is in the table first, then copied to the region's bucket.

    The copies' names carry the region: the buckets replicate into each other.
    """

    def __init__(
        self, client: DynamoDb, name: str, bucket_client: S3, bucket: str, region: str
    ) -> None:
        self._client, self._name = client, name
        self._bucket_client, self._bucket, self._region = bucket_client, bucket, region

    def append(self, minute: int, kind: str, body: Mapping[str, Any]) -> None:
        """Adds the next link; another run that added it first makes this one fail."""
        try:
            entry = link(self._last(), minute, kind, body)
            self._client.put_item(
                TableName=self._name,
                Item={
                    "kind": {"S": "journal"},
                    "number": {"N": str(entry.number)},
                    "entry": {"S": json.dumps(asdict(entry), sort_keys=True)},
                },
                ConditionExpression="attribute_not_exists(kind)",
            )
            self._bucket_client.put_object(
                Bucket=self._bucket,
                Key=f"{JOURNAL_PREFIX}{self._region}/{entry.number:012}.json",
                Body=json.dumps(asdict(entry), sort_keys=True).encode(),
                ContentType="application/json",
            )
        except Exception as fault:
            raise UnavailableError(f"{self._name}: {error_code(fault)}") from fault

    def _last(self) -> Entry | None:
        found = self._client.query(
            TableName=self._name,
            KeyConditionExpression="kind = :journal",
            ExpressionAttributeValues={":journal": {"S": "journal"}},
            ScanIndexForward=False,
            Limit=1,
            ConsistentRead=True,
        )["Items"]
        return from_json(Entry, json.loads(found[0]["entry"]["S"])) if found else None
