"""Keeps web pages away from the AWS APIs and from the lab's commands.

Whoever runs programs on this machine may use the lab; a page that its browser shows may not. A
page's requests carry ``Origin`` or ``Sec-Fetch-Site``, or come by a name that was made to lead
here (DNS rebinding); what a page may send without asking carries no signature. Deployed load
balancers are served before: they are sites, by names of their own.
"""

from __future__ import annotations

import json
import re

from lab.call import Answer, is_loopback
from lab.emulator.exchange import Exchange, Proceed

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")


async def refuse_pages(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Passes on what no web page has sent, by a name of this machine."""
    headers = exchange.call.headers
    if "origin" in headers:
        return _refusal("AccessDenied", "The lab takes no requests from web pages")
    if headers.get("sec-fetch-site", "none") != "none":
        return _refusal("AccessDenied", "The lab takes no requests from web pages")
    if "host" in headers and not is_loopback(headers["host"]):
        return _refusal(
            "AccessDenied", "The lab's APIs are reached by 127.0.0.1, [::1] or localhost only"
        )
    return await proceed(exchange)


async def want_signature(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Passes on signed calls of AWS's APIs. The answer allows no other site to read it."""
    path = exchange.call.path
    # The emulator's own routes, reset and configuration among them.
    if path.startswith("/_") or path == "/health":
        return _refusal("AccessDenied", f"AWS has no {path}")
    if not exchange.service:
        return _refusal("MissingAuthenticationTokenException", "Missing Authentication Token")
    if not _REGION.fullmatch(exchange.region):
        return _refusal(
            "InvalidSignatureException", "Credential should be scoped to a valid region."
        )
    answer = await proceed(exchange)
    if answer is not None:
        answer.headers[:] = [
            (name, value)
            for name, value in answer.headers
            if not name.lower().startswith("access-control-")
        ]
    return answer


def _refusal(code: str, message: str) -> Answer:
    return Answer(
        403,
        [("content-type", "application/json"), ("x-amzn-errortype", code)],
        json.dumps({"__type": code, "message": message}).encode(),
    )
