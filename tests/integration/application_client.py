"""The deployed application, as a client uses it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

from deployed_lab import Answer, Lab


def host(lab: Lab, role: str) -> str:
    """The load balancer's name of one region (``primary``, ``secondary``)."""
    return lab.outputs[f"app.{role}.load_balancer_dns_name"]


class _NotFollowed(urllib.request.HTTPRedirectHandler):
    """Shows a redirect instead of following it."""

    def redirect_request(self, *_arguments: Any, **_options: Any) -> None:
        """None: the redirect itself is the answer."""


def ask(lab: Lab, role: str, path: str, body: Any = None, port: int = 80, key: str = "") -> Answer:
    """Asks one region's load balancer, on one of its listeners; with a body it's a POST, its
    idempotency key a new one unless given.

    The lab has one address for all listeners and takes the port that is meant from a header.
    """
    headers = {"Host": host(lab, role), "X-Forwarded-Port": str(port)}
    if body is not None:
        headers |= {"Content-Type": "application/json", "Idempotency-Key": key or uuid.uuid4().hex}
    return _send(lab, path, None if body is None else json.dumps(body).encode(), headers)


def post_bytes(lab: Lab, role: str, body: bytes, **headers: str) -> Answer:
    """POSTs these very bytes as a record. With a header ``Content_Encoding`` a load balancer gives
    them to the function as base64, else as text (AWS, "Using Lambda functions as targets")."""
    sent = {"Host": host(lab, role), "X-Forwarded-Port": "80", "Content-Type": "application/json"}
    sent |= {"Idempotency-Key": uuid.uuid4().hex}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return _send(lab, "/records", body, sent)


def _send(lab: Lab, path: str, data: bytes | None, headers: dict[str, str]) -> Answer:
    request = urllib.request.Request(  # noqa: S310 - an http address
        f"{lab.endpoint}{path}", data=data, headers=headers
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NotFollowed)
    try:
        with opener.open(request, timeout=30) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read())


def post_record(lab: Lab, role: str, port: int = 80) -> Answer:
    """Stores a record through one region's load balancer."""
    body = {"patientId": "patient-1", "type": "note", "data": {"text": "stable"}}
    return ask(lab, role, "/records", body, port)


def receipts(lab: Lab, key: str, port: int = 80) -> list[str]:
    """The regions that have received an event, one entry for each receipt."""
    answer = ask(lab, "primary", f"/receipts?key={key}", port=port)
    return [receipt["region"] for receipt in answer.json["receipts"]]


def until(seen: Callable[[], Any], seconds: float = 20) -> Any:
    """Asks until the answer is true; answers the last one."""
    end = time.monotonic() + seconds
    while not (answer := seen()) and time.monotonic() < end:
        time.sleep(0.2)
    return answer
