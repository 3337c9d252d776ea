"""The deployed application, as a client uses it."""

from __future__ import annotations

import json
import time
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

from deployed_lab import Answer, Lab


def host(lab: Lab, role: str) -> str:
    """The load balancer's name of one region (``primary``, ``secondary``)."""
    return lab.outputs[f"app.{role}.load_balancer_dns_name"]


def post_record(lab: Lab, role: str, **more: Any) -> Answer:
    """Stores a record through one region's load balancer."""
    body = {"patientId": "patient-1", "type": "note", "data": {"text": "stable"}, **more}
    request = urllib.request.Request(  # noqa: S310 - an http address
        f"{lab.endpoint}/records",
        data=json.dumps(body).encode(),
        method="POST",
        headers={
            "Host": host(lab, role),
            "Content-Type": "application/json",
            "Idempotency-Key": uuid.uuid4().hex,
        },
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return Answer(answer.status, dict(answer.headers), answer.read())


def until(seen: Callable[[], Any], seconds: float = 20) -> Any:
    """Asks until the answer is true; answers the last one."""
    end = time.monotonic() + seconds
    while not (answer := seen()) and time.monotonic() < end:
        time.sleep(0.2)
    return answer
