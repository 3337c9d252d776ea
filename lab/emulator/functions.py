"""Runs the deployed Lambda functions: at most eight workers each, first come, first served.

Takes the place of the emulator's own local runtime, which has one worker a function, stubs the AWS
SDK and drops what a handler's error says. Functions' timeouts run in real seconds, at whatever
clock, because their code does.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import shutil
import time
import uuid
import zipfile
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from lab.context import LabContext
from lab.emulator import embedded_metrics, function_logs
from lab.emulator.concurrency import Concurrency, throttled
from lab.emulator.worker import Outcome, Worker, WorkerDied, runtime_command
from lab.facts import Invocation
from lab.outage import SLOW_SECONDS, Mode, OutageKind

MOST_WORKERS = 8
PATIENCE_SECONDS = 0.015
"""How long an event waits for a busy worker before another one is started: starting costs more
than that, in time and in memory."""
IDLE_SECONDS = 60.0
"""A worker idle for so long ends, unless it is its function's last one."""
LAST_IDLE_SECONDS = {"nodejs": 600.0, "python": 90.0}
"""How long the last one stays, by runtime: a Python worker holds the AWS SDK in 80 MB, and those on
a schedule of some minutes would hold it for nothing."""


@dataclass
class Function:
    """A version of a function as the emulator holds it."""

    config: Mapping[str, Any]
    code: bytes
    qualifier: str = ""
    """The alias or version by which it is called; empty for none."""

    @property
    def arn(self) -> str:
        """arn:aws:lambda:REGION:ACCOUNT:function:NAME, whatever the version."""
        return ":".join(str(self.config["FunctionArn"]).split(":")[:7])

    @property
    def called_arn(self) -> str:
        """The ARN by which it is called: what policies and settings are about."""
        return f"{self.arn}:{self.qualifier}" if self.qualifier else self.arn

    @property
    def version(self) -> str:
        """The number of the published version, or $LATEST."""
        return str(self.config.get("Version") or "$LATEST")

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.config["FunctionName"])

    @property
    def region(self) -> str:
        """Its region."""
        return self.arn.split(":")[3]

    @property
    def key(self) -> tuple[str, str, str]:
        """Its account, region and name, whatever the version: as its concurrency counts."""
        return (self.arn.split(":")[4], self.region, self.name)

    @property
    def timeout(self) -> float:
        """Seconds."""
        return float(self.config.get("Timeout") or 3)


@dataclass
class _Pool:
    function: Function
    code: Path
    environment: dict[str, str]
    stream: str = ""
    workers: list[Worker] = field(default_factory=list)
    idle: list[Worker] = field(default_factory=list)
    waiting: deque[asyncio.Future[Worker]] = field(default_factory=deque)
    starting: int = 0
    closed: bool = False

    @property
    def size(self) -> int:
        return len(self.workers) + self.starting

    def give(self, worker: Worker) -> None:
        """Hands a free worker to who waits longest."""
        if self.closed or not worker.alive:
            worker.kill()
            if worker in self.workers:
                self.workers.remove(worker)
            return
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_result(worker)
                return
        self.idle.append(worker)

    def close(self) -> None:
        """Ends all workers; those that wait are cancelled."""
        self.closed = True
        for worker in self.workers:
            worker.kill()
        self.workers.clear()
        self.idle.clear()
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.cancel()


class Functions:
    """All functions' workers."""

    def __init__(self, lab: LabContext) -> None:
        self.lab = lab
        self.directory = lab.state_dir / "functions"
        self.concurrency = Concurrency(lab.faults)
        self._pools: dict[str, tuple[str, _Pool]] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Ends what a killed lab left running, and keeps house from now on."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _end_orphans(self.directory)
        self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Ends all workers."""
        if self._sweeper:
            self._sweeper.cancel()
        for _, pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def stop_region(self, region: str) -> None:
        """Ends a region's workers."""
        for key, (_, pool) in list(self._pools.items()):
            if pool.function.region == region:
                pool.close()
                del self._pools[key]

    async def invoke(self, function: Function, event: Any, request_id: str = "") -> Outcome:
        """Runs a function once; never raises for what the function does."""
        await self.lab.hold(function.region, OutageKind.COMPUTE)
        mode = self.lab.outages.mode(function.region, OutageKind.COMPUTE)
        if mode is Mode.SLOW:
            await self.lab.clock.sleep(SLOW_SECONDS)
        elif mode:
            error = {
                "errorType": "ServiceUnavailable",
                "errorMessage": f"Lambda in {function.region} is unavailable",
            }
            return Outcome(error=error, unavailable=True)
        concurrent = self.concurrency.count(function.key)
        if reason := self.concurrency.refusal(function.key):
            outcome = throttled(reason)
            self._emit(function, outcome, concurrent)
            return outcome
        request_id = request_id or str(uuid.uuid4())
        try:
            pool = self._pool(function)
        except (ValueError, zipfile.BadZipFile) as error:
            return Outcome(
                error={"errorType": "Runtime.ImportModuleError", "errorMessage": str(error)}
            )
        except OSError as error:
            return Outcome(
                error={
                    "errorType": "Runtime.ExitError",
                    "errorMessage": f"The code could not be unpacked: {error.strerror}",
                }
            )
        outcome = await self._run(pool, function, event, request_id)
        outcome.milliseconds = max(outcome.milliseconds, 0.01)
        function_logs.write(function.config, request_id, pool.stream, outcome, self.lab.clock.now())
        for metric in embedded_metrics.of_lines(function.region, outcome.log):
            self.lab.emit(metric)
        self._emit(function, outcome, concurrent + 1)
        return outcome

    def _emit(self, function: Function, outcome: Outcome, concurrent: int) -> None:
        self.lab.emit(
            Invocation(
                region=function.region,
                function_name=function.name,
                error=outcome.error is not None and not outcome.throttled,
                throttled=outcome.throttled,
                seconds=outcome.milliseconds / 1000,
                concurrent=concurrent,
            )
        )

    async def _run(self, pool: _Pool, function: Function, event: Any, request_id: str) -> Outcome:
        try:
            with ExitStack() as counted:
                counted.enter_context(self.concurrency.running(function.key))
                worker = await self._worker(pool, function.timeout)
                until_its_end = counted.pop_all()
        except TimeoutError:
            return throttled("ConcurrentInvocationLimitExceeded")
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            error = {"errorType": "ServiceUnavailable", "errorMessage": "The function was stopped"}
            return Outcome(error=error, unavailable=True)
        except WorkerDied as died:
            return Outcome(error=died.error, log=died.log)
        # Who doesn't wait for the end, as a health check whose time is over, doesn't end it: else
        # the worker's next caller would get this one's answer.
        use = self._use(until_its_end, pool, worker, function, event, request_id)
        run = asyncio.create_task(use)
        self._background.add(run)
        run.add_done_callback(self._background.discard)
        return await asyncio.shield(run)

    async def _use(
        self,
        counted: ExitStack,
        pool: _Pool,
        worker: Worker,
        function: Function,
        event: Any,
        request_id: str,
    ) -> Outcome:
        context = self._context(pool, function, request_id)
        with counted:
            try:
                return await worker.invoke(event, context, function.timeout)
            finally:
                pool.give(worker)

    async def _worker(self, pool: _Pool, timeout: float) -> Worker:
        while pool.idle:
            worker = pool.idle.pop()
            if worker.alive:
                return worker
            pool.workers.remove(worker)
        waiter: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        pool.waiting.append(waiter)
        if pool.size == 0:
            self._start_one(pool)
        try:
            return await self._wait(pool, waiter, time.monotonic() + timeout)
        except BaseException:
            # A worker given to who no longer waits passes to the next.
            if waiter.done() and not waiter.cancelled() and not waiter.exception():
                pool.give(waiter.result())
            waiter.cancel()
            raise

    async def _wait(self, pool: _Pool, waiter: asyncio.Future[Worker], deadline: float) -> Worker:
        while True:
            # A cold start doesn't count: Lambda's timeout begins with the handler.
            cold = pool.starting > 0 and not pool.workers
            if time.monotonic() > deadline and not waiter.done() and not cold:
                pool.waiting.remove(waiter)
                raise TimeoutError
            done, _ = await asyncio.wait({waiter}, timeout=PATIENCE_SECONDS)
            if done:
                return waiter.result()
            if pool.size < MOST_WORKERS and not pool.starting:
                self._start_one(pool)

    def _start_one(self, pool: _Pool) -> None:
        pool.starting += 1
        task = asyncio.create_task(self._start(pool))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _start(self, pool: _Pool) -> None:
        config = pool.function.config
        worker = Worker(runtime_command(config["Runtime"]), pool.code, pool.environment)
        try:
            await worker.start()
        except (WorkerDied, OSError, ValueError) as failure:
            # Not only Lambda's errors: a machine without memory or files to spare can't start it.
            died = (
                failure
                if isinstance(failure, WorkerDied)
                else WorkerDied(_not_started(failure), [])
            )
            worker.kill()
            pool.starting -= 1
            # A handler that can't be loaded fails who waits, as a cold start does: all of them
            # where no worker lives, since each one's own would fail as well.
            while pool.waiting:
                waiter = pool.waiting.popleft()
                if not waiter.done():
                    waiter.set_exception(died)
                    if pool.workers:
                        break
            return
        pool.starting -= 1
        pool.workers.append(worker)
        pool.give(worker)

    def _pool(self, function: Function) -> _Pool:
        config = function.config
        environment = self._environment(function)
        key = f"{function.arn}:{function.version}"
        known = self._pools.get(key)
        # The very same bytes as at the last call: hashing them takes longer than a small handler.
        if known and known[1].function.code is function.code:
            code_hash = known[1].code.name
        else:
            code_hash = hashlib.sha256(function.code).hexdigest()[:32]
        version = repr(
            (code_hash, config.get("Handler"), config.get("Runtime"), sorted(environment.items()))
        )
        if known and known[0] == version:
            known[1].function = function
            return known[1]
        runtime_command(str(config.get("Runtime", "")))
        if known:
            known[1].close()
        code = self._unpack(function, code_hash)
        pool = _Pool(function, code, environment | {"LAMBDA_TASK_ROOT": str(code)})
        pool.stream = function_logs.stream_name(function.version)
        pool.environment["AWS_LAMBDA_LOG_STREAM_NAME"] = pool.stream
        self._pools[key] = (version, pool)
        return pool

    def _unpack(self, function: Function, code_hash: str) -> Path:
        # Names of an older state were not checked: no name leads out of the folder.
        name = quote(function.name, safe="").replace(".", "%2E")
        folder = self.directory / function.region / name
        code = folder / code_hash
        if not code.exists():
            partial = folder / f"{code_hash}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            with zipfile.ZipFile(io.BytesIO(function.code)) as archive:
                archive.extractall(partial)
            partial.rename(code)
        return code

    def _environment(self, function: Function) -> dict[str, str]:
        config = function.config
        logging = config.get("LoggingConfig") or {}
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108 - the lab sets its own
            "_HANDLER": str(config.get("Handler", "")),
            "_LAB_LOG_FORMAT": str(logging.get("LogFormat", "Text")),
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', '')}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": function_logs.group_name(config),
            "AWS_ACCESS_KEY_ID": principal_key(str(config.get("Role", ""))),
            "AWS_SECRET_ACCESS_KEY": "lab",
            "AWS_SESSION_TOKEN": "lab",
            "AWS_ENDPOINT_URL": self.lab.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        environment |= (config.get("Environment") or {}).get("Variables") or {}
        for provider in self.lab.function_environments:
            environment |= provider(function.region, function.name)
        return environment

    def _context(self, pool: _Pool, function: Function, request_id: str) -> dict[str, Any]:
        return {
            "functionName": function.name,
            "functionVersion": function.version,
            "invokedFunctionArn": function.called_arn,
            "memoryLimitInMB": str(function.config.get("MemorySize", 128)),
            "awsRequestId": request_id,
            "logGroupName": function_logs.group_name(function.config),
            "logStreamName": pool.stream,
        }

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(5)
            now = time.monotonic()
            for key, (_, pool) in list(self._pools.items()):
                for worker in sorted(pool.idle, key=lambda worker: worker.idle_since):
                    last = len(pool.workers) <= 1
                    allowed = _last_idle(pool.function) if last else IDLE_SECONDS
                    if now - worker.idle_since > allowed:
                        pool.idle.remove(worker)
                        pool.workers.remove(worker)
                        worker.kill()
                if not pool.workers and not pool.starting and not pool.waiting:
                    del self._pools[key]


def _last_idle(function: Function) -> float:
    runtime = str(function.config["Runtime"])
    return next(seconds for name, seconds in LAST_IDLE_SECONDS.items() if runtime.startswith(name))


def _not_started(error: Exception) -> dict[str, Any]:
    return {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"The runtime could not be started: {error}",
    }


def principal_key(role_arn: str) -> str:
    """The access key id that a function of this role signs with: it identifies the role."""
    return "ASIA" + hashlib.sha256(role_arn.encode()).hexdigest()[:16].upper()


def _end_orphans(directory: Path) -> None:
    """Workers of a lab that was killed: their code lies in our directory."""
    for process in psutil.process_iter(["cwd"]):
        folder = process.info["cwd"] or ""
        if folder.startswith(f"{directory}{os.sep}") and process.pid != os.getpid():
            process.kill()
