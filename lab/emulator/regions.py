"""A region that has lost its API refuses every call that needs it, or doesn't answer it."""

from __future__ import annotations

from urllib.parse import unquote

from lab.call import Answer, Call
from lab.context import LabContext
from lab.emulator.buckets import owner_of
from lab.emulator.exchange import Exchange, Proceed
from lab.emulator.operation_kinds import is_reading
from lab.emulator.protocol.answers import write_error
from lab.emulator.protocol.operations import Operation
from lab.outage import SLOW_SECONDS, Mode, OutageKind

GLOBAL_SERVICES = frozenset({"iam", "route53"})
"""Their control planes live in us-east-1; their data planes everywhere."""
GLOBAL_REGION = "us-east-1"


class Regions:
    """Refuses calls of lost regions, holds or delays them; the lab's own calls pass."""

    def __init__(self, lab: LabContext) -> None:
        self.lab = lab

    async def answer(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        """Passes the request on unless it needs a region that is lost."""
        modes = {} if exchange.internal else self._modes(exchange)
        hanging = next((region for region, mode in modes.items() if mode is Mode.HANG), "")
        if lost := next((region for region, mode in modes.items() if mode is Mode.DOWN), ""):
            return _unavailable(exchange.operation, lost)
        if hanging:
            await self.lab.hold(hanging, OutageKind.API, exchange.call.writer)
            return None
        if modes:
            await self.lab.clock.sleep(SLOW_SECONDS)
        return await proceed(exchange)

    def _modes(self, exchange: Exchange) -> dict[str, Mode]:
        """How the regions that the call needs have lost their API, as far as they have."""
        needed = [exchange.region]
        if exchange.service in GLOBAL_SERVICES:
            operation = exchange.operation
            reading = operation is not None and is_reading(operation.name)
            needed = [] if reading else [GLOBAL_REGION]
        elif exchange.service == "s3":
            needed += _bucket_regions(exchange.call)
        modes = {region: self.lab.outages.mode(region, OutageKind.API) for region in needed}
        return {region: mode for region, mode in modes.items() if mode}


def _bucket_regions(call: Call) -> list[str]:
    """Where a call of S3 goes beside the region that it's signed for: a bucket lives in one
    region, whatever region's endpoint is asked for it or copied from."""
    paths = (call.path, unquote(call.headers.get("x-amz-copy-source", "")))
    owners = [owner_of(path.lstrip("/").partition("/")[0]) for path in paths]
    return [owner[1] for owner in owners if owner]


def _unavailable(operation: Operation | None, region: str) -> Answer:
    message = f"Service is unavailable in {region}. Please try again later."
    if operation is None:
        return Answer(503, [("content-type", "text/plain")], message.encode())
    return write_error(operation, "ServiceUnavailable", message, 503)
