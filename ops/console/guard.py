"""Who may see and order: pure, from a request's own words.

The page is on 127.0.0.1, where any web page's script may send requests, and any program of this
machine. So: the address holds a random token; a name that was made to lead here (DNS rebinding)
is refused; an order comes from the page itself, with a token that only the page holds.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

CSRF_HEADER = "x-csrf-token"
LARGEST_BODY = 16 * 1024
"""Bytes of an order."""

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Of every answer, unless the answer has its own."""


@dataclass(frozen=True)
class Refusal:
    """An HTTP status and one line."""

    status: int
    why: str


@dataclass(frozen=True)
class Secrets:
    """What this console asks for."""

    port: int
    token: str
    """First part of every path."""
    csrf: str
    """Of every order."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names by which a browser may ask."""
        return (f"127.0.0.1:{self.port}", f"localhost:{self.port}")


def refusal(secrets: Secrets, method: str, path: str, headers: Mapping[str, str]) -> Refusal | None:
    """Why a request isn't answered; None where it is. Header names are lower case."""
    host = headers.get("host", "")
    if host not in secrets.hosts:
        return Refusal(403, "this console is reached by 127.0.0.1 or localhost only")
    if not _same(path.strip("/").partition("/")[0], secrets.token):
        return Refusal(403, "open the address that ./inv console has printed: it holds a token")
    if method in ("GET", "HEAD"):
        return None
    if method != "POST":
        return Refusal(405, f"{method} isn't taken here")
    if headers.get("origin") != f"http://{host}":
        return Refusal(403, "an order comes from the console's own page only")
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return Refusal(403, "an order comes from the console's own page only")
    if not _same(headers.get(CSRF_HEADER, ""), secrets.csrf):
        return Refusal(403, "the order lacks the page's own token: load the page again")
    length = headers.get("content-length", "")
    if not length.isdecimal() or int(length) > LARGEST_BODY:
        return Refusal(413, f"an order has at most {LARGEST_BODY} bytes, and says how many")
    return None


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
