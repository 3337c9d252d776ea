"""What all steps of one running operation share: events, secrets, failures, limits, plugins."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from lab.engine.plugin import Plugin, PluginError, PluginProcess
from lab.engine.project import Project
from pulumi_protocol.checkpoint import ResourceState
from pulumi_protocol.events import (
    EngineError,
    Event,
    LogEvent,
    Operation,
    Phase,
    PropertyDiff,
    ResourceEvent,
    Severity,
    Summary,
)
from pulumi_protocol.masking import Masker
from pulumi_protocol.urns import PROVIDER_PREFIX
from pulumi_protocol.values import Properties, plain


class StepFailedError(Exception):
    """One resource could not be dealt with; the text is for people and holds no secret."""

    def __init__(self, urn: str, message: str, doing: str = "registering") -> None:
        super().__init__(message)
        self.urn = urn
        self.doing = doing


class OperationRun:
    """One preview, up, refresh or destroy while it runs. Thread-safe."""

    def __init__(
        self, project: Project, on_event: Callable[[Event], None], *, preview: bool, parallel: int
    ) -> None:
        self.project = project
        self.preview = preview
        self.parallel = parallel
        self.masker = Masker()
        self.failures: list[StepFailedError] = []
        self.program_errors: list[str] = []
        self.interrupted = threading.Event()
        self.hurry: Callable[[], None] = _nothing
        self._on_event = on_event
        self._event_lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(parallel)
        self._counts: dict[Operation, int] = dict.fromkeys(Operation, 0)
        self._started = monotonic()

    @property
    def stopped(self) -> bool:
        """Whether nothing new may begin."""
        return bool(self.failures) or self.interrupted.is_set()

    def learn(self, state: ResourceState) -> None:
        """Remember the secrets of a resource, so that no message shows them."""
        self.masker.learn(secretive(state.type, state.inputs))
        self.masker.learn(secretive(state.type, state.outputs))

    def fail(self, failure: StepFailedError) -> None:
        """Remember a failure; what is under way may finish."""
        with self._event_lock:
            self.failures.append(failure)

    def interrupt(self) -> None:
        """Begin nothing new and let calls in flight finish; the second time, don't wait for them.

        A call that is cut off stays on record as pending, and the next run clears it up.
        """
        if self.interrupted.is_set():
            # Not here: a signal may arrive while this very thread holds a lock.
            threading.Thread(target=self.hurry, daemon=True).start()
        self.interrupted.set()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the places for calls that change something."""
        with self._slots:
            yield

    def summary(self) -> Summary:
        """What was done (or planned) so far."""
        counts = self._counts
        return Summary(
            created=counts[Operation.CREATE],
            updated=counts[Operation.UPDATE],
            replaced=counts[Operation.REPLACE],
            deleted=counts[Operation.DELETE],
            same=counts[Operation.SAME],
            seconds=round(monotonic() - self._started, 3),
        )

    def log(self, severity: Severity, message: str, urn: str = "") -> None:
        """Pass a line on, without secrets."""
        if message:
            self._send(LogEvent(severity, urn, self.masker.text(message)))

    def tell(
        self,
        operation: Operation,
        state: ResourceState,
        phase: Phase,
        *,
        seconds: float = 0,
        message: str = "",
        diff: Sequence[PropertyDiff] = (),
    ) -> None:
        """Tell of a step, without secrets, and count it when it is planned or done."""
        shown = tuple(
            replace(change, old=self.masker.value(change.old), new=self.masker.value(change.new))
            for change in diff
        )
        event = ResourceEvent(
            operation,
            state.urn,
            state.type,
            state.name,
            phase,
            round(seconds, 3),
            self.masker.text(message),
            shown,
        )
        if phase in ("planned", "done") and state.managed:
            with self._event_lock:
                self._counts[operation] += 1
        self._send(event)

    def count(self, operation: Operation) -> None:
        """Count a step that is told of under another name."""
        with self._event_lock:
            self._counts[operation] += 1

    def _send(self, event: Event) -> None:
        with self._event_lock:
            self._on_event(event)

    @contextmanager
    def telling(
        self, operation: Operation, state: ResourceState, diff: Sequence[PropertyDiff] = ()
    ) -> Iterator[None]:
        """Tell "started", then "done" or "failed" with the seconds between."""
        started = monotonic()
        self.tell(operation, state, "started", diff=diff)
        try:
            yield
        except Exception as error:
            text = str(error) or type(error).__name__
            self.tell(
                operation, state, "failed", seconds=monotonic() - started, message=text, diff=diff
            )
            raise
        self.tell(operation, state, "done", seconds=monotonic() - started, diff=diff)


def _nothing() -> None:
    """Before there are plugins, nothing can be hurried."""


class Plugins:
    """The plugin processes of one operation: one for each provider resource.

    Processes may be started before anybody knows what for (`start_ahead`): starting takes most of
    a second, and all are alike until they are configured.
    """

    def __init__(
        self,
        run: OperationRun,
        command: Sequence[str],
        engine_address: str,
        environment: Mapping[str, str],
    ) -> None:
        self._run = run
        self._command = command
        self._engine_address = engine_address
        self._environment = environment
        self._lock = threading.Lock()
        self._idle: list[PluginProcess] = []
        self._processes: list[PluginProcess] = []
        self._configured: dict[str, Plugin] = {}

    def start_ahead(self, count: int) -> None:
        """Start processes for providers that are to come."""
        for _ in range(count):
            try:
                process = self._start()
            except PluginError as error:
                raise EngineError(f"{self._run.project.name}: {error}") from None
            with self._lock:
                self._idle.append(process)

    def connect(self) -> Plugin:
        """A plugin that isn't configured yet."""
        with self._lock:
            process = self._idle.pop() if self._idle else None
        return (process or self._start()).connect()

    def put(self, reference: str, plugin: Plugin) -> None:
        """The plugin serves this provider reference (`urn::id`) from now on."""
        with self._lock:
            self._configured[reference] = plugin

    def get(self, reference: str) -> Plugin | None:
        """The plugin of a provider reference, if it is configured."""
        with self._lock:
            return self._configured.get(reference)

    def cancel(self) -> None:
        """Tell all plugins to end their waiting."""
        with self._lock:
            plugins = list(self._configured.values())
        for plugin in plugins:
            plugin.cancel()

    def kill(self) -> None:
        """End all processes at once, in the middle of their calls."""
        with self._lock:
            processes = list(self._processes)
        for process in processes:
            process.kill()

    def stop(self) -> None:
        """End all processes and wait for them."""
        with self._lock:
            processes, self._processes = self._processes, []
        for process in processes:
            process.stop()
        for process in processes:
            process.wait()

    def _start(self) -> PluginProcess:
        package_config = {
            key.partition(":")[2]: value
            for key, value in self._run.project.config.items()
            if key.startswith("aws:")
        }
        try:
            process = PluginProcess(
                self._command,
                self._engine_address,
                directory=self._run.project.directory,
                environment={**self._environment, "PULUMI_CONFIG": json.dumps(package_config)},
                log=self._run.log,
            )
        except OSError as error:
            raise PluginError(
                f"the plugin {self._command[0]} can't be started: {error.strerror}"
            ) from None
        with self._lock:
            self._processes.append(process)
        return process


class ProviderSource:
    """Finds the plugin for a resource, starting and configuring it from the state if need be."""

    def __init__(self, plugins: Plugins, states: Callable[[], Sequence[ResourceState]]) -> None:
        self._plugins = plugins
        self._states = states
        self._lock = threading.Lock()

    def of(self, state: ResourceState) -> Plugin:
        """The plugin that serves the resource's provider reference."""
        plugin = self._plugins.get(state.provider)
        if plugin is not None:
            return plugin
        with self._lock:
            plugin = self._plugins.get(state.provider)
            if plugin is None:
                plugin = self._configured(state)
            return plugin

    def _configured(self, state: ResourceState) -> Plugin:
        for candidate in self._states():
            if f"{candidate.urn}::{candidate.id}" == state.provider:
                break
        else:
            raise StepFailedError(state.urn, f"its provider {state.provider} isn't in the state")
        check_endpoints(candidate.urn, candidate.type, candidate.inputs)
        plugin = self._plugins.connect()
        plugin.configure(candidate.urn, candidate.id, own_inputs(candidate.inputs))
        self._plugins.put(state.provider, plugin)
        return plugin


def secretive(type: str, properties: Properties) -> Properties:
    """The properties whose secrets are worth masking: an AWS access key's id is in every ARN-like
    text of a test account, and no secret by AWS's own definition, though the SDK marks it."""
    if not type.startswith(PROVIDER_PREFIX):
        return properties
    return {key: value for key, value in properties.items() if key != "accessKey"}


def own_inputs(inputs: Properties) -> Properties:
    """A provider's inputs without what engines keep among them (`__internal`)."""
    return {key: value for key, value in inputs.items() if not key.startswith("__")}


def check_endpoints(urn: str, type: str, inputs: Properties) -> None:
    """Refuse an AWS provider that could call anything but this machine."""
    if type != "pulumi:providers:aws":
        return
    text = plain(inputs.get("endpoints"))
    try:
        entries = json.loads(text) if isinstance(text, str) else text
        urls = [url for entry in entries or () for url in entry.values() if url]
    except (ValueError, AttributeError, TypeError):
        urls = []
    strangers = [url for url in urls if not _local(url)]
    if strangers or not urls:
        named = f"{strangers[0]} is not on this machine" if strangers else "it has no endpoints"
        raise StepFailedError(
            urn, f"an AWS provider of the lab must call 127.0.0.1 alone, but {named}"
        )


def _local(url: Any) -> bool:
    try:
        parts = urlsplit(str(url))
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and host in ("127.0.0.1", "localhost")
