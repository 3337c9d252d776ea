"""What the lab's process gives to its parts."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boto3.session import Session
from botocore.config import Config

from lab.api import ApiHook, AwsCaller
from lab.call import Answer, Call
from lab.clock import Clock
from lab.facts import Event, Sample
from lab.faults import Faults
from lab.outage import Mode, OutageKind, Outages

logger = logging.getLogger("lab")

HOLD_SECONDS = 0.1
"""Real seconds between looks of what a hanging part holds."""
ACCOUNT_ID = "000000000000"
INTERNAL_HEADER = "x-lab-internal"
"""Marks calls of the lab's own parts, which outages and hooks let through. The value is a secret
of the process, so nothing deployed can use it."""

FunctionEnvironment = Callable[[str, str], Mapping[str, str]]
"""(region, function name) → environment variables that its workers get."""
HealthCheckStatus = Callable[[str], list[dict[str, Any]]]
"""Health-check id → ``HealthCheckObservations`` of GetHealthCheckStatus."""
Observer = Callable[[Event], None]
Source = Callable[[], Iterable[Sample]]


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
    observers: list[Observer] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    """What can be sampled, of the parts that run."""
    faults: Faults = field(init=False)
    round_trip_ms: float = 0.0
    """Lab milliseconds that the way to the other region and back takes."""
    answering: Callable[[Call], Awaitable[Answer | None]] | None = field(default=None, repr=False)
    """Answers a request in this process as the lab's port does; None is a dropped connection."""
    _aws: AwsCaller | None = field(default=None, repr=False)
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)
    _session: Session | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.faults = Faults(self.state_dir, self.clock.now)

    @property
    def aws(self) -> AwsCaller:
        """Calls of AWS APIs in this process, which outages don't touch; on the event loop."""
        if self._aws is None:
            raise RuntimeError("the lab has no emulator yet")
        return self._aws

    @aws.setter
    def aws(self, caller: AwsCaller) -> None:
        self._aws = caller

    def client(self, service: str, region: str) -> Any:
        """A boto3 client of the emulator that outages don't touch. Cached; thread-safe; blocking:
        on the event loop call it through ``asyncio.to_thread``."""
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._new_client(service, region)
            return self._clients[service, region]

    def on_api(self, service: str, operations: Collection[str], hook: ApiHook) -> None:
        """Observes or intercepts calls of an AWS API: ``await hook(request, call_next)``. An empty
        ``operations`` means all of the service. Hooks registered later run outermost. Calls made
        through ``client`` pass no hooks. Registering the same hook for the same calls again changes
        nothing."""
        entry = (service, frozenset(operations), hook)
        if entry not in self.hooks:
            self.hooks.append(entry)

    def remove_hook(self, hook: ApiHook) -> None:
        """Takes a hook out again (in ``Part.stop``)."""
        self.hooks[:] = [entry for entry in self.hooks if entry[2] != hook]

    def function_environment(self, provider: FunctionEnvironment) -> None:
        """Registers environment variables for functions' workers; asked at each worker's start."""
        if provider not in self.function_environments:
            self.function_environments.append(provider)

    def observe(self, observer: Observer) -> None:
        """Calls ``observer`` with every event, on the event loop; it must not block."""
        if observer not in self.observers:
            self.observers.append(observer)

    def emit(self, event: Event) -> None:
        """Notifies the observers of one event."""
        for observer in self.observers:
            try:
                observer(event)
            except Exception:
                logger.exception("an observer of %s failed", type(event).__name__)

    def add_source(self, source: Source) -> None:
        """Registers what can be sampled. Called off the event loop too; must be thread-safe."""
        if source not in self.sources:
            self.sources.append(source)

    def remove_source(self, source: Source) -> None:
        """Takes a source out again (in ``Part.stop``)."""
        self.sources[:] = [entry for entry in self.sources if entry != source]

    @property
    def one_way_seconds(self) -> float:
        """Lab seconds that the way to the other region takes."""
        return self.round_trip_ms / 2000

    async def hold(
        self, region: str, kind: OutageKind, client: asyncio.StreamWriter | None = None
    ) -> None:
        """Returns when ``kind`` doesn't hang in ``region`` any more, or ``client`` has gone."""
        while self.outages.mode(region, kind) is Mode.HANG:
            if client is not None and client.is_closing():
                return
            await asyncio.sleep(HOLD_SECONDS)

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
