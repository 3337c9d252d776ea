"""One HTTP request and its answer, as the wrapper passes them around."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

_ABSOLUTE = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)

connection: ContextVar[asyncio.StreamWriter | None] = ContextVar("connection", default=None)
"""The TCP connection a request came by, so that an outage can drop it."""


@dataclass
class Call:
    """An HTTP request with its whole body."""

    method: str
    path: str
    """decoded"""
    raw_path: str
    query_string: str
    header_list: list[tuple[str, str]]
    """lower-case names, in order, repeats kept"""
    body: bytes
    client: str = "127.0.0.1"
    writer: asyncio.StreamWriter | None = field(default=None, repr=False)

    @cached_property
    def headers(self) -> dict[str, str]:
        """Headers by lower-case name; repeats joined with a comma."""
        joined: dict[str, str] = {}
        for name, value in self.header_list:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        return joined

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        """Query parameters in order, decoded."""
        return parse_qsl(self.query_string, keep_blank_values=True)

    def with_body(self, body: bytes) -> Call:
        """The same request with another body, of the right length."""
        headers = [
            (name, str(len(body)) if name == "content-length" else value)
            for name, value in self.header_list
            if name not in ("x-amz-content-sha256", "content-md5")
        ]
        return replace(self, header_list=headers, body=body)


@dataclass
class Answer:
    """An HTTP response with its whole body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class BodyTooLargeError(Exception):
    """A request's body has more bytes than are taken."""


async def read_call(scope: dict[str, Any], receive: Any, largest: int = 0) -> Call | None:
    """Reads a request whole from ASGI; None when its client left before its end.

    ``largest`` is the most bytes of a body, 0 for any number; more raise
    :class:`BodyTooLargeError`. A target in absolute form says the host, whatever ``Host`` says
    (RFC 9112, section 3.2.2).
    """
    headers = [(name.decode("latin-1").lower(), _text(value)) for name, value in scope["headers"]]
    if largest and int(dict(headers).get("content-length", "0")) > largest:
        raise BodyTooLargeError
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = bool(message.get("more_body"))
        if largest and len(body) > largest:
            raise BodyTooLargeError
    path = scope["path"]
    raw_path = scope.get("raw_path", path.encode()).decode("latin-1")
    if absolute := _ABSOLUTE.match(raw_path):
        raw_path = raw_path[absolute.end() :] or "/"
        path = unquote(raw_path)
        headers = [pair for pair in headers if pair[0] != "host"] + [("host", absolute[1])]
    return Call(
        method=scope["method"],
        path=path,
        raw_path=raw_path,
        query_string=scope.get("query_string", b"").decode("latin-1"),
        header_list=headers,
        body=bytes(body),
        client=(scope.get("client") or ("127.0.0.1", 0))[0],
        writer=connection.get(),
    )


async def send_answer(send: Any, answer: Answer, *, head: bool = False) -> None:
    """Sends a response over ASGI."""
    headers = [
        (name.lower().encode("latin-1"), _bytes(value))
        for name, value in answer.headers
        if name.lower() not in ("content-length", "transfer-encoding")
        or (name.lower() == "content-length" and head)
    ]
    if not any(name == b"content-length" for name, _ in headers):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send(
        {"type": "http.response.body", "body": b"" if head else answer.body, "more_body": False}
    )


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine, with or without a port."""
    name, bracket, _ = host.removeprefix("[").partition("]")
    name = (name if bracket else host.partition(":")[0]).lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def drop(call: Call) -> None:
    """Cuts the connection without an answer, as a dead region does."""
    if call.writer is not None:
        call.writer.transport.abort()


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _bytes(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8")
