"""Events that couldn't be delivered, delivered again once what stood in their way is mended.

Each region has three queues whose depth must stay 0: what forwarding and the consumer's rule
couldn't deliver (events), and what the function failed on (its invocation records). Events go back
to the bus of the region where they wait, payloads to the function. Consumers deduplicate on
``detail.eventId``, so what was delivered before does no harm.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.clients import Clients
from ops.errors import OperatorError
from ops.printing import make_console, print_json, rows_table
from ops.waiting import announced
from tapstack.events import event_bus_name
from tapstack.naming import called, physical_name
from tapstack.well_known import (
    API_FUNCTION,
    CONSUME_DEAD_LETTERS,
    FAILED_EVENTS,
    FORWARD_DEAD_LETTERS,
)

BATCH = 10
"""As many messages as SQS hands out at once."""

ASK_SECONDS = 2
"""Any wait makes SQS ask all its servers; without one it asks a few, and a short queue often looks
empty (SQS developer guide, "Amazon SQS short and long polling")."""

Deliver = Callable[[Clients, str, str, dict[str, Any]], None]


@dataclass
class Redriven:
    """One queue, and how many of its messages were delivered again."""

    region: str
    queue: str
    events: int

    def as_dict(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {"region": self.region, "queue": self.queue, "events": self.events}


def redrive(clients: Clients, suffix: str) -> list[Redriven]:
    """Empties both regions' queues; raises OperatorError, and what is left stays in its queue.

    A queue that fails, perhaps with its whole region, doesn't keep the others waiting.
    """
    done: list[Redriven] = []
    failures: list[str] = []
    for region in clients.regions:
        for purpose, deliver in QUEUES.items():
            queue = Redriven(region, physical_name("queue", purpose, region, suffix), 0)
            try:
                _redrive_queue(clients, suffix, queue, deliver)
            except (ClientError, BotoCoreError, ValueError, KeyError) as error:
                failures.append(
                    f"{queue.queue} in {region}: {queue.events} events delivered again, then: "
                    f"{' '.join(str(error).split())}"
                )
            done.append(queue)
    if failures:
        total = sum(queue.events for queue in done)
        raise OperatorError(
            f"{'; '.join(failures)}; {total} events delivered again in all, the others are still "
            "there: mend the cause, then run ./inv events.redrive again"
        )
    return done


def show(clients: Clients, suffix: str, as_json: bool) -> None:
    """Delivers again what couldn't be delivered, and prints how much of each queue."""
    with announced("the queues of both regions to be emptied"):
        found = redrive(clients, suffix)
    if as_json:
        print_json([queue.as_dict() for queue in found])
        return
    rows = ((x.region, x.queue, x.events) for x in found)
    make_console().print(rows_table(("region", "queue", "delivered again"), rows))


def _redrive_queue(clients: Clients, suffix: str, queue: Redriven, deliver: Deliver) -> None:
    """Counts in ``queue.events`` what was delivered and deleted."""
    sqs = clients.get("sqs", queue.region)
    url = sqs.get_queue_url(QueueName=queue.queue)["QueueUrl"]
    # What comes in meanwhile, perhaps the same event again, is another run's.
    waiting = _depth(sqs, url)
    while queue.events < waiting:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=ASK_SECONDS
        )
        messages = answer.get("Messages")
        if not messages:
            break
        for message in messages:
            deliver(clients, queue.region, suffix, json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            queue.events += 1


def _depth(sqs: Any, url: str) -> int:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def _to_bus(clients: Clients, region: str, suffix: str, event: dict[str, Any]) -> None:
    """An event as EventBridge left it in the dead-letter queue."""
    answer = clients.get("events", region).put_events(
        Entries=[
            {
                "EventBusName": event_bus_name(region, suffix),
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Detail": json.dumps(event["detail"]),
                "Resources": event.get("resources", []),
            }
        ]
    )
    if answer["FailedEntryCount"]:
        refused = answer["Entries"][0]
        raise ValueError(f"the bus refused an event ({refused.get('ErrorCode', 'no reason')})")


def _to_function(clients: Clients, region: str, suffix: str, record: dict[str, Any]) -> None:
    """An invocation record as AWS Lambda left it: ``requestPayload`` is what the function got."""
    clients.get("lambda", region).invoke(
        FunctionName=called(physical_name("function", API_FUNCTION, region, suffix)),
        InvocationType="Event",
        Payload=json.dumps(record["requestPayload"]).encode(),
    )


QUEUES: dict[str, Deliver] = {
    FORWARD_DEAD_LETTERS: _to_bus,
    CONSUME_DEAD_LETTERS: _to_bus,
    FAILED_EVENTS: _to_function,
}
"""The queues' purposes in their names, and where their messages go."""
