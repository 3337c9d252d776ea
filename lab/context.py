"""What the lab's process gives to its parts."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.session import Session
from botocore.config import Config

from lab.clock import Clock
from lab.outage import Outages

if TYPE_CHECKING:
    from lab.emulator.call import Call
    from lab.part import Part

logger = logging.getLogger("lab")

ACCOUNT_ID = "000000000000"
INTERNAL_HEADER = "x-lab-internal"
"""Marks calls of the lab's own parts, which outages and hooks let through. The value is a secret
of the process, so nothing deployed can use it."""


@dataclass
class ApiRequest:
    """One call of an AWS API. ``parameters`` has botocore's names and nesting
    (``client.create_db_cluster(**parameters)``); what the emulator gets is ``call``."""

    service: str
    """botocore's service name: ``rds``, ``route53``, ``events``, ``elbv2``, ``s3`` …"""
    operation: str
    """AWS's name: ``FailoverGlobalCluster``."""
    region: str
    """Where the call was sent; global services (IAM, Route 53) say us-east-1."""
    parameters: dict[str, Any]
    principal: str = ""
    """The access key id that signed it; functions sign with one that names their role."""
    call: Call | None = field(default=None, repr=False)
    """The HTTP request; a hook that changes parameters for the emulator sets another one."""

    def rewrite(self) -> None:
        """Let the emulator get the changed ``parameters``; only for JSON services."""
        if self.call is not None:
            self.call = self.call.with_body(json.dumps(self.parameters).encode())


@dataclass
class ApiResponse:
    """``result`` has botocore's names and nesting, without ResponseMetadata. A refusal has
    ``error_code`` and ``error_message`` as AWS words them."""

    result: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    error_code: str = ""
    error_message: str = ""

    @property
    def ok(self) -> bool:
        """Whether the call succeeded."""
        return not self.error_code


class ApiRefusal(Exception):  # noqa: N818 - a refusal is AWS's answer, not a fault of the lab
    """Raised by a hook: AWS refuses this call with this code and message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


CallNext = Callable[[ApiRequest], Awaitable[ApiResponse]]
ApiHook = Callable[[ApiRequest, CallNext], Awaitable[ApiResponse]]
FunctionEnvironment = Callable[[str, str], Mapping[str, str]]
"""(region, function name) → environment variables that its workers get."""
HealthCheckStatus = Callable[[str], list[dict[str, Any]]]
"""Health-check id → ``HealthCheckObservations`` of GetHealthCheckStatus."""
TargetHealth = Callable[[str, str], Mapping[str, str] | None]
"""(target group ARN, target id) → ``TargetHealth`` of DescribeTargetHealth; None: as it is."""


@dataclass
class LabContext:
    """The lab as its parts see it."""

    state_dir: Path
    port: int
    endpoint: str
    clock: Clock
    outages: Outages
    account_id: str = ACCOUNT_ID
    internal_token: str = ""
    hooks: list[tuple[str, frozenset[str], ApiHook]] = field(default_factory=list)
    function_environments: list[FunctionEnvironment] = field(default_factory=list)
    health_check_status: HealthCheckStatus | None = None
    """Set by the DNS part; without it GetHealthCheckStatus has no observation."""
    target_health: TargetHealth | None = None
    """Set by who probes targets; without it DescribeTargetHealth follows the functions' answers."""
    observers: list[Callable[[str, dict[str, Any]], None]] = field(default_factory=list)
    parts: Mapping[str, Part] = field(default_factory=dict)
    """Every part by its name, running or not."""
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)
    _session: Session | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def client(self, service: str, region: str) -> Any:
        """A boto3 client of the emulator that outages don't touch. Cached; thread-safe; blocking:
        on the event loop call it through ``asyncio.to_thread``."""
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._new_client(service, region)
            return self._clients[service, region]

    def part(self, name: str) -> Part | None:
        """The part of that name; None when the lab has none."""
        return self.parts.get(name)

    def on_api(self, service: str, operations: Collection[str], hook: ApiHook) -> None:
        """Observe or intercept calls of an AWS API: ``await hook(request, call_next)``. An empty
        ``operations`` means all of the service. Hooks registered later run outermost. Calls made
        through ``client`` pass no hooks. Registering the same hook for the same calls again changes
        nothing."""
        entry = (service, frozenset(operations), hook)
        if entry not in self.hooks:
            self.hooks.append(entry)

    def remove_hook(self, hook: ApiHook) -> None:
        """Take a hook out again (in ``Part.stop``)."""
        self.hooks[:] = [entry for entry in self.hooks if entry[2] != hook]

    def function_environment(self, provider: FunctionEnvironment) -> None:
        """Register environment variables for functions' workers; asked at each worker's start."""
        if provider not in self.function_environments:
            self.function_environments.append(provider)

    def observe(self, observer: Callable[[str, dict[str, Any]], None]) -> None:
        """Be told of what happens: ``observer(kind, fact)``. Called on the event loop; must not
        block. Every fact has ``region``; the kinds:

        - ``alb.request``: load_balancer ``app/NAME/ID``, target_group ``targetgroup/NAME/ID`` or
          empty, status (the client's), from_target, seconds
        - ``lambda.invocation``: function_name, error, throttled, seconds, concurrent
        - ``events.delivery``: bus, rule, target, outcome ``delivered``, ``failed`` or
          ``dead-lettered``
        - ``s3.replication``: source, destination, rule, outcome ``completed``, ``failed`` or
          ``pending``, seconds (age at completion), bytes
        """
        if observer not in self.observers:
            self.observers.append(observer)

    def tell(self, kind: str, **fact: Any) -> None:
        """Tell the observers of one fact."""
        for observer in self.observers:
            try:
                observer(kind, fact)
            except Exception:
                logger.exception("an observer of %s failed", kind)

    def _new_client(self, service: str, region: str) -> Any:
        if self._session is None:
            # One for all: each would read AWS's service models anew, which takes most of the time.
            self._session = Session(
                aws_access_key_id=self.account_id,
                aws_secret_access_key="lab",  # noqa: S106 - the emulator knows no secrets
            )
        client = self._session.client(
            service,  # pyright: ignore[reportCallIssue, reportArgumentType]
            region_name=region,
            endpoint_url=self.endpoint,
            config=Config(
                s3={"addressing_style": "path"},
                retries={"max_attempts": 1},
                max_pool_connections=32,
                inject_host_prefix=False,
                proxies={},
            ),
        )
        client.meta.events.register("before-sign", self._mark_internal)
        return client

    def _mark_internal(self, request: Any, **_: Any) -> None:
        request.headers[INTERNAL_HEADER] = self.internal_token
