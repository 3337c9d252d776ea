"""Who has signed a request, for which service, region and operation."""

from __future__ import annotations

import hmac
import logging
import re

from lab.call import Answer, Call
from lab.context import INTERNAL_HEADER, LabContext
from lab.emulator.exchange import DEFAULT_REGION, Exchange, Proceed
from lab.emulator.protocol.operations import SIGNING_NAMES, Operation, read_operation

logger = logging.getLogger("lab")

S3_CONTROL = "/v20180820/"
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/[^/]*/([^/]+)/([^/]+)/")


class Identity:
    """Reads the signature; what it finds is believed, since the lab knows no secrets."""

    def __init__(self, lab: LabContext) -> None:
        self.lab = lab

    async def answer(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        """Passes the request on with its identity."""
        call = exchange.call
        exchange.principal, exchange.region, name = _credentials(call)
        exchange.service = SIGNING_NAMES.get(name, name)
        if exchange.service == "s3" and call.raw_path.startswith(S3_CONTROL):
            # S3's control API signs as S3 does; no bucket can have such a name.
            exchange.service = "s3control"
        exchange.operation = _operation(exchange.service, call)
        exchange.internal = hmac.compare_digest(
            call.headers.get(INTERNAL_HEADER, "").encode(), self.lab.internal_token.encode()
        )
        return await proceed(exchange)


def _credentials(call: Call) -> tuple[str, str, str]:
    """(access key id, region, signing name) of a request; an unsigned one has no service."""
    found = _CREDENTIAL.search(call.headers.get("authorization", ""))
    if not found:
        for name, value in call.query:
            if name.lower() == "x-amz-credential":
                parts = [*value.split("/"), "", "", ""]
                return _presigned(parts[0], parts[2] or DEFAULT_REGION, parts[3])
        # botocore signs addresses of us-east-1 by the older version, which is S3's alone.
        query = dict(call.query)
        if "AWSAccessKeyId" in query and "Signature" in query:
            return query["AWSAccessKeyId"], DEFAULT_REGION, "s3"
        return "", DEFAULT_REGION, ""
    return found[1], found[2], found[3]


def _presigned(principal: str, region: str, name: str) -> tuple[str, str, str]:
    # S3's alone count: in an address of a query API a page could have any change made.
    return (principal, region, name) if name == "s3" else ("", region, "")


def _operation(service: str, call: Call) -> Operation | None:
    if not service:
        return None
    try:
        return read_operation(service, call)
    except Exception as error:  # a service botocore doesn't know, or a malformed request
        logger.debug("%s %s: %s", call.method, call.path, error)
        return None
