"""What the programs declare for a configuration: their resources, without engine, lab or cloud.

Runs each real ``__main__.py`` as a dry run under Pulumi's own mock monitor, with every upstream
undeployed, so that ids and endpoints stay unknown and everything that is configured is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import runpy
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import empty_pb2, json_format
from pulumi.runtime import mocks, run_in_stack
from pulumi.runtime import settings as runtime
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto import resource_pb2

from lab.engine.program import settled
from pulumi_protocol.urns import is_provider_type
from tapstack.contracts import LAYERS, UNDEPLOYED_VARIABLE

NOTHING_YET: Mapping[str, Mapping[str, Any]] = {
    "aws:ssm/getParametersByPath:getParametersByPath": {
        name: [] for name in ("arns", "names", "types", "values")
    }
}
"""What provider functions answer before a first deployment."""


@dataclass(frozen=True)
class Declared:
    """One resource that a program would create."""

    layer: str
    type: str
    """``aws:ec2/natGateway:NatGateway``"""
    name: str
    region: str
    inputs: dict[str, Any]
    """In camelCase; unknown values are Pulumi's sentinel, secrets stay wrapped."""


def declared(
    repository: Path, stack: str, config: Mapping[str, str], layers: Iterable[str] = tuple(LAYERS)
) -> list[Declared]:
    """Every custom resource of these layers; raises what a program raises.

    ``config`` is the stack file's, as ``{"namespace:key": text}``.
    """
    return [
        resource for layer in layers for resource in _of_layer(repository, layer, stack, config)
    ]


def _of_layer(
    repository: Path, layer: str, stack: str, config: Mapping[str, str]
) -> list[Declared]:
    monitor = _Monitor(layer)
    directory = repository / layer

    def run() -> None:
        set_all_config(dict(config))
        runtime.configure(
            runtime.Settings(
                project=layer,
                stack=stack,
                monitor=monitor,
                engine=_Engine(),
                dry_run=True,
                organization="organization",
                root_directory=str(directory),
            )
        )
        asyncio.run(_main_of(directory))

    with contextlib.chdir(directory), _undeployed():
        _in_fresh_context(run)
    return monitor.declared


async def _main_of(directory: Path) -> None:
    # Each registration blocks a thread until its answer is there.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(16))

    async def main() -> None:
        runpy.run_path(str(directory), run_name="__main__")
        await settled()

    await run_in_stack(main)


@contextlib.contextmanager
def _undeployed() -> Any:
    before = os.environ.get(UNDEPLOYED_VARIABLE)
    os.environ[UNDEPLOYED_VARIABLE] = ",".join(LAYERS)
    try:
        yield
    finally:
        os.environ.pop(UNDEPLOYED_VARIABLE)
        if before is not None:
            os.environ[UNDEPLOYED_VARIABLE] = before


def _in_fresh_context(run: Callable[[], None]) -> None:
    """Pulumi keeps its state in context variables: a context of its own isolates each run."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            contextvars.Context().run(run)
        except BaseException as error:  # handed to the caller's thread
            raised.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


class _Engine(mocks.MockEngine):
    """Keeps the programs' own words to itself; a failure comes as an exception anyway."""

    def __init__(self) -> None:
        super().__init__(None)

    def Log(self, request: Any) -> Any:  # noqa: N802 (gRPC's name)
        return empty_pb2.Empty()


class _Monitor(mocks.MockMonitor):
    def __init__(self, layer: str) -> None:
        # This monitor answers by itself; the mocks are never asked.
        super().__init__(None)  # type: ignore[arg-type]
        self.layer = layer
        self.lock = threading.Lock()
        self.regions: dict[str, str] = {}
        """Region of each provider, by its URN."""
        self.declared: list[Declared] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        urn = self.make_urn(request.parent, request.type, request.name)
        inputs = json_format.MessageToDict(request.object)
        with self.lock:
            if is_provider_type(request.type):
                self.regions[urn] = inputs["region"]
            elif request.custom:
                region = self.regions[request.provider.rpartition("::")[0]]
                self.declared.append(
                    Declared(self.layer, request.type, request.name, region, inputs)
                )
        return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        answer = resource_pb2.ResourceInvokeResponse()
        if request.tok in NOTHING_YET:
            json_format.ParseDict(dict(NOTHING_YET[request.tok]), getattr(answer, "return"))
        else:
            # What a provider function would say is unknown without a cloud.
            answer.unknown = True
        return answer
