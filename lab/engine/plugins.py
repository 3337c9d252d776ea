"""The plugin processes of one operation, and finding the one that serves a resource."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence

from lab.engine.failure import StepFailedError
from lab.engine.kept import Kept, start_of
from lab.engine.operation import OperationRun
from lab.engine.plugin import Plugin, PluginError, configuration_of
from lab.engine.plugin_process import PluginProcess
from lab.engine.provider_inputs import check_endpoints, own_inputs
from pulumi_protocol import urns
from pulumi_protocol.checkpoint import ResourceState
from pulumi_protocol.events import EngineError
from pulumi_protocol.values import Properties


class Plugins:
    """The plugin processes of one operation: one for each provider resource.

    Processes may be started before anybody knows what for (``start_ahead``): starting takes most of
    a second, and all are alike until they are configured. With ``kept``, processes of operations
    before serve again, whose configuration is the same.
    """

    def __init__(
        self,
        run: OperationRun,
        command: Sequence[str],
        engine_address: str,
        environment: Mapping[str, str],
        kept: Kept | None = None,
    ) -> None:
        self._run = run
        self._command = command
        self._engine_address = engine_address
        package_config = {
            key.partition(":")[2]: value
            for key, value in run.project.config.items()
            if key.startswith("aws:")
        }
        self._environment = {**environment, "PULUMI_CONFIG": json.dumps(package_config)}
        self._start_key = start_of(command, self._environment)
        self._kept = kept
        self._lock = threading.Lock()
        self._processes: list[PluginProcess] = kept.take(self._start_key) if kept else []
        for process in self._processes:
            process.log = run.log
        self._idle = list(self._processes)
        self._configured: dict[str, Plugin] = {}

    def start_ahead(self, count: int) -> None:
        """Starts processes for providers that are to come, as far as none are idle."""
        for _ in range(count - len(self._idle)):
            try:
                process = self._start()
            except PluginError as error:
                raise EngineError(f"{self._run.project.name}: {error}") from None
            with self._lock:
                self._idle.append(process)

    def connect(self) -> Plugin:
        """Returns a plugin to ask about configurations; which one doesn't matter."""
        with self._lock:
            if not self._idle:
                self._idle.append(self._start())
            process = self._idle[0]
        return process.connect()

    def configure(self, urn: str, id: str, inputs: Properties) -> Plugin:
        """Returns the plugin that serves the provider ``urn::id`` from now on.

        It is one that is configured so already, or one that isn't configured at all, and then is.
        """
        plugin = self._taken(configuration_of(inputs)).connect()
        if plugin.configuration is None:
            plugin.configure(urn, id, inputs)
        with self._lock:
            self._configured[urns.reference(urn, id)] = plugin
        return plugin

    def _taken(self, configuration: str) -> PluginProcess:
        with self._lock:
            for wanted in (configuration, None):
                for process in self._idle:
                    if process.connect().configuration == wanted:
                        self._idle.remove(process)
                        return process
            return self._start()

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
        """Hands the processes on, or ends them and waits for them."""
        with self._lock:
            processes, self._processes = self._processes, []
        if self._kept is not None and not self._run.interrupted.is_set():
            self._kept.give(self._start_key, processes)
            return
        for process in processes:
            process.stop()
        for process in processes:
            process.wait()

    def _start(self) -> PluginProcess:
        try:
            process = PluginProcess(
                self._command,
                self._engine_address,
                directory=self._run.project.directory,
                environment=self._environment,
                log=self._run.log,
            )
        except OSError as error:
            raise PluginError(
                f"the plugin {self._command[0]} can't be started: {error.strerror}"
            ) from None
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
        return self._plugins.configure(candidate.urn, candidate.id, own_inputs(candidate.inputs))
