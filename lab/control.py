"""The lab's control API below ``/_lab/``: status, requests, clock, outage, restore, fault …"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import time
from collections.abc import Mapping
from typing import Any

from lab.call import Answer
from lab.clock import keep
from lab.context import LabContext
from lab.emulator.emulator import Emulator
from lab.emulator.exchange import Exchange, Proceed
from lab.errors import LabError, LabInputError
from lab.outage import REGIONS, Mode, parse_kinds, parse_mode
from lab.recent import RecentRequests
from lab.supervisor import Supervisor

logger = logging.getLogger("lab")

PREFIX = "/_lab/"
KEEP_SECONDS = 5.0
"""Real seconds between writings of the lab's time."""
LONGEST_ROUND_TRIP_MS = 10_000.0
FOLLOW_SECONDS = 0.25
"""Real seconds between looks at parts that flap."""
TOKEN_HEADER = "x-lab-token"  # noqa: S105 - the header's name


class Control:
    """Answers the control API. Reading is free; every command needs the token of ``lab.json``,
    which only the lab's owner can read."""

    def __init__(self, lab: LabContext, emulator: Emulator, supervisor: Supervisor) -> None:
        self.lab, self.emulator, self.supervisor = lab, emulator, supervisor
        self.recent = RecentRequests()
        lab.observe(self.recent.happened)

    async def answer(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        """Answers a command to the lab; passes everything else on."""
        call = exchange.call
        if not call.path.startswith(PREFIX):
            return await proceed(exchange)
        status, body = await self.handle(call.method, call.path, call.headers, call.body)
        return Answer(status, [("content-type", "application/json")], json.dumps(body).encode())

    async def handle(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, Any]]:
        """(status, JSON answer) of one request; errors are ``{"error": one line}``."""
        command = path.removeprefix(PREFIX).strip("/")
        if command == "status" and method == "GET":
            return 200, self.status()
        if command == "requests" and method == "GET":
            return 200, self.recent.as_dict()
        if method != "POST":
            return 405, {"error": f"/_lab/{command} takes POST"}
        if not hmac.compare_digest(headers.get(TOKEN_HEADER, ""), self.lab.internal_token):
            return 403, {"error": f"/_lab/{command} needs the token of lab.json"}
        try:
            return await self._command(command, json.loads(body or b"{}"))
        except (LabError, ValueError) as error:
            return 400, {"error": str(error)}
        except OSError as error:
            # Nothing has changed: each change is written before it counts.
            return 500, {"error": f"the lab could not save the {command}: {error.strerror}"}

    async def _command(self, command: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        match command:
            case "clock":
                self.lab.clock.factor = float(_field(command, given, "factor"))
                self._keep_time()
            case "outage":
                region = _field(command, given, "region")
                mode = parse_mode(given.get("mode") or Mode.DOWN)
                self.lab.outages.begin(region, parse_kinds(given.get("part")), mode)
                await self._lose(region)
            case "restore":
                await self._restore(_field(command, given, "region"))
            case "rtt":
                self.lab.round_trip_ms = _milliseconds(_field(command, given, "milliseconds"))
            case "mails":
                return 200, {"mails": self.emulator.mails(bool(given.get("confirm")))}
            case "fault":
                self.lab.faults.set(_field(command, given, "name"), given.get("value"))
                await self.supervisor.faults()
            case "errors":
                if given:
                    operations = _field(command, given, "operations")
                    code = _field(command, given, "code")
                    self.emulator.injection.arm(operations, code, int(given.get("times", 1)))
                return 200, self.emulator.injection.as_dict()
            case "access":
                if given:
                    principal = _field(command, given, "principal")
                    self.emulator.permissions.limit(
                        principal, given.get("policies") or [], observe=bool(given.get("observe"))
                    )
                return 200, self.emulator.permissions.as_dict()
            case _:
                return 404, {"error": f"the lab has no command {command!r}"}
        return 200, self.status()

    async def follow(self) -> None:
        """Notifies the parts of what flaps, for ever, and keeps the time that was reached."""
        due = 0.0
        while True:
            if time.monotonic() >= due:
                due = time.monotonic() + KEEP_SECONDS
                self._keep_time()
            before = self.lab.outages.shown()
            await asyncio.sleep(FOLLOW_SECONDS)
            now = self.lab.outages.shown()
            for region in sorted(
                {
                    region
                    for region, kind in now.keys() & before.keys()
                    if now[region, kind] is not before[region, kind]
                }
            ):
                await self._lose(region)

    def _keep_time(self) -> None:
        try:
            keep(self.lab.state_dir, self.lab.clock, 2 * KEEP_SECONDS)
        except OSError as error:
            # A full disk: tried again at the next turn.
            logger.warning("the lab's time can't be kept: %s", error)

    async def _lose(self, region: str) -> None:
        self.emulator.outage(region)
        await self.supervisor.outage(region)

    async def _restore(self, region: str) -> None:
        lost = self.lab.outages.has_outage(region)
        if not lost and not self.lab.faults.as_dict():
            raise LabInputError(f"{region} has lost nothing: there is nothing to restore")
        self.lab.outages.end(region)
        if self.lab.faults.clear():
            await self.supervisor.faults()
        await self.supervisor.restore(region)

    def status(self) -> dict[str, Any]:
        """What ``lab.status`` shows; ``ready`` once every part was started."""
        addresses: dict[str, str] = {}
        for watched in self.supervisor.watched.values():
            addresses |= watched.part.describe()
        outages = self.lab.outages.as_dict()
        return {
            "endpoint": self.lab.endpoint,
            "pid": os.getpid(),
            "state_dir": str(self.lab.state_dir),
            "regions": {region: "down" if region in outages else "up" for region in REGIONS},
            "outages": outages,
            "parts": {name: watched.as_dict() for name, watched in self.supervisor.watched.items()},
            "dns": addresses.get("dns", ""),
            "front_door": addresses.get("front_door", ""),
            "clock": self.lab.clock.factor,
            "rtt_ms": self.lab.round_trip_ms,
            "now": self.lab.clock.utc_now().isoformat(timespec="seconds"),
            "faults": self.lab.faults.as_dict(),
            "ready": self.supervisor.ready,
        }


def _milliseconds(given: Any) -> float:
    milliseconds = float(given)
    if not 0 <= milliseconds <= LONGEST_ROUND_TRIP_MS:
        raise LabInputError(
            f"a round trip takes 0 to {LONGEST_ROUND_TRIP_MS:.0f} lab milliseconds, got {given}"
        )
    return milliseconds


def _field(command: str, given: dict[str, Any], name: str) -> Any:
    if name not in given:
        raise LabError(f"/_lab/{command} needs {name!r}")
    return given[name]
