"""The services that a program sees."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, resource_pb2
from stage import operation

from lab.engine.failure import StepFailedError
from lab.engine.monitor import Engine, Monitor
from pulumi_protocol.events import Event, LogEvent


class AbortedError(Exception):
    """What a gRPC context's abort raises."""


class Context:
    """A call's context."""

    def abort(self, code: grpc.StatusCode, text: str) -> None:
        raise AbortedError(code, text)


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
    """It must not pass for a success; what waits for the calls' end continues."""
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
    lines = ((engine_pb2.WARNING, "careful"), (engine_pb2.ERROR, "wrong"), (engine_pb2.INFO, ""))
    for severity, message in lines:
        engine.Log(engine_pb2.LogRequest(severity=severity, message=message), None)
    run.fail(StepFailedError("u", "failed"))
    ended = "Resource monitor has terminated, shutting down"
    engine.Log(engine_pb2.LogRequest(severity=engine_pb2.ERROR, message=ended), None)
    logged = [(one.severity, one.message) for one in events if isinstance(one, LogEvent)]
    assert logged == [("warning", "careful"), ("error", "wrong")]
    assert run.program_errors == ["wrong"]
    engine.SetRootResource(engine_pb2.SetRootResourceRequest(urn="root"), None)
    assert engine.GetRootResource(None, None).urn == "root"
    assert engine.RequirePulumiVersion(None, None) == engine_pb2.RequirePulumiVersionResponse()
    assert engine.StartDebugging(None, None) == empty_pb2.Empty()
