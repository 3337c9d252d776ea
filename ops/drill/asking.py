"""One request of one client, made and put into the history's words."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ops.drill.history import Kind, Operation, Outcome, has_attachment
from ops.drill.schedule import Due, Population
from ops.drill.site import Answer, Cache, Connections, Site


def body_of(drill: str, number: int) -> Mapping[str, Any]:
    """The record of a number: no patient's data, and the same at each attempt."""
    record: dict[str, Any] = {"patientId": drill[:64], "type": "drill", "data": {"number": number}}
    if has_attachment(number):
        content = f"{drill} {number}".encode()
        record["attachment"] = {
            "contentType": "text/plain",
            "content": base64.b64encode(content).decode(),
        }
    return record


def digest_of(drill: str, number: int) -> str:
    """The SHA-256 of a number's attachment; empty where it has none."""
    if not has_attachment(number):
        return ""
    return hashlib.sha256(f"{drill} {number}".encode()).hexdigest()


def outcome_of(kind: Kind, status: int) -> Outcome:
    """What a client knows after an answer."""
    if 200 <= status < 300:
        return Outcome.OK
    if kind is Kind.READ_BACK and status == 404:
        return Outcome.ABSENT
    # 408, 425 and 429 may come from what stands between, which doesn't know what became of it.
    if 400 <= status < 500 and status not in (408, 425, 429):
        return Outcome.REFUSED
    return Outcome.UNKNOWN


class Client:
    """One client: its cache of DNS and its connections."""

    def __init__(self, site: Site, cache: Cache) -> None:
        self.connections = Connections(site)
        self._cache = cache

    def ask(self, method: str, path: str, **given: Any) -> tuple[Answer, str]:
        """The answer, and the address that was asked."""
        address = self._cache.address()
        answer = self.connections.ask_address(address, method, path, **given)
        if answer.broken:
            self._cache.broke()
        return answer, address


class Asking:
    """Makes what is due and records it. Thread-safe."""

    def __init__(
        self,
        drill: str,
        site: Site,
        populations: Iterable[Population],
        now: Callable[[], float],
        record: Callable[[Operation], None],
    ) -> None:
        """``now`` is the drill's time, by which clients keep what DNS answered."""
        self._drill, self._site, self._record = drill, site, record
        self._lock = threading.Lock()
        self._regions: dict[str, str] = {}
        self._clients = {
            (one.name, number): Client(site, Cache(site.resolve, now, one.hold))
            for one in populations
            for number in range(one.clients)
        }
        self._direct = Connections(site)

    def make(self, due: Due, now: Callable[[], float], clock: float) -> Operation:
        """Makes one request; ``now`` is the drill's time, ``clock`` its seconds in a real one."""
        began = now()
        if due.kind is Kind.READ_BACK:
            answer = self._direct.ask_region(due.population, "GET", f"/records/{due.record}")
            region = due.population if answer.status else ""
        else:
            client = self._clients[due.population, due.client]
            answer, address = self._ask(client, due)
            region = self._region(address) if answer.status else ""
        operation = self._operation(due, answer, region, due.at * clock, began, now())
        self._record(operation)
        return operation

    def close(self) -> None:
        """Closes all connections."""
        for client in self._clients.values():
            client.connections.close()
        self._direct.close()

    def _ask(self, client: Client, due: Due) -> tuple[Answer, str]:
        if due.kind is Kind.READ:
            return client.ask("GET", "/records?limit=1")
        key = {"Idempotency-Key": f"{self._drill}:{due.number}"}
        body = body_of(self._drill, due.number)
        return client.ask("POST", "/records", body=body, headers=key)

    def _region(self, address: str) -> str:
        with self._lock:
            if address not in self._regions:
                self._regions[address] = self._site.region_of(address)
            return self._regions[address]

    def _operation(
        self, due: Due, answer: Answer, region: str, at: float, began: float, ended: float
    ) -> Operation:
        outcome = outcome_of(due.kind, answer.status)
        stored = answer.body if due.kind is not Kind.READ and outcome is Outcome.OK else {}
        key = str((stored.get("attachment") or {}).get("key", ""))
        return Operation(
            due.kind, due.population, due.number, due.attempt, at, began, ended, outcome,
            answer.status, region, str(stored.get("id", "")), str(stored.get("eventId", "")),
            key, digest_of(self._drill, due.number) if key else "", answer.detail,
        )  # fmt: skip
