"""Provider plugins' processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from lab.engine import plugin_process
from lab.engine.plugin import (
    PluginError,
)
from lab.engine.plugin_process import PluginProcess


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[str], tuple[PluginProcess, list[str]]]]:
    """Starts a shell script as a plugin; gives the process and what it logs."""
    made: list[PluginProcess] = []

    def start(script: str) -> tuple[PluginProcess, list[str]]:
        lines: list[str] = []
        process = PluginProcess(
            ["sh", "-c", script],
            "127.0.0.1:1",
            directory=tmp_path,
            environment={"PATH": "/usr/bin:/bin"},
            log=lambda severity, line: lines.append(line),
        )
        made.append(process)
        return process, lines

    yield start
    for process in made:
        process.kill()
        process.wait()


def test_a_plugin_that_prints_no_port_is_given_up(
    started: Callable[[str], tuple[PluginProcess, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line: it hangs, it ends, or it says something else in the port's place."""
    monkeypatch.setattr(plugin_process, "_START_SECONDS", 0.1)
    with pytest.raises(PluginError, match=r"^the plugin named no port in 0\.1 s$"):
        started("exec sleep 60")[0].connect()
    monkeypatch.setattr(plugin_process, "_START_SECONDS", 60.0)
    for script in ("exit 1", "echo hello"):
        with pytest.raises(PluginError, match="ended before it named its port"):
            started(script)[0].connect()


def test_what_a_plugin_prints_is_logged(
    started: Callable[[str], tuple[PluginProcess, list[str]]],
) -> None:
    """All lines of both streams, but the port."""
    process, lines = started("echo 5; echo out; echo err >&2")
    process._process.wait(10)
    process.wait()
    assert sorted(lines) == ["err", "out"]


def test_a_plugin_that_does_not_listen_is_killed(
    started: Callable[[str], tuple[PluginProcess, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operation ends though a plugin ignores SIGTERM, and no process stays behind."""
    monkeypatch.setattr(plugin_process, "_STOP_SECONDS", 0.1)
    process, _ = started("trap '' TERM; echo 5; exec sleep 60")
    assert process._port.get(timeout=10) == "5"
    process.stop()
    process.wait()
    assert not psutil.pid_exists(process._process.pid)
