"""What a region's recovery controller remembers, decided and sent, read from outside as AWS shows
it, and the proof that it needs before it may promote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from application_client import until
from deployed_lab import Lab

from recovery.codec import from_json
from recovery.journal import Entry
from recovery.model import State
from recovery.observation import Validation
from recovery.recorded_events import RecordedEvents, Validations
from recovery.stored import StateTable


@dataclass(frozen=True)
class Controller:
    """One region's."""

    lab: Lab
    region: str

    @property
    def table(self) -> str:
        """Its table's name."""
        return f"table-recovery-{self.region}-{self.lab.stack_file.settings.suffix}"

    @property
    def state(self) -> State:
        """Its state item, read as the controller reads it."""
        return StateTable(self.lab.client("dynamodb", self.region), self.table).load()

    def journal(self) -> list[Entry]:
        """Its journal from the first entry on."""
        pages = (
            self.lab.client("dynamodb", self.region)
            .get_paginator("query")
            .paginate(
                TableName=self.table,
                KeyConditionExpression="kind = :journal",
                ExpressionAttributeValues={":journal": {"S": "journal"}},
            )
        )
        return [
            from_json(Entry, json.loads(item["entry"]["S"]))
            for page in pages
            for item in page["Items"]
        ]

    def outcomes(self, action: str) -> list[dict[str, Any]]:
        """What became of an action, each time that it was taken."""
        bodies = [json.loads(entry.body) for entry in self.journal() if entry.kind == "outcome"]
        return [body["outcome"] for body in bodies if body["action"]["name"] == action]

    def events(self) -> list[str]:
        """The ids of RDS's events of the last hour, as the controller keeps them."""
        client = self.lab.client("dynamodb", self.region)
        now = self.state.last_minute or 0
        return [event.id for event in RecordedEvents(client, self.table).recent(now)]

    def validate(self) -> None:
        """Stores what the validator stores after a run that found everything ready, begun in the
        last counted minute: with less the effective mode is ``notify``."""
        began = self.state.last_minute
        assert began is not None, "the controller hasn't run yet"
        Validations(self.lab.client("dynamodb", self.region), self.table).store(
            Validation(
                began=began,
                ready=True,
                permissions_proven=True,
                witness_readable=True,
                subscription_confirmed=True,
                engine_version="16.8",
            )
        )

    def wait(self, what: str, holds: Any, seconds: float) -> State:
        """Waits until the state is so; returns it."""
        found = until(lambda: state if holds(state := self.state) else None, seconds)
        assert found is not None, f"{self.region} isn't {what} after {seconds} s: {self.state}"
        return found
