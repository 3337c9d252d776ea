"""The mails that SNS sends: kept, and confirmed where they ask for it, as their reader would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.clock import Clock

MOST_MAILS = 500
MAIL_PROTOCOLS = ("email", "email-json")
READ_HERE = "@lab.invalid"
"""Addresses whose reader is the lab itself and follows every link at once; all others wait for
``confirm``."""


class Mails:
    """What has arrived, oldest first; kept over restarts in ``store``."""

    def __init__(self, clock: Clock, store: dict[str, Any]) -> None:
        self._clock, self._store = clock, store

    def arrive(self, to: str, topic: str, subject: str, body: str) -> None:
        """A mail has arrived."""
        mail = {
            "at": self._clock.utc_now().isoformat(timespec="seconds"),
            "to": to,
            "topic": topic,
            "subject": subject or "AWS Notification Message",
            "body": body,
        }
        self._store["mails"] = [*self._store.get("mails", ()), mail][-MOST_MAILS:]

    def shown(self) -> list[dict[str, str]]:
        """Each mail's ``at`` (lab time), ``to``, ``topic``, ``subject`` and ``body``."""
        return list(self._store.get("mails", ()))

    def asked(self, subscription: dict[str, Any]) -> None:
        """A subscription wants to be confirmed."""
        if subscription["protocol"] in MAIL_PROTOCOLS:
            topic = subscription["arn"].rpartition(":")[0]
            self.arrive(
                subscription["endpoint"],
                topic,
                "AWS Notification - Subscription Confirmation",
                f"You have chosen to subscribe to the topic: {topic}",
            )

    def read_at_once(self, subscription: dict[str, Any]) -> bool:
        """Whether a subscription's mail was read, and its link followed, as it arrived."""
        read = subscription["endpoint"].endswith(READ_HERE)
        if read:
            _confirm(subscription)
        return read

    def confirm(self) -> int:
        """Follows the links of all that wait; returns how many there were."""
        from ministack.services import sns

        waiting = [
            subscription
            for topic in sns._topics._data.values()
            for subscription in topic.get("subscriptions", ())
            if subscription["protocol"] in MAIL_PROTOCOLS and not subscription["confirmed"]
        ]
        for subscription in waiting:
            _confirm(subscription)
        return len(waiting)

    def follow(self, module: Any) -> None:
        """Lets what the emulator's SNS sends to mail addresses arrive here."""
        fanout: Callable[..., Any] = getattr(module._fanout, "emulated", module._fanout)

        def delivered(
            topic_arn: str, msg_id: str, message: str, subject: str, *more: Any, **named: Any
        ) -> None:
            fanout(topic_arn, msg_id, message, subject, *more, **named)
            for subscription in (module._topics.get(topic_arn) or {}).get("subscriptions", ()):
                if subscription["protocol"] in MAIL_PROTOCOLS and subscription["confirmed"]:
                    self.arrive(subscription["endpoint"], topic_arn, subject, message)

        delivered.emulated = fanout  # type: ignore[attr-defined]
        module._fanout = delivered


def _confirm(subscription: dict[str, Any]) -> None:
    subscription["confirmed"] = True
    subscription["attributes"]["PendingConfirmation"] = "false"
    subscription["attributes"]["ConfirmationWasAuthenticated"] = "false"
