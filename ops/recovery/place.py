"""One region's recovery as it is deployed, reached from where a person is.

What a controller knows stands in its function's environment, and a command reads it there: both act
on the same things by the same code (``lambda_src/recovery``).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud import web
from ops.cloud.answers import reason
from ops.cloud.clients import PROBE_SECONDS, Clients
from ops.cloud.traffic import Traffic, leads_to
from ops.errors import OperatorError
from ops.recovery.items import Items
from ops.stack_file import StackFile
from recovery.act import Ports, Run
from recovery.environment import Environment
from recovery.http_get import Answered, Get
from recovery.model import State
from recovery.observation import Observation, Trigger
from recovery.outside import SystemClock, parameters_of, ports_of
from recovery.parameters import RecoveryParameters
from recovery.ports import UnavailableError
from tapstack.naming import physical_name
from tapstack.well_known import RECOVERY


@dataclass(frozen=True)
class Place:
    """A region's environment, its ports, and what of them commands ask more."""

    environment: Environment
    ports: Ports
    parameters: RecoveryParameters
    rds: Any

    @property
    def region(self) -> str:
        """The region."""
        return self.environment.settings.region

    def state(self) -> State:
        """The region's item; raises ``OperatorError``."""
        try:
            return self.ports.table.load()
        except UnavailableError as fault:
            raise OperatorError(f"{self.region}: {fault}; try again") from None

    def observe(self) -> Observation:
        """What a run there would see now; it counts nothing."""
        state = self.state()
        seen = self.ports.observer.observe(self.minute(state), state)
        return replace(seen, trigger=Trigger.MANUAL)

    def run(self) -> Run:
        """A run that a person asks for now. Raises ``UnavailableError``."""
        minute = self.minute(self.ports.table.load())
        return Run(f"command-{uuid.uuid4()}", minute, Trigger.MANUAL)

    def minute(self, state: State) -> int:
        """The scheduled minute that is now: a lab's schedule may be ahead of this machine's
        clock."""
        return max(int(self.ports.clock.now()) // 60, state.last_minute or 0)


@dataclass(frozen=True)
class World:
    """An environment's recovery in both regions, through ``clients`` that try once."""

    file: StackFile
    clients: Clients
    lab_dns: str | None = None
    """The lab's name server (127.0.0.1:PORT), None on AWS."""
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    clock: SystemClock = field(default_factory=SystemClock)

    @property
    def items(self) -> Items:
        """Both state items."""
        return Items.of(self.clients, self.file)

    @property
    def flags(self) -> str:
        """What printed commands need so that they mean this stack."""
        return "" if self.file.stack == "lab" else f" --stack {self.file.stack}"

    def place(self, region: str) -> Place:
        """A region as deployed; raises ``UnavailableError`` where it doesn't say so."""
        environment = self._environment(region)
        endpoint = self.clients.endpoint
        if endpoint:
            # The lab's names resolve nowhere: no question of ours leaves this machine.
            environment = replace(environment, name_servers=())
        get = _by_host_header(endpoint) if endpoint else None
        ports = ports_of(environment, self.clients.get, self.clock, get, PROBE_SECONDS)
        parameters = parameters_of(environment, self.clients.get)
        return Place(environment, ports, parameters, self.clients.get("rds", region))

    def traffic(self, one: Place, other: Place) -> Traffic:
        """Where DNS sends clients now."""
        balancers = {place.region: place.environment.load_balancer for place in (one, other)}
        name, servers = self.file.settings.fqdn, one.environment.name_servers
        return leads_to(name, balancers, servers, self.lab_dns)

    def _environment(self, region: str) -> Environment:
        name = physical_name("function", RECOVERY, region, self.file.settings.suffix)
        try:
            client = self.clients.get("lambda", region)
            found = client.get_function_configuration(FunctionName=name)
            variables = found["Environment"]["Variables"]
            return Environment.of({**variables, "AWS_REGION": region})
        except (ClientError, BotoCoreError) as fault:
            raise UnavailableError(f"{name}: {reason(fault)}") from fault
        except KeyError as missing:
            raise OperatorError(
                f"{name} is of another version ({missing} is missing): run ./inv up --layer "
                f"global{self.flags}"
            ) from None


def _by_host_header(endpoint: str) -> Get:
    """The way to the lab's load balancers, whose names don't resolve."""

    def get(
        host: str, path: str, headers: Mapping[str, str] | None = None, server_name: str = ""
    ) -> Answered:
        answer = web.get(host, path, endpoint, headers, server_name)
        if answer.status == 0:
            return Answered(None, "unreachable")
        return Answered(answer.status, body=json.dumps(dict(answer.body)).encode())

    return get
