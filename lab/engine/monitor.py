"""Pulumi's gRPC services as a program sees them: resource monitor and engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from lab.engine.door import Door
from lab.engine.failure import StepFailedError
from lab.engine.operation import OperationRun
from pulumi_protocol.events import Severity

_FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_DEPENDS_ON,
)
_SEVERITIES: dict[int, Severity] = {0: "debug", 1: "info", 2: "warning", 3: "error"}
_ENDED = (grpc.StatusCode.UNAVAILABLE, "the operation has ended")
_TERMINATED = "Resource monitor has terminated, shutting down"


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Answers the program. After a failure every call is refused with UNAVAILABLE, upon which
    Pulumi's SDK ends the program without a traceback."""

    def __init__(self, run: OperationRun, door: Door, parallel: int) -> None:
        self._run = run
        self._door = door
        self._parallel = parallel
        self._active = 0
        self._idle = threading.Condition()
        self.program_ended = threading.Event()

    def wait_until_idle(self) -> None:
        """Waits until no call of the program's is under way."""
        with self._idle:
            self._idle.wait_for(lambda: self._active == 0)

    def _guarded(self, context: Any, work: Callable[[], Any]) -> Any:
        with self._idle:
            self._active += 1
        try:
            if self._run.stopped:
                context.abort(*_ENDED)
            try:
                return work()
            except StepFailedError as failure:
                self._run.fail(failure)
            except Exception as error:
                # A fault of the engine's own; it must not pass for a success.
                name = type(error).__name__
                self._run.fail(StepFailedError("", f"the engine failed: {name}: {error}"))
            context.abort(*_ENDED)
        finally:
            with self._idle:
                self._active -= 1
                self._idle.notify_all()

    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """What this engine understands."""
        project = self._run.project
        return resource_pb2.DeploymentInfo(
            project=project.name,
            stack=project.stack,
            organization="organization",
            config=dict(project.config),
            configSecretKeys=project.secret_keys,
            dryRun=self._run.preview,
            parallel=self._parallel,
            supportedFeatures=_FEATURES,
        )

    def RegisterResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        """A resource."""
        return self._guarded(context, lambda: self._door.register(request))

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:  # noqa: N802
        """A component's outputs."""

        def work() -> Any:
            self._door.register_outputs(request)
            return empty_pb2.Empty()

        return self._guarded(context, work)

    def ReadResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        """``.get()`` and StackReference."""
        return self._guarded(context, lambda: self._door.read(request))

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        """A provider's function."""
        return self._guarded(context, lambda: self._door.invoke(request))

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The program has succeeded."""
        self.program_ended.set()
        return empty_pb2.Empty()

    def _unsupported(self, context: Any, what: str) -> Any:
        def work() -> Any:
            raise StepFailedError("", f"the embedded engine does not support {what}")

        return self._guarded(context, work)

    def Call(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refused: methods of remote components."""
        return self._unsupported(context, f"calls ({request.tok})")

    def RegisterStackTransform(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refused."""
        return self._unsupported(context, "transforms")

    def RegisterStackInvokeTransform(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refused."""
        return self._unsupported(context, "invoke transforms")

    def RegisterResourceHook(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refused."""
        return self._unsupported(context, f"resource hooks ({request.name})")

    def RegisterErrorHook(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refused."""
        return self._unsupported(context, f"error hooks ({request.name})")

    def RegisterPackage(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refused."""
        return self._unsupported(context, f"parameterized packages ({request.name})")

    def ExistsResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refused."""
        return self._unsupported(context, f"existence checks ({request.type} {request.id})")


class Engine(engine_pb2_grpc.EngineServicer):
    """Takes logs of programs and plugins."""

    def __init__(self, run: OperationRun) -> None:
        self._run = run
        self._root = ""

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802
        """One log line; an error line makes the operation fail."""
        severity = _SEVERITIES.get(request.severity, "info")
        # After a failure the SDK says that the monitor has gone: the failure itself says more.
        if self._run.stopped and _TERMINATED in request.message:
            return empty_pb2.Empty()
        if severity == "error":
            self._run.program_errors.append(self._run.masker.text(request.message))
        self._run.log(severity, request.message, request.urn)
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The stack's URN."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Remembers the stack's URN."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Every version is said to fit: the protocol is the installed SDK's own."""
        return engine_pb2.RequirePulumiVersionResponse()

    def StartDebugging(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Nothing to attach to."""
        return empty_pb2.Empty()
