"""Functions share their workers fairly: who waits, who gives up, what is stopped."""

from __future__ import annotations

import asyncio
import io
import time
import zipfile
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from lab.clock import Clock
from lab.context import LabContext
from lab.emulator import function_logs, functions
from lab.emulator.functions import Function, Functions
from lab.emulator.worker import Outcome, WorkerDied
from lab.outage import Outages

ARN = "arn:aws:lambda:us-east-1:000000000000:function:one"


class FakeWorker:
    """Runs until ``gate`` is set; starts in ``slow`` seconds; ``dies`` at its start."""

    made: ClassVar[list[FakeWorker]]
    gate: asyncio.Event
    slow = 0.0
    dies = False

    def __init__(self, _command: Any, _code: Any, environment: dict[str, str]) -> None:
        self.environment, self.alive, self.idle_since = environment, True, time.monotonic()
        self.made.append(self)

    async def start(self) -> None:
        await asyncio.sleep(self.slow)
        if self.dies:
            raise WorkerDied({"errorType": "E", "errorMessage": "no handler"}, ["line"])

    async def invoke(self, *_given: Any) -> Outcome:
        await self.gate.wait()
        return Outcome(result="done")

    def kill(self) -> None:
        self.alive = False


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> type[FakeWorker]:
    """The class that takes the place of a function's processes."""

    class Own(FakeWorker):
        made: ClassVar[list[FakeWorker]] = []

    monkeypatch.setattr(functions, "Worker", Own)
    monkeypatch.setattr(functions, "MOST_WORKERS", 1)
    monkeypatch.setattr(function_logs, "write", lambda *_given: None)
    return Own


def function(timeout: float = 5, **changed: Any) -> Function:
    """A function of Python."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", "")
    config = {"FunctionArn": ARN, "FunctionName": "one", "Runtime": "python3.12"}
    return Function(config | {"Timeout": timeout} | changed, packed.getvalue())


def run(tmp_path: Any, workers: type[FakeWorker], scenario: Any) -> Any:
    """The scenario's result, within half a minute."""
    lab = LabContext(tmp_path, 1, "http://127.0.0.1:1", Clock(), Outages(tmp_path))

    async def all_of_it() -> Any:
        workers.gate = asyncio.Event()
        running = Functions(lab)
        async with asyncio.timeout(30):
            try:
                return await scenario(running)
            finally:
                await running.stop()

    return asyncio.run(all_of_it())


async def until(holds: Callable[[], object]) -> None:
    """Waits until it holds; the scenario's timeout ends it otherwise."""
    while not holds():
        await asyncio.sleep(0.001)


async def busy(running: Functions, calls: int) -> tuple[functions._Pool, list[Any]]:
    """The function's pool and calls of it: the first runs, the others wait."""
    started = [asyncio.create_task(running.invoke(function(), {}))]
    await until(lambda: running._pools)
    pool = running._pool(function())
    await until(lambda: pool.workers and not pool.idle and not pool.waiting)
    started += [asyncio.create_task(running.invoke(function(), {})) for _ in range(calls - 1)]
    await until(lambda: len(pool.waiting) == calls - 1)
    return pool, started


def test_a_caller_that_leaves_frees_no_worker_before_its_function_has_ended(tmp_path, workers):
    """As on AWS the function runs to its end; its answer is nobody's, least of all the answer to
    the next event, which waits for the worker."""

    async def scenario(running: Functions) -> tuple[bool, bool, Outcome]:
        pool, (first,) = await busy(running, 1)
        await until(lambda: workers.gate._waiters)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        second = asyncio.create_task(running.invoke(function(), {}))
        await until(lambda: pool.waiting)
        idle, waits = bool(pool.idle), not second.done()
        workers.gate.set()
        return idle, waits, await second

    idle, waits, outcome = run(tmp_path, workers, scenario)
    assert (idle, waits, outcome.result) == (False, True, "done")
    assert len(workers.made) == 1


def test_who_waits_longer_than_its_timeout_is_throttled(tmp_path, workers):
    """R2.4: TooManyRequestsException, and the one that ran is none the worse."""

    async def scenario(running: Functions) -> tuple[Outcome, Outcome]:
        _, (first,) = await busy(running, 1)
        second = await running.invoke(function(timeout=0.05), {})
        workers.gate.set()
        return await first, second

    first, second = run(tmp_path, workers, scenario)
    assert first.result == "done"
    assert second.throttled
    assert len(workers.made) == 1


def test_a_region_that_stops_answers_who_waits(tmp_path, workers):
    """R2.1: nobody hangs; another region's functions continue."""

    async def scenario(running: Functions) -> list[Outcome]:
        _, calls = await busy(running, 2)
        running.stop_region("us-west-2")
        assert workers.made[0].alive
        running.stop_region("us-east-1")
        workers.gate.set()
        return await asyncio.gather(*calls)

    outcomes = run(tmp_path, workers, scenario)
    assert [outcome.unavailable for outcome in outcomes] == [False, True]
    assert not workers.made[0].alive


def test_a_caller_that_leaves_gives_its_worker_on(tmp_path, workers):
    """A cancelled call is cancelled, whenever it comes; the worker serves the next one."""

    async def scenario(running: Functions) -> Outcome:
        pool, (first, leaving) = await busy(running, 2)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        workers.gate.set()
        await first
        # One that leaves in the moment it is given the worker passes it on.
        worker = pool.idle.pop()
        given = asyncio.create_task(running._worker(pool, 5))
        await until(lambda: pool.waiting)
        pool.give(worker)
        given.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given
        assert pool.idle == [worker]
        return await running.invoke(function(), {})

    assert run(tmp_path, workers, scenario).result == "done"
    assert len(workers.made) == 1


def test_a_caller_that_leaves_a_running_call_leaves_its_answer_to_nobody(tmp_path, workers):
    """A health check whose time is over must not shift the answers of all that come after it: the
    worker is busy until the call that was left has ended."""
    answers, begun = iter(("left", "own")), []

    async def invoke(_worker: Any, *_given: Any) -> Outcome:
        begun.append(1)
        await workers.gate.wait()
        return Outcome(result=next(answers))

    workers.invoke = invoke

    async def scenario(running: Functions) -> Outcome:
        pool, (leaving,) = await busy(running, 1)
        await until(lambda: begun)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert pool.idle == []
        following = asyncio.create_task(running.invoke(function(), {}))
        await until(lambda: pool.waiting)
        workers.gate.set()
        return await following

    assert run(tmp_path, workers, scenario).result == "own"


def test_a_worker_that_ended_while_idle_is_replaced(tmp_path, workers):
    """Its process may be killed from outside."""

    async def scenario(running: Functions) -> Outcome:
        workers.gate.set()
        await running.invoke(function(), {})
        workers.made[0].alive = False
        return await running.invoke(function(), {})

    assert run(tmp_path, workers, scenario).result == "done"
    assert len(workers.made) == 2


def test_a_changed_function_gets_new_workers(tmp_path, workers):
    """Another environment is another process; what the lab's parts add is in it."""

    async def scenario(running: Functions) -> None:
        workers.gate.set()
        running.lab.function_environment(lambda region, name: {"PART": f"{region}/{name}"})
        await running.invoke(function(), {})
        await running.invoke(function(Environment={"Variables": {"A": "1"}}), {})

    run(tmp_path, workers, scenario)
    first, second = workers.made
    assert (first.alive, second.environment["A"]) == (False, "1")
    assert first.environment["PART"] == "us-east-1/one"


def test_a_start_that_fails_fails_who_still_waits(tmp_path, workers):
    """A caller that left before is passed over; without any, nothing happens."""
    workers.slow, workers.dies = 0.1, True

    async def scenario(running: Functions) -> Outcome:
        left = asyncio.create_task(running.invoke(function(), {}))
        await until(lambda: running._pools)
        pool = running._pool(function())
        await until(lambda: pool.waiting)
        pool.waiting[0].cancel()
        assert (await left).unavailable
        outcome = await running.invoke(function(), {})
        running._start_one(pool)
        await asyncio.gather(*running._background)
        assert (pool.starting, pool.workers) == (0, [])
        return outcome

    outcome = run(tmp_path, workers, scenario)
    assert outcome.error is not None
    assert (outcome.error["errorMessage"], outcome.log) == ("no handler", ["line"])


def test_a_start_that_fails_fails_all_who_wait_where_no_worker_lives(tmp_path, workers):
    """A broken handler under load: on AWS each request fails with a cold start of its own, and none
    waits for those before it."""
    workers.slow, workers.dies = 0.2, True

    async def scenario(running: Functions) -> list[Outcome]:
        calls = [asyncio.create_task(running.invoke(function(), {})) for _ in range(5)]
        await until(lambda: running._pools)
        await until(lambda: len(running._pool(function()).waiting) == 5)
        return await asyncio.gather(*calls)

    outcomes = run(tmp_path, workers, scenario)
    assert [outcome.error["errorMessage"] for outcome in outcomes] == ["no handler"] * 5
    assert len(workers.made) == 1


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (function(Runtime="ruby3.3"), "not ruby3.3"),
        (Function(function().config, b"no archive"), "not a zip file"),
    ],
    ids=["runtime", "code"],
)
def test_code_that_cannot_be_run_is_an_error_of_the_call(tmp_path, workers, broken, said):
    """N3: Runtime.ImportModuleError, with why."""
    outcome = run(tmp_path, workers, lambda running: running.invoke(broken, {}))
    assert outcome.error is not None
    assert outcome.error["errorType"] == "Runtime.ImportModuleError"
    assert said in outcome.error["errorMessage"]


@pytest.mark.parametrize(("runtime", "lasts"), [("python3.12", 90), ("nodejs22.x", 600)])
def test_idle_workers_end_and_the_last_one_later(tmp_path, workers, monkeypatch, runtime, lasts):
    """A lab that idles gives its memory back, Python's workers first; a function without workers is
    forgotten."""
    sleep = asyncio.sleep
    monkeypatch.setattr(functions, "_end_orphans", lambda _directory: None)

    async def scenario(running: Functions) -> list[bool]:
        workers.gate.set()
        await running.invoke(function(Runtime=runtime), {})
        (_, pool), last = next(iter(running._pools.values())), workers.made[0]
        other = workers(None, None, {})
        pool.workers.append(other)
        pool.give(other)
        monkeypatch.setattr(functions.asyncio, "sleep", lambda _seconds: sleep(0.01))
        other.idle_since -= functions.IDLE_SECONDS + 1
        last.idle_since -= functions.IDLE_SECONDS - 1
        await running.start()
        while other.alive:
            await sleep(0.01)
        alive = [last.alive, other.alive]
        last.idle_since -= lasts
        while running._pools:
            await sleep(0.01)
        return [*alive, last.alive]

    assert run(tmp_path, workers, scenario) == [True, False, False]


def test_orphans_of_a_killed_lab_are_ended(tmp_path, monkeypatch):
    """Their code lies in the lab's directory; nobody else's process is touched."""
    killed = []

    class Process:
        """As psutil lists it."""

        def __init__(self, pid: int, cwd: str | None) -> None:
            self.pid, self.info = pid, {"cwd": cwd}

        def kill(self) -> None:
            killed.append(self.pid)

    found = [
        Process(1, None),
        Process(2, str(tmp_path)),
        Process(3, f"{tmp_path}/us-east-1/one"),
        Process(4, f"{tmp_path}-other/x"),
        Process(functions.os.getpid(), f"{tmp_path}/x"),
    ]
    monkeypatch.setattr(functions.psutil, "process_iter", lambda _fields: found)
    functions._end_orphans(tmp_path)
    assert killed == [3]
