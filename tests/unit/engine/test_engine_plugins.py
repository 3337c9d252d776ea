"""Plugins that misbehave, and the whole of what they may answer; the services a program calls."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import psutil
import pytest
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import engine_pb2, provider_pb2, resource_pb2, status_pb2

from lab.engine import embedded, plugin, program
from lab.engine.embedded import EmbeddedEngine
from lab.engine.monitor import Engine, Monitor
from lab.engine.operation import OperationRun, StepFailedError
from lab.engine.plugin import (
    Difference,
    InitializationError,
    Plugin,
    PluginError,
    PluginGoneError,
    PluginProcess,
)
from lab.engine.project import Project
from pulumi_protocol.events import Event, LogEvent
from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.values import RESOURCE_REFERENCE, SIGNATURE

URN = "urn:pulumi:lab::shop::pulumi:providers:fake::east"


# Processes


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


def test_a_plugin_that_tells_no_port_is_given_up(
    started: Callable[[str], tuple[PluginProcess, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line: it hangs, it ends, or it says something else in the port's place."""
    monkeypatch.setattr(plugin, "_START_SECONDS", 0.1)
    with pytest.raises(PluginError, match=r"^the plugin told no port in 0\.1 s$"):
        started("exec sleep 60")[0].connect()
    monkeypatch.setattr(plugin, "_START_SECONDS", 60.0)
    for script in ("exit 1", "echo hello"):
        with pytest.raises(PluginError, match="ended before it told its port"):
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
    monkeypatch.setattr(plugin, "_STOP_SECONDS", 0.1)
    process, _ = started("trap '' TERM; echo 5; exec sleep 60")
    assert process._port.get(timeout=10) == "5"
    process.stop()
    process.wait()
    assert not psutil.pid_exists(process._process.pid)


# Calls


class Refused(grpc.RpcError):
    """A call's failure as gRPC gives it."""

    def __init__(self, code: grpc.StatusCode, text: str = "", *details: Any) -> None:
        self._code, self._text = code, text
        packed = []
        for detail in details:
            packed.append(any_pb2.Any())
            packed[-1].Pack(detail)
        status = status_pb2.Status(code=2, details=packed)
        self._metadata = [("other", b""), ("grpc-status-details-bin", status.SerializeToString())]

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._text

    def trailing_metadata(self) -> Any:
        return self._metadata


class Stub:
    """Answers calls from `answers`, or raises what is there; notes the requests."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = {"Handshake": provider_pb2.ProviderHandshakeResponse(), **answers}
        self.asked: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        def call(request: Any, **_: Any) -> Any:
            self.asked.append(request)
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def connected(**answers: Any) -> tuple[Plugin, Stub]:
    stub = Stub(answers)
    return Plugin(stub, "127.0.0.1:1"), stub


def test_a_provider_that_cannot_compare_its_configuration() -> None:
    """An unimplemented DiffConfig: a change is a change, and replaces nothing."""
    made, _ = connected(DiffConfig=Refused(grpc.StatusCode.UNIMPLEMENTED))
    assert made.diff_config(URN, "1", {"a": 1}, {"a": 2}) == Difference(changes=True)
    assert made.diff_config(URN, "1", {"a": 1}, {"a": 1}) == Difference(changes=False)


def test_refused_inputs_are_listed() -> None:
    """Check names each property it refuses; an invoke's refusals are its message."""
    failures = [
        provider_pb2.CheckFailure(property="size", reason="too big"),
        provider_pb2.CheckFailure(reason="and no zone"),
    ]
    made, _ = connected(
        Check=provider_pb2.CheckResponse(failures=failures),
        Invoke=provider_pb2.InvokeResponse(failures=failures),
    )
    with pytest.raises(PluginError, match=r"^size: too big; and no zone$"):
        made.check(URN, "t", {}, {}, b"")
    with pytest.raises(PluginError, match=r"^too big; and no zone$"):
        made.invoke("fake:index:lookup", {}, preview=False)


@pytest.mark.parametrize("accepts", [True, False])
def test_references_go_to_plugins_that_take_them(accepts: bool) -> None:
    """A plugin that accepts resources gets the whole reference, another one the id."""
    reference = {SIGNATURE: RESOURCE_REFERENCE, "urn": "u", "id": "i"}
    made, stub = connected(
        Handshake=provider_pb2.ProviderHandshakeResponse(accept_resources=accepts),
        Create=provider_pb2.CreateResponse(id="1"),
    )
    made.create(URN, "t", {"a": reference}, timeout=0, preview=False)
    assert from_struct(stub.asked[-1].properties) == {"a": reference if accepts else "i"}


@pytest.mark.parametrize(
    ("failure", "kind", "message"),
    [
        (Refused(grpc.StatusCode.UNKNOWN, "no room"), PluginError, "no room"),
        (Refused(grpc.StatusCode.INTERNAL), PluginError, "INTERNAL"),
        (
            Refused(grpc.StatusCode.UNAVAILABLE, "socket closed"),
            PluginGoneError,
            "the plugin's process ended in the middle of the call",
        ),
        (
            Refused(grpc.StatusCode.UNKNOWN, "other details", provider_pb2.CheckFailure()),
            PluginError,
            "other details",
        ),
        (
            Refused(
                grpc.StatusCode.UNKNOWN,
                "init failed",
                provider_pb2.CheckFailure(),
                provider_pb2.ErrorResourceInitFailed(
                    id="1", properties=to_struct({"a": 1}), reasons=["one", "two"]
                ),
            ),
            InitializationError,
            "one; two",
        ),
    ],
    ids=["message", "no message", "gone", "other details", "half made"],
)
def test_failures_are_told_apart(failure: Refused, kind: type[Exception], message: str) -> None:
    """The plugin's own words; a process that ended; a resource that exists but isn't finished."""
    made, _ = connected(Create=failure)
    with pytest.raises(PluginError) as raised:
        made.create(URN, "t", {}, timeout=0, preview=False)
    assert (type(raised.value), str(raised.value)) == (kind, message)
    if isinstance(raised.value, InitializationError):
        assert (raised.value.id, raised.value.outputs) == ("1", {"a": 1})


def test_a_plugin_that_knows_no_cancelling_is_left_alone() -> None:
    """The interrupt goes on to the other plugins."""
    made, stub = connected(Cancel=Refused(grpc.StatusCode.UNIMPLEMENTED))
    made.cancel()
    assert stub.asked[-1] == empty_pb2.Empty()


# The services


class AbortedError(Exception):
    """What a gRPC context's abort raises."""


class Context:
    """A call's context."""

    def abort(self, code: grpc.StatusCode, text: str) -> None:
        raise AbortedError(code, text)


def operation(tmp_path: Path, events: list[Event] | None = None) -> OperationRun:
    project = Project("shop", tmp_path, "lab", {})
    on_event = (lambda _: None) if events is None else events.append
    return OperationRun(project, on_event, preview=False, parallel=1)


@pytest.mark.parametrize(
    ("method", "request_", "message"),
    [
        ("Call", resource_pb2.ResourceCallRequest(tok="a:b:c"), "calls (a:b:c)"),
        ("RegisterStackTransform", None, "transforms"),
        ("RegisterStackInvokeTransform", None, "invoke transforms"),
        (
            "RegisterResourceHook",
            resource_pb2.RegisterResourceHookRequest(name="h"),
            "resource hooks (h)",
        ),
        ("RegisterErrorHook", SimpleNamespace(name="h"), "error hooks (h)"),
        (
            "RegisterPackage",
            resource_pb2.RegisterPackageRequest(name="p"),
            "parameterized packages (p)",
        ),
        (
            "ExistsResource",
            SimpleNamespace(type="t", id="i"),
            "existence checks (t i)",
        ),
    ],
)
def test_what_the_monitor_does_not_serve_fails_the_operation(
    tmp_path: Path, method: str, request_: Any, message: str
) -> None:
    """Trap 32: it is named, never left out in silence, and nothing is served after it."""
    run = operation(tmp_path)
    asked: list[Any] = []
    deployment: Any = SimpleNamespace(register=asked.append)
    monitor = Monitor(run, deployment, 1)
    with pytest.raises(AbortedError):
        getattr(monitor, method)(request_, Context())
    assert [str(failure) for failure in run.failures] == [
        f"the embedded engine does not support {message}"
    ]
    with pytest.raises(AbortedError) as raised:
        monitor.RegisterResource(resource_pb2.RegisterResourceRequest(), Context())
    assert raised.value.args[0] == grpc.StatusCode.UNAVAILABLE
    assert asked == [] and len(run.failures) == 1


def test_a_fault_of_the_engine_s_own_fails_the_operation(tmp_path: Path) -> None:
    """It must not pass for a success; what waits for the calls' end goes on."""
    run = operation(tmp_path)

    def broken(request: Any) -> None:
        raise KeyError("odd")

    deployment: Any = SimpleNamespace(register=broken)
    monitor = Monitor(run, deployment, 1)
    with pytest.raises(AbortedError):
        monitor.RegisterResource(None, Context())
    assert [str(failure) for failure in run.failures] == ["the engine failed: KeyError: 'odd'"]
    monitor.wait_until_idle()


def test_the_engine_service_logs_and_knows_the_root(tmp_path: Path) -> None:
    """Log lines arrive by severity, an error fails the operation, an empty line is none; after a
    failure the SDK's complaint about the monitor is left out."""
    events: list[Event] = []
    run = operation(tmp_path, events)
    engine = Engine(run)
    for severity, message in ((2, "careful"), (3, "wrong"), (1, "")):
        engine.Log(engine_pb2.LogRequest(severity=severity, message=message), None)
    run.fail(StepFailedError("u", "failed"))
    ended = "Resource monitor has terminated, shutting down"
    engine.Log(engine_pb2.LogRequest(severity=3, message=ended), None)
    told = [(one.severity, one.message) for one in events if isinstance(one, LogEvent)]
    assert told == [("warning", "careful"), ("error", "wrong")]
    assert run.program_errors == ["wrong"]
    engine.SetRootResource(engine_pb2.SetRootResourceRequest(urn="root"), None)
    assert engine.GetRootResource(None, None).urn == "root"
    assert engine.RequirePulumiVersion(None, None) == engine_pb2.RequirePulumiVersionResponse()
    assert engine.StartDebugging(None, None) == empty_pb2.Empty()


# The program's process


def test_a_program_that_ends_before_it_is_told_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is noticed by its exit code, not by a broken pipe."""
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexit 7\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    with embedded._Program.started(operation(tmp_path), {"PATH": "/usr/bin:/bin"}) as made:
        assert made.ended.wait(10)
        made.configure("127.0.0.1:1", 1)
        assert made.exit_code == 7


def test_a_program_whose_engine_is_gone_at_its_start_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input that ends without settings: exit code 1, and nothing was run."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO()))
    assert program.main() == 1


def test_an_engine_that_does_nothing_cannot_be_interrupted(tmp_path: Path) -> None:
    """An interrupt between two operations holds for neither."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (tmp_path / "Pulumi.lab.yaml").write_text("config: {}\n")
    engine = EmbeddedEngine(
        project_dir=tmp_path, stack="lab", state_dir=tmp_path / "state", plugin=["false"]
    )
    engine.interrupt()
    assert engine.refresh(lambda _: None).changed == 0
