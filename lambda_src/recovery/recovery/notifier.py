"""Port ``Notifier``: the region's topic, its bus, and the metrics of ``WarmStandby``."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from recovery import metrics, words
from recovery.model import Notice
from recovery.ports import UnavailableError
from recovery.stored import error_code

logger = logging.getLogger(__name__)

SOURCE = "warm-standby.recovery"
DETAIL_TYPE = "recovery.notice"
LONGEST_SUBJECT = 100
"""Characters that SNS takes as an e-mail's subject."""
NOT_SENT = frozenset({"EndpointConnectionError", "ConnectTimeoutError"})
"""Exceptions of boto3 after which a call is known not to have arrived."""


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
class Topic:
    """A topic and the client of its region."""

    sns: Sns
    arn: str


@dataclass(frozen=True)
class RegionalNotifier:
    """Sends as one region."""

    topics: tuple[Topic, ...]
    """The own region's, then the other one's: people listen to both."""
    events: Events
    cloudwatch: metrics.CloudWatch
    bus: str
    region: str
    suffix: str

    def send(self, notice: Notice) -> None:
        """Publishes to the first topic that takes it, so that nobody hears it twice; raises
        ``UnavailableError`` where none does.

        Where it isn't known whether a topic took it, the next one's message says that it may be a
        repetition: a page that comes twice costs less than one that never comes. The event is for
        programs: one that is lost is logged, since sending again would reach the people twice.
        """
        detail = words.detail(notice, self.region, self.suffix)
        logger.warning("notice %s", json.dumps(detail))
        kind = "page" if notice.page else "notice"
        subject = f"Recovery in {self.region} ({self.suffix}): {kind} {notice.key}"
        self._publish(_printable(subject)[:LONGEST_SUBJECT], words.message(notice))
        self._put_event(detail)

    def _publish(self, subject: str, message: str) -> None:
        faults: list[str] = []
        for topic in self.topics:
            try:
                topic.sns.publish(TopicArn=topic.arn, Subject=subject, Message=message)
            except Exception as fault:
                faults.append(f"{topic.arn}: {error_code(fault)}")
                logger.warning("not published: %s", faults[-1])
                if _may_have_arrived(fault):
                    message = f"{message}\n\n{words.repetition(topic.arn)}"
            else:
                return
        raise UnavailableError("; ".join(faults))

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


def _may_have_arrived(fault: Exception) -> bool:
    """Whether a topic may have taken what it didn't acknowledge: a refusal is none, an error of
    SNS's own or a silence after the connection is."""
    response = getattr(fault, "response", None)
    if not isinstance(response, dict):
        return type(fault).__name__ not in NOT_SENT
    return response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500


def _printable(text: str) -> str:
    """SNS refuses a subject with anything but printable ASCII."""
    return "".join(character if " " <= character <= "~" else "?" for character in text)
