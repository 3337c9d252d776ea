"""Route 53 as a part of the lab: it follows what is deployed, probes it, and answers."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.context import LabContext
from lab.dns.answers import Answer, answer
from lab.dns.front_door import FrontDoor
from lab.dns.health_checks import CheckConfig, ProbeStatus, Verdicts, check_config
from lab.dns.load_balancers import LoadBalancer, deployed_load_balancers
from lab.dns.probe import Address, probe
from lab.dns.records import Zone, deployed_zones, normal_name
from lab.dns.server import DnsServer
from lab.dns.tls_listeners import TlsListeners
from lab.facts import HealthCheckProbe, HealthCheckVerdict
from lab.outage import REGIONS
from lab.part import Health, Part

logger = logging.getLogger("lab")

CHANGES = (
    "ChangeResourceRecordSets",
    "CreateHostedZone",
    "DeleteHostedZone",
    "CreateHealthCheck",
    "UpdateHealthCheck",
    "DeleteHealthCheck",
)
LISTENING = (
    "CreateListener",
    "ModifyListener",
    "DeleteListener",
    "DeleteLoadBalancer",
)
FIRST_SECONDS = 2.0
"""Lab seconds between a new check's first probes. AWS's fleet sends one about every two seconds, so
a new check has enough data soon; until then an inverted one counts as unhealthy, and the primary
with it."""
CLIENT_TYPES = ("A", "AAAA", "CNAME")
"""Records that lead a client somewhere."""
LOAD_BALANCER_SECONDS = 5.0
"""Lab seconds between looks at load balancers and alarms; at least a quarter of a real second."""


class DnsPart(Part):
    """Health checks, the DNS server and the front door."""

    name = "dns"

    def __init__(self, lab: LabContext) -> None:
        super().__init__(lab)
        self._zones: Sequence[Zone] = ()
        self._checks: dict[str, CheckConfig] = {}
        self._statuses: dict[str, ProbeStatus] = {}
        self._alarms: dict[tuple[str, str], str] = {}
        self._balancers: dict[str, LoadBalancer] = {}
        self._verdicts = Verdicts(self._checks, self._statuses, self._alarms)
        self._probing: dict[str, tuple[CheckConfig, asyncio.Task[None]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._reloading = asyncio.Lock()
        self.server = DnsServer(self.answer)
        self.tls = TlsListeners(lab)
        self.front_door = FrontDoor(
            clock=lab.clock,
            answering=lambda: lab.answering,
            dns_port=lambda: self.server.port,
            balancer_of=self._balancer_of,
            objection=self.tls.objection,
            default_name=self._failover_name,
            knows=lambda name: any(name.endswith(zone.name) for zone in self._zones),
        )

    async def start(self) -> None:
        """Reads what is deployed, then listens beside the lab's own port."""
        self.lab.health_check_status = self._observations
        self.lab.add_source(self.verdicts)
        self.lab.function_environment(self._function_environment)
        self.lab.on_api("route53", CHANGES, self._changed)
        self.lab.on_api("elbv2", LISTENING, self._listening)
        await self.tls.follow()
        await self.reload()
        await self.server.start(self.lab.port + 1)
        await self.front_door.start(self.lab.port + 2)
        self._tasks = [asyncio.create_task(self._watch())]

    async def stop(self) -> None:
        """Stops probing and listening."""
        self.lab.remove_hook(self._changed)
        self.lab.remove_hook(self._listening)
        self.lab.remove_source(self.verdicts)
        for task in (*self._tasks, *(task for _, task in self._probing.values())):
            task.cancel()
        self._tasks, self._probing = [], {}
        await self.server.stop()
        await self.front_door.stop()
        await self.tls.stop()

    async def health(self) -> Health:
        """Unhealthy when a socket or a task ended."""
        tasks = [*self._tasks, *(task for _, task in self._probing.values())]
        ended = [task for task in tasks if task.done()]
        if ended:
            return Health(False, f"a task ended: {ended[0].exception()!r}")
        if not (self.server.listening and self.front_door.listening and self.tls.listening):
            return Health(False, "a socket was closed")
        unhealthy = [check for check in self._checks if not self.check_healthy(check)]
        return Health(True, f"{len(self._checks)} health checks, {len(unhealthy)} unhealthy")

    def describe(self) -> dict[str, str]:
        """Addresses for ``lab.status``."""
        return {
            "dns": f"127.0.0.1:{self.server.port}",
            "front_door": f"http://127.0.0.1:{self.front_door.port}",
        }

    def answer(self, name: str, kind: str) -> Answer:
        """What Route 53 answers now."""
        return answer(self._zones, name, kind, self)

    def check_healthy(self, health_check_id: str) -> bool:
        """Whether a health check is healthy now."""
        return self._verdicts.healthy(health_check_id)

    def load_balancer_healthy(self, name: str) -> bool:
        """Whether a load balancer has a healthy target, as its own checks found.

        An outage shows here only once those checks fail, so failover doesn't come out faster
        than AWS's.
        """
        balancer = self._balancers.get(name)
        return balancer is not None and balancer.healthy

    def load_balancer_addresses(self, name: str) -> Sequence[str]:
        """The one address that stands for a load balancer."""
        balancer = self._balancers.get(name)
        return (balancer.address,) if balancer else ()

    def verdicts(self) -> list[HealthCheckVerdict]:
        """Every health check's status now."""
        return [HealthCheckVerdict(check, self.check_healthy(check)) for check in self._checks]

    async def reload(self) -> None:
        """Reads zones, records, health checks and load balancers as they are deployed now."""
        async with self._reloading:
            zones = await deployed_zones(self.lab.aws)
            listed = await self.lab.aws.every(
                "route53", REGIONS[0], "ListHealthChecks", "HealthChecks"
            )
            self._zones = zones
            self._checks.clear()
            self._checks.update({item["Id"]: check_config(item) for item in listed})
            await self._read_balancers()
            self._follow_checks()

    async def _read_balancers(self) -> None:
        self._balancers = await deployed_load_balancers(self.lab.aws)
        if any(check.alarm_name for check in self._checks.values()):
            states: dict[tuple[str, str], str] = {}
            for region in REGIONS:
                for key in ("MetricAlarms", "CompositeAlarms"):
                    for alarm in await self.lab.aws.every(
                        "cloudwatch",
                        region,
                        "DescribeAlarms",
                        key,
                        AlarmTypes=[key.removesuffix("s")],
                    ):
                        states[region, alarm["AlarmName"]] = alarm["StateValue"]
            for gone in self._alarms.keys() - states.keys():
                del self._alarms[gone]
            self._alarms.update(states)

    def _follow_checks(self) -> None:
        for check_id, (config, task) in list(self._probing.items()):
            if self._checks.get(check_id) != config:
                task.cancel()
                del self._probing[check_id]
        for gone in set(self._statuses) - set(self._checks):
            del self._statuses[gone]
        for check in self._checks.values():
            if check.probes and check.id not in self._probing:
                status = self._statuses.setdefault(check.id, ProbeStatus(check.threshold))
                status.threshold = check.threshold
                task = asyncio.create_task(self._probe_forever(check, status))
                self._probing[check.id] = (check, task)

    async def _probe_forever(self, check: CheckConfig, status: ProbeStatus) -> None:
        clock = self.lab.clock
        due = clock.now()
        while True:
            success, report = await probe(check, self._address_of(check), clock.factor)
            turned = status.observe(success, report, clock.now())
            self.lab.emit(
                HealthCheckProbe(
                    health_check_id=check.id,
                    success=success,
                    turned=turned,
                    healthy=status.healthy,
                    at=clock.now(),
                )
            )
            wait = check.interval if status.settled else min(FIRST_SECONDS, check.interval)
            due = max(due + wait, clock.now())
            await clock.sleep_until(due)

    async def _watch(self) -> None:
        while True:
            wait = max(LOAD_BALANCER_SECONDS, 0.25 * self.lab.clock.factor)
            await self.lab.clock.sleep(wait)
            try:
                await self._read_balancers()
            except ApiRefusal as error:
                # Deleted between two calls of one look; the next look sees what is left.
                logger.info("load balancers and alarms can't be read: %s", error)

    async def _changed(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        if response.ok:
            await self.reload()
        return response

    async def _listening(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        if response.ok:
            await self.tls.follow()
        return response

    def _address_of(self, check: CheckConfig) -> Address:
        """An HTTPS listener's own port; the lab's stands for every other one."""
        tls = self.tls.port_of(check.host, check.port)
        return Address("127.0.0.1", tls or self.lab.port)

    def _observations(self, check_id: str) -> list[dict[str, Any]]:
        status = self._statuses.get(check_id)
        at = datetime.fromtimestamp(status.at if status else self.lab.clock.now(), UTC)
        report = status.last if status else ""
        if not status:
            report = "Success: healthy" if self.check_healthy(check_id) else "Failure: unhealthy"
        return [
            {
                "Region": "us-east-1",
                "IPAddress": "127.0.0.1",
                "StatusReport": {"Status": report, "CheckedTime": at},
            }
        ]

    def _function_environment(self, _region: str, _function: str) -> Mapping[str, str]:
        """Where functions find what the internet's DNS knows: load balancers and name servers
        (``lab/database/python_hook``); and whom Python trusts there."""
        return {
            "LAB_PORT": str(self.lab.port),
            "LAB_DNS_PORT": str(self.server.port),
            "LAB_LOAD_BALANCERS": self.tls.map_path,
            "SSL_CERT_FILE": self.tls.authority_path,
        }

    def _balancer_of(self, address: str) -> str:
        return next((b.name for b in self._balancers.values() if b.address == address), "")

    def _failover_name(self) -> str:
        names = (
            normal_name(record.name)
            for zone in self._zones
            for record in zone.records
            if record.failover == "PRIMARY" and record.type in CLIENT_TYPES
        )
        return next(names, "")
