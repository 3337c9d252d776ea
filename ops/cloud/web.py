"""HTTP requests to a load balancer, on AWS by its name and in the lab by the Host header."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ops.cloud.answers import reason

TIMEOUT_SECONDS = 5
HTTPS = 443


@dataclass(frozen=True)
class Answer:
    """``status`` is 0 where nothing answered, ``detail`` then says why."""

    status: int
    body: Mapping[str, Any]
    """Empty where it isn't a JSON object."""
    detail: str = ""


def get(
    host: str,
    path: str,
    lab_endpoint: str | None,
    headers: Mapping[str, str] | None = None,
    server_name: str = "",
) -> Answer:
    """Asks once and follows no redirect; never raises for what is answered.

    With ``server_name`` it asks the HTTPS listener, whose certificate must be for that name, so
    that no header's secret goes over port 80. In the lab one port stands for all listeners.
    """
    scheme = "https" if server_name else "http"
    named = f"{host}:{HTTPS}" if lab_endpoint and server_name else server_name or host
    request = urllib.request.Request(  # noqa: S310 - an address of our own
        f"{lab_endpoint or f'{scheme}://{host}'}{path}", headers={"Host": named, **(headers or {})}
    )
    handlers: list[urllib.request.BaseHandler] = [_NotFollowed(), _NamedHandler(server_name)]
    if lab_endpoint:
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        with urllib.request.build_opener(*handlers).open(
            request, timeout=TIMEOUT_SECONDS
        ) as answer:
            return Answer(answer.status, as_object(answer.read()))
    except urllib.error.HTTPError as error:
        return Answer(error.code, as_object(error.read()))
    except (OSError, ValueError) as error:
        return Answer(0, {}, reason(error))


class _NotFollowed(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for the answer: what it leads to would get the headers too."""

    def redirect_request(self, *_arguments: Any, **_options: Any) -> None:
        """Returns None, so that nothing is followed."""


class _NamedHandler(urllib.request.HTTPSHandler):
    """HTTPS to one host under another name."""

    def __init__(self, server_name: str) -> None:
        super().__init__()
        self._server_name = server_name

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Opens a request's connection."""
        return self.do_open(partial(_NamedConnection, server_name=self._server_name), req)


class _NamedConnection(http.client.HTTPConnection):
    """A load balancer's own name is on no certificate."""

    default_port = HTTPS

    def __init__(self, host: str, *, server_name: str, **options: Any) -> None:
        super().__init__(host, **options)
        self._server_name = server_name

    def connect(self) -> None:
        """Connects and agrees on TLS."""
        super().connect()
        self.sock = ssl.create_default_context().wrap_socket(
            self.sock, server_hostname=self._server_name
        )


def as_object(content: bytes) -> Mapping[str, Any]:
    """A body as a JSON object; empty where it isn't one."""
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
