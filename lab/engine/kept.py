"""What outlives one operation: plugin processes, and the runner of programs.

Starting a plugin or importing Pulumi's SDK takes longer than most operations. So the operations of
one run (all layers of a deployment) hand their processes on: a plugin to whoever wants the same
configuration, the runner to whoever runs a program.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2_grpc

from lab.engine.plugin import CHANNEL_OPTIONS
from lab.engine.plugin_process import PluginProcess
from lab.engine.runner import Runner

Start = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
"""What a process was started with: command and environment."""


def start_of(command: Sequence[str], environment: Mapping[str, str]) -> Start:
    """Returns what distinguishes processes that can't stand in for each other."""
    return tuple(command), tuple(sorted(environment.items()))


class _Logs(engine_pb2_grpc.EngineServicer):
    """Passes what plugins log to the engine of the operation that began last."""

    def __init__(self) -> None:
        self.engine: engine_pb2_grpc.EngineServicer | None = None

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802
        """One log line; between operations there is nobody to show it to."""
        engine = self.engine
        return empty_pb2.Empty() if engine is None else engine.Log(request, context)


class Kept:
    """Idle processes between operations. Ended by ``close``, at the latest with this process.

    ``names``: what programs to come will use, and is imported ahead. ``runner``: one that was
    started already.
    """

    def __init__(self, names: Sequence[str] = (), runner: Runner | None = None) -> None:
        self._names = tuple(names)
        self._lock = threading.Lock()
        self._plugins: list[tuple[Start, PluginProcess]] = []
        self._runners = [runner] if runner else []
        self._logs = _Logs()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=2), options=CHANNEL_OPTIONS)
        engine_pb2_grpc.add_EngineServicer_to_server(self._logs, self._server)
        self._address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self.close = weakref.finalize(self, _end, self._plugins, self._runners, self._server)

    def logs_to(self, engine: engine_pb2_grpc.EngineServicer) -> str:
        """Returns the address at which plugins log; their lines go to ``engine`` from now on."""
        with self._lock:
            if self._logs.engine is None:
                self._server.start()
            self._logs.engine = engine
        return self._address

    def runner(self, environment: Mapping[str, str]) -> Runner:
        """Returns the runner of programs, started in ``environment`` when it is first asked for.

        Programs get an environment of their own: what counts here is where packages are found.
        """
        with self._lock:
            if not self._runners:
                self._runners.append(Runner(environment, self._names))
            return self._runners[0]

    def take(self, start: Start) -> list[PluginProcess]:
        """Returns the idle plugins that were started so; they are the caller's now."""
        with self._lock:
            taken = [plugin for key, plugin in self._plugins if key == start]
            self._plugins[:] = [item for item in self._plugins if item[0] != start]
        return [plugin for plugin in taken if plugin.alive]

    def give(self, start: Start, plugins: Sequence[PluginProcess]) -> None:
        """Takes plugins back that are idle."""
        with self._lock:
            self._plugins += [(start, plugin) for plugin in plugins]


def _end(
    plugins: list[tuple[Start, PluginProcess]],
    runners: list[Runner],
    server: grpc.Server,
) -> None:
    for _, plugin in plugins:
        plugin.stop()
    for _, plugin in plugins:
        plugin.wait()
    for runner in runners:
        runner.close()
    server.stop(grace=None)
    plugins.clear()
    runners.clear()
