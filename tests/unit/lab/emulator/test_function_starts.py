"""A function whose worker can't be started answers; it doesn't hang."""

import asyncio
import io
import zipfile
from types import SimpleNamespace

import pytest

from lab.clock import Clock
from lab.context import LabContext
from lab.emulator import function_logs, functions
from lab.emulator.functions import Function, Functions
from lab.outage import OutageKind, Outages


def code():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.mjs", "export const handler = async () => 1;")
    return packed.getvalue()


@pytest.mark.parametrize("failure", [OSError("no more processes"), ValueError("no such file")])
def test_a_worker_that_cannot_be_started_is_an_error_of_the_call(tmp_path, monkeypatch, failure):
    """A cold start has no timeout of its own: without an answer the caller would wait for ever."""

    class Unstartable:
        alive = False

        def __init__(self, *_given):
            self.killed = False

        async def start(self):
            raise failure

        def kill(self):
            self.killed = True

    monkeypatch.setattr(functions, "Worker", Unstartable)
    monkeypatch.setattr(function_logs, "write", lambda *_given: None)
    arn = "arn:aws:lambda:us-east-1:000000000000:function:one"
    config = {"FunctionArn": arn, "FunctionName": "one", "Runtime": "python3.12", "Timeout": 1}
    lab = LabContext(tmp_path, 1, "http://127.0.0.1:1", Clock(), Outages(tmp_path))

    async def call():
        running = Functions(lab)
        async with asyncio.timeout(5):
            return [await running.invoke(Function(config, code()), {}) for _ in range(2)]

    for outcome in asyncio.run(call()):
        assert outcome.error is not None
        assert outcome.error["errorType"] == "Runtime.ExitError"
        assert str(failure) in outcome.error["errorMessage"]


def test_a_region_without_compute_runs_nothing(tmp_path):
    """R2.1: its functions are unavailable, before any worker is thought of."""
    outages = Outages(tmp_path)
    outages.begin("us-east-1", [OutageKind.COMPUTE])
    lab = LabContext(tmp_path, 1, "http://127.0.0.1:1", Clock(), outages)
    function = SimpleNamespace(region="us-east-1")
    outcome = asyncio.run(Functions(lab).invoke(function, {}))  # type: ignore[arg-type]
    assert outcome.unavailable
