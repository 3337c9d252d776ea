"""Clients of the deployed system, through the front door, and where DNS sends them."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from deployed_lab import Answer, Lab

from lab import client
from lab.outage import REGIONS
from ops.cloud import traffic as dns_traffic

REQUEST_SECONDS = 8
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask_front_door(
    front_door: str, path: str, body: Any = None, seconds: float = REQUEST_SECONDS
) -> Answer:
    """One request through the front door; a refused or timed-out connection is status 0."""
    headers = {}
    if body is not None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{front_door}{path}", data=data, headers=headers)  # noqa: S310
    try:
        with _OPENER.open(request, timeout=seconds) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read())
    except OSError as error:
        return Answer(0, {}, str(error).encode())


def served_by(front_door: str) -> str:
    """The region that answers ``/health`` now; empty when none does."""
    answer = ask_front_door(front_door, "/health")
    return answer.json["region"] if answer.status == 200 else ""


def sent_to(lab: Lab) -> str:
    """The region to which DNS sends a client that asks now; empty when to none."""
    dns = client.status(lab.state_dir).dns
    return dns_traffic.now(lab.outputs, REGIONS, dns).region


@dataclass
class Load:
    """What the writing clients have seen."""

    acknowledged: dict[str, float] = field(default_factory=dict)
    """Record id → ``time.monotonic()`` of its 201."""
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def written_since(self, moment: float) -> int:
        """How many records were acknowledged after ``moment``."""
        with self.lock:
            return sum(at > moment for at in self.acknowledged.values())

    def before(self, moment: float) -> dict[str, float]:
        """The records acknowledged before ``moment``."""
        with self.lock:
            return {key: at for key, at in self.acknowledged.items() if at < moment}


@contextmanager
def writing(front_door: str, clients: int = 3) -> Iterator[Load]:
    """Clients that write records through the front door, one after the other, until the end."""
    load = Load()
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            body = {"patientId": "patient-1", "type": "note", "data": {"text": "stable"}}
            answer = ask_front_door(front_door, "/records", body)
            with load.lock:
                if answer.status == 201:
                    load.acknowledged[answer.json["id"]] = time.monotonic()
                else:
                    load.refused += 1
            time.sleep(0.1 if answer.status == 201 else 0.2)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        ended.set()
        for thread in threads:
            thread.join(REQUEST_SECONDS * 2)


def records(lab: Lab, role: str) -> set[str]:
    """The ids of all records, read through one region's load balancer from its own cluster."""
    host = lab.outputs[f"app.{role}.load_balancer_dns_name"]
    found: set[str] = set()
    after = "0"
    while True:
        answer = lab.request(host, f"/records?after={after}&limit=100")
        if answer.status != 200:
            raise ConnectionError(f"{host} answered {answer.status}: {answer.body.decode()}")
        found |= {record["id"] for record in answer.json["records"]}
        if not answer.json["next"]:
            return found
        after = answer.json["next"]


def front_door_of(lab: Lab) -> str:
    """The front door's URL."""
    return client.status(lab.state_dir).front_door
