"""Port ``Notifier``: the region's topic, its bus, and the metrics of ``WarmStandby``."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from recovery import metrics
from recovery.model import Notice
from recovery.ports import UnavailableError
from recovery.stored import error_code

logger = logging.getLogger(__name__)

SOURCE = "warm-standby.recovery"
DETAIL_TYPE = "recovery.notice"
LONGEST_SUBJECT = 100
"""Characters that SNS takes as an e-mail's subject."""


class Sns(Protocol):
    """What is used of boto3's SNS client."""

    def publish(self, **arguments: Any) -> Mapping[str, Any]:
        """Sends one message to a topic."""
        ...


class Events(Protocol):
    """What is used of boto3's EventBridge client."""

    def put_events(self, **arguments: Any) -> Mapping[str, Any]:
        """Puts events on a bus."""
        ...


@dataclass(frozen=True)
class RegionalNotifier:
    """Sends as one region."""

    sns: Sns
    events: Events
    cloudwatch: metrics.CloudWatch
    topic: str
    bus: str
    region: str
    suffix: str

    def send(self, notice: Notice) -> None:
        """Publishes to the topic; raises ``UnavailableError`` where that fails.

        The event is for programs: one that is lost is logged, since sending again would reach the
        people twice.
        """
        body = {"region": self.region, "key": notice.key, "text": notice.text, "page": notice.page}
        logger.warning("notice %s", json.dumps(body))
        self._put_event(body)
        kind = "page" if notice.page else "notice"
        subject = f"Recovery in {self.region} ({self.suffix}): {kind} {notice.key}"
        message = f"{notice.text}\n\n./inv recovery.status shows where it stands."
        try:
            self.sns.publish(
                TopicArn=self.topic, Subject=_printable(subject)[:LONGEST_SUBJECT], Message=message
            )
        except Exception as fault:
            raise UnavailableError(f"{self.topic}: {error_code(fault)}") from fault

    def measure(self, name: str, value: float) -> None:
        """Puts one data point; a failure is logged and forgotten."""
        metrics.measure(self.cloudwatch, self.suffix, name, value)

    def _put_event(self, body: Mapping[str, Any]) -> None:
        entry = {
            "Source": SOURCE,
            "DetailType": DETAIL_TYPE,
            "EventBusName": self.bus,
            "Detail": json.dumps(body),
        }
        try:
            answer = self.events.put_events(Entries=[entry])
        except Exception as fault:
            logger.warning("the event of %s is lost: %s", body["key"], error_code(fault))
            return
        if answer.get("FailedEntryCount"):
            logger.warning("the event of %s is refused: %s", body["key"], answer["Entries"])


def _printable(text: str) -> str:
    """SNS refuses a subject with anything but printable ASCII."""
    return "".join(character if " " <= character <= "~" else "?" for character in text)
