"""A client's request as a load balancer sees it, and the event it makes for a Lambda target
(Elastic Load Balancing user guide, "Lambda functions as targets")."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Iterator
from typing import Any

from lab.call import Call

LOAD_BALANCER_HEADER = "x-lab-load-balancer"
"""Names a load balancer (its DNS name) when the Host header keeps the site's own name, as a
resolved request's does on AWS."""
PORT_HEADERS = ("x-lab-listener-port", "x-forwarded-port")
_OWN_HEADERS = {
    *PORT_HEADERS,
    LOAD_BALANCER_HEADER,
    "connection",
    "keep-alive",
    "content-length",
    "transfer-encoding",
    "x-forwarded-proto",
}
_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")


class BalancedRequest:
    """A client's request, as rules and targets see it."""

    def __init__(self, call: Call, port: int, protocol: str) -> None:
        self.method, self.path = call.method, call.raw_path.partition("?")[0]
        self.query_string, self.body = call.query_string, call.body
        self.port, self.protocol = port, protocol.lower()
        trace = call.headers.get("x-amzn-trace-id", "")
        if "Root=" not in trace:
            trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"
        forwarded = call.headers.get("x-forwarded-for", "")
        own = {
            "x-amzn-trace-id": trace,
            "x-forwarded-for": f"{forwarded}, {call.client}" if forwarded else call.client,
            "x-forwarded-port": str(port),
            "x-forwarded-proto": self.protocol,
        }
        self.client = call.client
        self.headers = [
            (name, value)
            for name, value in call.header_list
            if name not in _OWN_HEADERS and name not in own
        ] + list(own.items())

    @property
    def host(self) -> str:
        """The Host header without a port, lower case."""
        return dict(self.headers).get("host", "").partition(":")[0].lower()

    def query(self) -> Iterator[tuple[str, str]]:
        """Query parameters as they came: load balancers don't decode them."""
        for part in self.query_string.split("&"):
            if part:
                name, _, value = part.partition("=")
                yield name, value

    def event(self, target_group: str, multi: bool) -> dict[str, Any]:
        """The event of a Lambda target; ``multi``: with multi-value headers enabled."""
        content_type = dict(self.headers).get("content-type", "")
        encoded = bool(self.body) and (
            "content-encoding" in dict(self.headers) or not content_type.startswith(_TEXT_TYPES)
        )
        if encoded and not content_type:
            encoded = not _is_text(self.body)
        body = (
            base64.b64encode(self.body).decode()
            if encoded
            else self.body.decode("utf-8", "replace")
        )
        event: dict[str, Any] = {
            "requestContext": {"elb": {"targetGroupArn": target_group}},
            "httpMethod": self.method,
            "path": self.path,
        }
        if multi:
            event["multiValueQueryStringParameters"] = _grouped(self.query())
            event["multiValueHeaders"] = _grouped(self.headers)
        else:
            event["queryStringParameters"] = dict(self.query())
            event["headers"] = dict(self.headers)
        return event | {"body": body, "isBase64Encoded": encoded}


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _grouped(pairs: Any) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped
