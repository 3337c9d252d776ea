"""The plugin processes of one operation, and finding the one that serves a resource."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence

from lab.engine.failure import StepFailedError
from lab.engine.operation import OperationRun
from lab.engine.plugin import Plugin, PluginError
from lab.engine.plugin_process import PluginProcess
from lab.engine.provider_inputs import check_endpoints, own_inputs
from pulumi_protocol import urns
from pulumi_protocol.checkpoint import ResourceState
from pulumi_protocol.events import EngineError


class Plugins:
    """The plugin processes of one operation: one for each provider resource.

    Processes may be started before anybody knows what for (``start_ahead``): starting takes most of
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
        """Starts processes for providers that are to come."""
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
        """The plugin serves this provider reference (``urn::id``) from now on."""
        with self._lock:
            self._configured[reference] = plugin

    def get(self, reference: str) -> Plugin | None:
        """The plugin of a provider reference, if it is configured."""
        with self._lock:
            return self._configured.get(reference)

    def cancel(self) -> None:
        """Asks all plugins to end their waiting."""
        with self._lock:
            plugins = list(self._configured.values())
        for plugin in plugins:
            plugin.cancel()

    def kill(self) -> None:
        """Ends all processes at once, in the middle of their calls."""
        with self._lock:
            processes = list(self._processes)
        for process in processes:
            process.kill()

    def stop(self) -> None:
        """Ends all processes and waits for them."""
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
            if urns.reference(candidate.urn, candidate.id) == state.provider:
                break
        else:
            raise StepFailedError(state.urn, f"its provider {state.provider} isn't in the state")
        check_endpoints(candidate.urn, candidate.type, candidate.inputs)
        plugin = self._plugins.connect()
        plugin.configure(candidate.urn, candidate.id, own_inputs(candidate.inputs))
        self._plugins.put(state.provider, plugin)
        return plugin
