"""Provider plugins' processes."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from lab.engine.plugin import CHANNEL_OPTIONS, Plugin, PluginError
from pulumi_protocol.events import Severity

_START_SECONDS = 60.0
_STOP_SECONDS = 2.0

Log = Callable[[Severity, str], None]


class PluginProcess:
    """One running plugin. Started at once, connected when first needed.

    ``log`` takes the lines that it prints; whoever takes the process over puts another there.
    """

    def __init__(
        self,
        command: Sequence[str],
        engine_address: str,
        *,
        directory: Path,
        environment: Mapping[str, str],
        log: Log,
    ) -> None:
        self.log = log
        self._engine_address = engine_address
        self._plugin: Plugin | None = None
        self._port: queue.Queue[str] = queue.Queue()
        self._connecting = threading.Lock()
        self._channel: grpc.Channel | None = None
        # Its own session: an interrupt at the terminal is the engine's to deal with.
        self._process = subprocess.Popen(
            [*command, engine_address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=directory,
            env=dict(environment),
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._read_output, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def connect(self) -> Plugin:
        """Waits for the plugin's port and shakes hands, the first time."""
        with self._connecting:
            if self._plugin is None:
                self._plugin = self._connected()
            return self._plugin

    def _connected(self) -> Plugin:
        try:
            port = self._port.get(timeout=_START_SECONDS)
        except queue.Empty:
            raise PluginError(f"the plugin named no port in {_START_SECONDS:g} s") from None
        if not port.isdigit():
            raise PluginError("the plugin ended before it named its port")
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
        return Plugin(provider_pb2_grpc.ResourceProviderStub(self._channel), self._engine_address)

    def stop(self) -> None:
        """Asks the process to end; ``wait`` for it afterwards."""
        if self._channel is not None:
            self._channel.close()
        if self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()

    def wait(self) -> None:
        """Waits until the process is gone; one that doesn't listen is killed."""
        try:
            self._process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(timeout=1)
        for stream in filter(None, (self._process.stdout, self._process.stderr)):
            with contextlib.suppress(OSError):
                stream.close()

    def _read_output(self) -> None:
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 - a pipe, see Popen
        self._port.put(stream.readline().decode(errors="replace").strip())
        for line in stream:
            self.log("info", line.decode(errors="replace").rstrip())

    def _read_errors(self) -> None:
        stream = self._process.stderr
        assert stream is not None  # noqa: S101 - a pipe, see Popen
        for line in stream:
            self.log("info", line.decode(errors="replace").rstrip())
