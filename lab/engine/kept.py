"""What outlives one operation: plugin processes, and the runner of programs.

Starting a plugin or importing Pulumi's SDK takes longer than most operations. So the operations of
one run (all layers of a deployment) hand their processes on: a plugin to whoever wants the same
configuration, the runner to whoever runs a program.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence

from lab.engine.plugin_process import PluginProcess
from lab.engine.runner import Runner

Start = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
"""What a process was started with: command and environment."""


def start_of(command: Sequence[str], environment: Mapping[str, str]) -> Start:
    """Returns what tells apart processes that one can't stand in for the other."""
    return tuple(command), tuple(sorted(environment.items()))


class Kept:
    """Idle processes between operations. Ended by ``close``, at the latest with this process.

    ``names``: what programs to come will use, and is imported ahead.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._names = tuple(names)
        self._lock = threading.Lock()
        self._plugins: list[tuple[Start, PluginProcess]] = []
        self._runners: dict[tuple[tuple[str, str], ...], Runner] = {}
        self.close = weakref.finalize(self, _end, self._plugins, self._runners)

    def runner(self, environment: Mapping[str, str]) -> Runner:
        """Returns the runner of an environment, started when it is first asked for."""
        key = tuple(sorted(environment.items()))
        with self._lock:
            if key not in self._runners:
                self._runners[key] = Runner(environment, self._names)
            return self._runners[key]

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
    plugins: list[tuple[Start, PluginProcess]], runners: dict[tuple[tuple[str, str], ...], Runner]
) -> None:
    for _, plugin in plugins:
        plugin.stop()
    for _, plugin in plugins:
        plugin.wait()
    for runner in runners.values():
        runner.close()
    plugins.clear()
    runners.clear()
