"""Redriving: each message goes where it belongs, once, and is kept when it can't."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from fake_clients import FakeClients, refusal
from invoke.context import Context
from lab_answers import RUNNING
from watched_driver import LAB

from lab import client
from ops import session
from ops.cloud import redrive as redrives
from ops.cloud.redrive import Redriven, redrive
from ops.errors import OperatorError
from ops.front import upkeep
from ops.workspace import Workspace

EVENT = {
    "source": "warm-standby.app",
    "detail-type": "record.created",
    "resources": ["r"],
    "detail": {"eventId": "1"},
}
RECORD = {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": EVENT}


class World:
    """Queues with messages, and what was done with them."""

    def __init__(self, queues: dict[str, list[Any]]) -> None:
        self.queues = {name: [json.dumps(body) for body in held] for name, held in queues.items()}
        self.deleted: list[str] = []
        self.put: list[tuple[str, dict[str, Any]]] = []
        self.invoked: list[tuple[str, dict[str, Any]]] = []
        self.refused = False
        self.broken: Exception | None = None
        self.lost = ""
        """A region whose bus refuses."""

    def clients(self) -> Any:
        table: dict[tuple[str, str], dict[str, Any]] = {
            ("sqs", ""): {
                "get_queue_url": lambda QueueName: {"QueueUrl": QueueName},  # noqa: N803
                "get_queue_attributes": self.depth,
                "receive_message": self.receive,
                "delete_message": self.delete,
            },
        }
        for region in FakeClients.regions:
            table["events", region] = {"put_events": self.bus(region)}
            table["lambda", region] = {"invoke": self.function(region)}
        return FakeClients(table)

    def depth(self, QueueUrl: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        count = str(len(self.queues.get(QueueUrl, [])))
        return {"Attributes": {"ApproximateNumberOfMessages": count}}

    def receive(self, QueueUrl: str, **given: Any) -> dict[str, Any]:  # noqa: N803
        # Short polling asks some of SQS's servers only: these messages are on the others.
        if not given.get("WaitTimeSeconds"):
            return {}
        held = self.queues.get(QueueUrl, [])[:10]
        return {"Messages": [{"Body": body, "ReceiptHandle": body} for body in held]}

    def delete(self, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803
        self.queues[QueueUrl].remove(ReceiptHandle)
        self.deleted.append(QueueUrl)

    def bus(self, region: str) -> Any:
        def put_events(Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
            if self.broken and self.lost in ("", region):
                raise self.broken
            self.put.append((region, Entries[0]))
            failed = [{"ErrorCode": "ThrottlingException"}] if self.refused else [{}]
            return {"FailedEntryCount": int(self.refused), "Entries": failed}

        return put_events

    def function(self, region: str) -> Any:
        return lambda **given: self.invoked.append((region, given))


def test_an_undelivered_event_goes_back_to_its_regions_bus() -> None:
    """R5.1, trap 27: as it was published, and out of the queue."""
    world = World({"queue-forward-dead-letters-us-west-2-test": [EVENT]})
    found = redrive(world.clients(), "test")
    assert Redriven("us-west-2", "queue-forward-dead-letters-us-west-2-test", 1) in found
    assert world.put == [
        (
            "us-west-2",
            {
                "EventBusName": "bus-app-us-west-2-test",
                "Source": "warm-standby.app",
                "DetailType": "record.created",
                "Detail": '{"eventId": "1"}',
                "Resources": ["r"],
            },
        )
    ]
    assert world.deleted == ["queue-forward-dead-letters-us-west-2-test"]


def test_what_the_function_failed_on_goes_back_to_the_function() -> None:
    """R2.4: the payload that it got, asynchronously."""
    world = World({"queue-failed-events-us-east-1-test": [RECORD]})
    redrive(world.clients(), "test")
    ((region, given),) = world.invoked
    assert region == "us-east-1"
    assert given["FunctionName"] == "function-api-us-east-1-test:live"
    assert given["InvocationType"] == "Event"
    assert json.loads(given["Payload"]) == EVENT


def test_every_queue_of_both_regions_is_emptied() -> None:
    """Trap 27: more than one batch, and the empty ones are reported as well."""
    events = [{**EVENT, "detail": {"eventId": str(number)}} for number in range(23)]
    world = World({"queue-consume-dead-letters-us-east-1-test": events})
    found = redrive(world.clients(), "test")
    assert [entry.events for entry in found] == [0, 23, 0, 0, 0, 0]
    assert len(world.put) == 23
    assert found[1].as_dict() == {
        "region": "us-east-1",
        "queue": "queue-consume-dead-letters-us-east-1-test",
        "events": 23,
    }


def test_messages_that_sqs_hides_for_now_end_the_run() -> None:
    """Trap 27: the depth counts what another reader has in hand."""
    world = World({"queue-consume-dead-letters-us-east-1-test": [EVENT]})
    world.receive = lambda QueueUrl, **_: {}  # noqa: N803
    assert {entry.events for entry in redrive(world.clients(), "test")} == {0}


@pytest.mark.parametrize("broken", [None, refusal("AccessDenied", "PutEvents")])
def test_what_cannot_be_delivered_stays_in_its_queue(broken: Exception | None) -> None:
    """Trap 27: one line with the queue, the region and the next command."""
    world = World({"queue-consume-dead-letters-us-east-1-test": [EVENT]})
    world.refused, world.broken = broken is None, broken
    with pytest.raises(OperatorError, match=r"then: .*(Throttling|AccessDenied).*redrive again"):
        redrive(world.clients(), "test")
    assert world.deleted == []


def test_a_lost_region_does_not_keep_the_other_waiting() -> None:
    """Trap 10: us-west-2's events come home while us-east-1 is down; the failure is reported."""
    east, west = (f"queue-forward-dead-letters-{region}-test" for region in FakeClients.regions)
    world = World({east: [EVENT], west: [EVENT]})
    world.broken = EndpointConnectionError(endpoint_url="https://events.us-east-1")
    world.lost = "us-east-1"
    with pytest.raises(OperatorError, match=rf"{east} in us-east-1: 0 events .*1 events .*in all"):
        redrive(world.clients(), "test")
    assert world.deleted == [west]


def test_the_queues_are_those_that_the_programs_make() -> None:
    """Trap 27: a renamed queue would never be emptied."""
    from harness import SUFFIX, program

    made = {
        entry.inputs["name"]
        for layer in ("app", "global")
        for entry in program(layer).created("aws:sqs/queue:Queue")
    }
    emptied = {
        f"queue-{purpose}-{region}-{SUFFIX}"
        for purpose in redrives.QUEUES
        for region in FakeClients.regions
    }
    # What waits for the function is no dead letter; heartbeats and markers are nobody's.
    others = re.compile(r"queue-(heartbeats|markers|consume-us)-")
    assert emptied == {name for name in made if not others.match(name)}


@pytest.mark.parametrize("stack", ["lab", "dev"])
def test_the_task_prints_a_table_or_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stack: str
) -> None:
    """names.md: ``events.redrive`` asks the lab that runs, or the account."""
    asked: list[str | None] = []
    space = Workspace(tmp_path, tmp_path)
    (tmp_path / "Pulumi.lab.yaml").write_text(LAB)
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config: {TapStack:environmentSuffix: dev, aws:region: us-east-1}"
    )
    monkeypatch.setattr(session.workspace, "find", lambda: space)
    monkeypatch.setattr(client, "start", lambda *_, **__: RUNNING)
    monkeypatch.setattr(session, "Clients", lambda _file, endpoint: asked.append(endpoint))
    monkeypatch.setattr(
        redrives, "redrive", lambda _clients, suffix: [Redriven("us-east-1", f"q-{suffix}", 3)]
    )
    upkeep.events_redrive(Context(), stack, json=True)
    printed = json.loads(capsys.readouterr().out)
    assert printed == [{"region": "us-east-1", "queue": f"q-{stack}", "events": 3}]
    upkeep.events_redrive(Context(), stack)
    assert f"q-{stack}" in capsys.readouterr().out
    assert asked == [RUNNING.endpoint if stack == "lab" else None] * 2
