"""One bounded HTTP request to a load balancer, and how it was silent where no answer came.

A lost region refuses, resets or doesn't answer; a name that doesn't resolve or a certificate that
is refused is a fault that the standby would have as well (``signs``).
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

SECONDS = 5.0
"""For the connection, and again for each part of the answer."""
LARGEST_BODY = 64 * 1024
AWAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})


@dataclass(frozen=True)
class Answered:
    """An answer's status and body, or ``status`` None and the ``fault`` in a word."""

    status: int | None
    fault: str = ""
    body: bytes = b""


class Get(Protocol):
    """Asks a load balancer once; ``get`` is the way that needs nothing but its name."""

    def __call__(
        self, host: str, path: str, headers: Mapping[str, str] | None = None, server_name: str = ""
    ) -> Answered:
        """Never raises for what is answered."""
        ...


def get(
    host: str, path: str, headers: Mapping[str, str] | None = None, server_name: str = ""
) -> Answered:
    """Asks once. With ``server_name`` over TLS, where that name must be on the certificate: a load
    balancer's own name is on none."""
    connection = _connection(host, server_name)
    try:
        connection.request("GET", path, headers={"Connection": "close", **(headers or {})})
        response = connection.getresponse()
        return Answered(response.status, body=response.read(LARGEST_BODY))
    except (OSError, http.client.HTTPException) as fault:
        return Answered(None, fault_of(fault))
    finally:
        connection.close()


def fault_of(fault: Exception) -> str:
    """Returns what a failed request shows: ``refused``, ``unreachable`` and ``timeout`` are
    silence, everything else isn't."""
    if isinstance(fault, TimeoutError):
        return "timeout"
    if isinstance(fault, ConnectionRefusedError):
        return "refused"
    if isinstance(fault, socket.gaierror):
        return "dns"
    if isinstance(fault, ssl.SSLError):
        return "tls"
    # A connection that ends without an answer: http.client calls it RemoteDisconnected.
    gone = isinstance(fault, ConnectionError)
    return "unreachable" if gone or getattr(fault, "errno", None) in AWAY else "failed"


def _connection(host: str, server_name: str) -> http.client.HTTPConnection:
    if not server_name:
        return http.client.HTTPConnection(host, timeout=SECONDS)
    return _NamedConnection(host, server_name)


class _NamedConnection(http.client.HTTPConnection):
    """HTTPS to one host under another name."""

    default_port = http.client.HTTPS_PORT

    def __init__(self, host: str, server_name: str) -> None:
        super().__init__(host, timeout=SECONDS)
        self._server_name = server_name

    def connect(self) -> None:
        """Connects and agrees on TLS."""
        super().connect()
        context = ssl.create_default_context()
        self.sock = context.wrap_socket(self.sock, server_hostname=self._server_name)
