"""Both regions' recovery tables in memory, with DynamoDB's conditions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from botocore.exceptions import EndpointConnectionError
from fake_clients import refusal

from recovery.codec import from_json, to_json
from recovery.model import State

EAST, WEST = "us-east-1", "us-west-2"


class Table:
    """One region's table. ``fault`` is raised by each call; ``overtaken`` times another run writes
    the item first."""

    def __init__(self, state: State | None = None, fault: Exception | None = None) -> None:
        self.item = None if state is None else to_json(state)
        self.fault = fault
        self.overtaken = 0
        self.journal: list[dict[str, Any]] = []
        self.unwritable: Exception | None = None

    @property
    def state(self) -> State:
        """The item as stored."""
        return State() if self.item is None else from_json(State, self.item)

    def get_item(self, **_: Any) -> dict[str, Any]:
        """The item."""
        if self.fault:
            raise self.fault
        return {"Item": {"body": {"S": json.dumps(self.item)}}} if self.item else {}

    def put_item(self, **given: Any) -> dict[str, Any]:
        """Stores the next version."""
        if self.unwritable:
            raise self.unwritable
        if self.overtaken:
            self.overtaken -= 1
            self.item = to_json(replace(self.state, version=self.state.version + 1, runs=99))
        before = given.get("ExpressionAttributeValues", {}).get(":before", {}).get("N", "0")
        if int(before) != (State().version if self.item is None else self.item["version"]):
            raise refusal("ConditionalCheckFailedException", "PutItem")
        self.item = json.loads(given["Item"]["body"]["S"])
        return {}

    def query(self, **given: Any) -> dict[str, Any]:
        """The journal's newest entries."""
        newest = list(reversed(self.journal))[: given["Limit"]]
        return {"Items": [{"entry": {"S": json.dumps(entry)}} for entry in newest]}


class Tables:
    """Clients of both."""

    regions = (EAST, WEST)

    def __init__(self, east: Table, west: Table) -> None:
        self.tables = {EAST: east, WEST: west}

    def get(self, service: str, region: str) -> Table:
        """The client of DynamoDB there."""
        assert service == "dynamodb"
        return self.tables[region]


class Measured(Tables):
    """The same, and CloudWatch, which keeps (region, metric, value, suffix)."""

    def __init__(self, east: Table, west: Table, fault: Exception | None = None) -> None:
        super().__init__(east, west)
        self.fault = fault
        self.put: list[tuple[str, str, float, str]] = []

    def get(self, service: str, region: str) -> Any:
        """The client of one of both services."""
        return (
            _CloudWatch(self, region) if service == "cloudwatch" else super().get(service, region)
        )


class _CloudWatch:
    def __init__(self, account: Measured, region: str) -> None:
        self.account, self.region = account, region

    def put_metric_data(self, **given: Any) -> None:
        if self.account.fault:
            raise self.account.fault
        assert given["Namespace"] == "WarmStandby"
        (datum,) = given["MetricData"]
        (dimension,) = datum["Dimensions"]
        name, value = datum["MetricName"], datum["Value"]
        self.account.put.append((self.region, name, value, dimension["Value"]))


def lost() -> EndpointConnectionError:
    """A region that doesn't answer."""
    return EndpointConnectionError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com")
