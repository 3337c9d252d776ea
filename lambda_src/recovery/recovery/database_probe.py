"""Port ``Database``, and the database's part of an observation: the probe in the own VPC."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from recovery.model import Verified
from recovery.ports import UnavailableError
from recovery.stored import error_code

TailMode = Literal["list", "replay", "accept"]
"""What becomes of a lost record: nothing, it is stored again, its event is withdrawn."""


class Lambda(Protocol):
    """What is used of boto3's Lambda client; its retries are off."""

    def invoke(self, **arguments: Any) -> Mapping[str, Any]:
        """Calls a function and waits for its answer."""
        ...


class DatabaseProbe:
    """The function ``index.probe``."""

    def __init__(self, client: Lambda, function: str, now: Callable[[], float]) -> None:
        self._client, self._function, self._now = client, function, now

    def observe(self) -> Callable[[], Mapping[str, Any]]:
        """Returns what gives one answer to all who ask, however many side by side."""
        lock = threading.Lock()
        answers: list[Mapping[str, Any]] = []
        failures: list[UnavailableError] = []

        def answer() -> Mapping[str, Any]:
            with lock:
                if failures:
                    raise failures[0]
                if not answers:
                    try:
                        answers.append(self._call({"action": "observe"}))
                    except UnavailableError as fault:
                        failures.append(fault)
                        raise
                return answers[0]

        return answer

    def verify(self) -> Verified:
        """Commits on the own cluster and follows the global endpoint; a failure is data."""
        try:
            answer = self._call({"action": "verify"})
        except UnavailableError as fault:
            return Verified(False, "", str(fault))
        return Verified(bool(answer["wrote"]), str(answer["endpoint"]), str(answer["detail"]))

    def grow_epoch(self, epoch: int, minutes: int) -> None:
        """Grows the database's epoch; the promotion was asked for ``minutes`` ago.

        By this process's clock, one minute earlier than that: what the lost region acknowledged
        after the moment is what readers of the feed read again.
        """
        moment = datetime.fromtimestamp(self._now() - 60 * (minutes + 1), UTC)
        self._call({"action": "grow_epoch", "epoch": epoch, "promoted_at": moment.isoformat()})

    def compare_tail(
        self, host: str, since: str, before: str, *, mode: TailMode, epoch: int
    ) -> Mapping[str, Any]:
        """Compares a page of a restored old volume with the present writer (recovery.md 5).

        ``since`` is a time, ``before`` the last record of the page before, ``epoch`` the newest
        that is known: a writer of an older one was demoted, and is refused (H26). Returns
        ``counts``, ``records`` that neither are held nor were repeated, and ``next`` (None: the
        last page). Raises ``UnavailableError``.
        """
        event = {"action": "compare_tail", "host": host, "since": since, "before": before}
        return self._call({**event, "mode": mode, "epoch": epoch})

    def find_orphans(
        self, since: str, after: str, *, withdraw: bool, epoch: int
    ) -> Mapping[str, Any]:
        """Returns a page of events that were received and whose record is gone: ``orphaned`` keys
        and ``next``; they are withdrawn where asked. Raises ``UnavailableError``."""
        event = {"action": "find_orphans", "since": since, "after": after}
        return self._call({**event, "withdraw": withdraw, "epoch": epoch})

    def list_attachments(self, since: str, before: str, *, epoch: int) -> Mapping[str, Any]:
        """Returns a page of records with attachments: ``attachments`` (``id``, ``key``), the
        ``newest`` number and ``next``. Raises ``UnavailableError``."""
        event = {"action": "list_attachments", "since": since, "before": before}
        return self._call({**event, "epoch": epoch})

    def _call(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            answer = self._client.invoke(
                FunctionName=self._function, Payload=json.dumps(event).encode()
            )
            body = json.loads(answer["Payload"].read())
        except Exception as fault:
            raise UnavailableError(f"{self._function}: {error_code(fault)}") from fault
        if answer.get("FunctionError") or not isinstance(body, dict):
            said = body.get("errorMessage", "") if isinstance(body, dict) else "no answer"
            raise UnavailableError(f"{self._function}: {said}")
        return body
