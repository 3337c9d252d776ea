"""How many events wait in the queues of a region, and how many of them nobody will deliver."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from ops.cloud.redrive import QUEUES
from tapstack.naming import physical_name
from tapstack.well_known import CONSUME

COUNTED = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


@dataclass(frozen=True)
class Events:
    """One region's events; ``unknown`` says why nothing is known."""

    waiting: int = 0
    """For the function: stored by themselves once the writer is there."""
    dead_letters: int = 0
    unknown: str = ""

    def __str__(self) -> str:
        """As a table shows it."""
        if self.unknown:
            return f"unknown ({self.unknown})"
        return f"{self.waiting} waiting, {self.dead_letters} dead letters"


def events(clients: Clients, region: str, suffix: str) -> Events:
    """Counts them."""

    def depth(purpose: str) -> int:
        name = physical_name("queue", purpose, region, suffix)
        url = clients.queue_url(region, name)
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTED))["Attributes"]
        return sum(int(found.get(attribute, 0)) for attribute in COUNTED)

    sqs = clients.get("sqs", region)
    try:
        return Events(depth(CONSUME), sum(depth(purpose) for purpose in QUEUES))
    except (ClientError, BotoCoreError) as error:
        return Events(unknown=reason(error))
