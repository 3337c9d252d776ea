"""A function's process, between being killed and being gone."""

import asyncio
import os

import psutil

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
        worker = Worker(runtime_command("nodejs22.x"), tmp_path, environment)
        await worker.start()
        try:
            assert worker.alive
            outcome = await worker.invoke({}, {"awsRequestId": "1"}, 0.2)
            return outcome, worker.alive
        finally:
            worker.kill()
            while psutil.pid_exists(worker.pid):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)

    outcome, alive = asyncio.run(times_out())
    assert outcome.error["errorType"] == "Sandbox.Timedout"
    assert not alive
