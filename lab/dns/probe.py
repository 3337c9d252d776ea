"""One probe of a health check, as Route 53's checkers send it.

Limits from the Route 53 developer guide: an HTTP(S) check must connect within 4 s and answer with
2xx or 3xx within 2 s more; a string must be in the first 5,120 bytes of the body; TCP has 10 s. An
HTTPS check doesn't look at the certificate.
"""

import asyncio
import ssl
from dataclasses import dataclass

from lab.dns.health_checks import CheckConfig

CONNECT_SECONDS = 4.0
RESPONSE_SECONDS = 2.0
TCP_SECONDS = 10.0
SEARCHED_BYTES = 5120


@dataclass(frozen=True)
class Address:
    """Where the lab serves a health check's host; ``host`` and ``port`` of this machine."""

    host: str
    port: int


async def probe(check: CheckConfig, address: Address, speed: float = 1.0) -> tuple[bool, str]:
    """Probes once: (success, report as Route 53 words it).

    ``speed`` is the lab's clock factor: limits shrink with it, to a quarter of a second at least,
    since this machine doesn't get faster.
    """
    budget = max((CONNECT_SECONDS + RESPONSE_SECONDS) / speed, 0.25)
    if check.type == "TCP":
        budget = max(TCP_SECONDS / speed, 0.25)
    try:
        async with asyncio.timeout(budget):
            if check.type == "TCP":
                return await _tcp(address)
            return await _http(check, address)
    except TimeoutError:
        return False, "The health checker could not establish a connection within the timeout limit"
    except (OSError, asyncio.IncompleteReadError, ValueError) as error:
        return False, f"Connection failed ({type(error).__name__})"


async def _tcp(address: Address) -> tuple[bool, str]:
    _, writer = await asyncio.open_connection(address.host, address.port)
    writer.close()
    return True, "TCP connection established"


async def _http(check: CheckConfig, address: Address) -> tuple[bool, str]:
    tls = _unverified() if check.type.startswith("HTTPS") else None
    reader, writer = await asyncio.open_connection(
        address.host, address.port, ssl=tls, server_hostname=check.server_name if tls else None
    )
    try:
        writer.write(
            f"GET {check.path} HTTP/1.1\r\nHost: {check.host or check.address}\r\n"
            f"User-Agent: Amazon-Route53-Health-Check-Service (ref {check.id})\r\n"
            f"X-Forwarded-Port: {check.port}\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, _, reason = head.split("\r\n", 1)[0].partition(" ")[2].partition(" ")
        report = f"HTTP Status Code {status}, {reason}".rstrip(", ")
        if not 200 <= int(status) < 400:
            return False, report
        if check.search:
            body = await _body(reader)
            if check.search.encode() not in body:
                return False, f"{report}. The response body does not contain the search string"
        return True, report
    finally:
        writer.close()


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _body(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while len(body) < SEARCHED_BYTES:
        chunk = await reader.read(SEARCHED_BYTES - len(body))
        if not chunk:
            break
        body += chunk
    return body
