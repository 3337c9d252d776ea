"""The lab's process: ``python -m lab.server --state-dir DIR --port N [--clock F]``.

One event loop holds the emulator, the parts and the control API, on 127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import logging
import os
import resource
import secrets
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import psutil

from lab.application import Application
from lab.clock import Clock, keep, kept
from lab.collecting import collect_rarely, collect_regularly
from lab.context import LabContext
from lab.control import Control
from lab.emulator.emulator import Emulator
from lab.errors import LabError
from lab.http_server import HOST, Limits, listen, serve
from lab.outage import Outages
from lab.parts import PARTS
from lab.supervisor import Supervisor
from pulumi_protocol.files import write_atomically

LIMITS = Limits(idle_seconds=180.0, connections=10_000)
"""AWS's clients keep connections for later calls."""
MOST_DESCRIPTORS = 65_536
logger = logging.getLogger("lab")


def main(arguments: list[str] | None = None) -> int:
    """Runs the lab until a signal stops it; exit code 1 with one line when it can't start."""
    parser = argparse.ArgumentParser(prog="python -m lab.server", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True, help="0 takes any free port")
    parser.add_argument("--clock", type=float, default=1.0, help="lab seconds in a real second")
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=os.environ.get("LAB_LOG_LEVEL", "WARNING"),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    raise_descriptor_limit()
    # What the emulator and the functions write beside our own files holds secrets, too.
    os.umask(0o077)
    try:
        asyncio.run(run(options.state_dir.absolute(), options.port, options.clock))
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def run(state_dir: Path, port: int, clock: float) -> None:
    """Holds the state directory and the port, starts the emulator and the parts, serves, stops."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _hold(state_dir), _listen(port) as listener:
        port = listener.getsockname()[1]
        lab_clock = Clock(clock, resume_at=kept(state_dir))
        prepare_environment(state_dir, port)
        context = LabContext(
            state_dir=state_dir,
            port=port,
            endpoint=f"http://{HOST}:{port}",
            clock=lab_clock,
            outages=Outages(state_dir, lab_clock.now),
            internal_token=secrets.token_hex(16),
        )
        stop = asyncio.Event()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
        parts = [part(context) for part in PARTS]
        for part in parts:
            part.preflight()
        supervisor = Supervisor(context, parts)
        emulator = Emulator(context)
        control = Control(context, emulator, supervisor)
        application = Application(control, emulator)
        context.answering = application.answer
        await emulator.start()
        try:
            server = asyncio.create_task(serve(application, listener, stop, LIMITS))
            _write_record(context, clock)
            await supervisor.start()
            collect_rarely()
            beside = (
                asyncio.create_task(control.follow()),
                asyncio.create_task(collect_regularly()),
            )
            try:
                await stop.wait()
            finally:
                for task in beside:
                    task.cancel()
                await supervisor.stop()
                stop.set()
                await server
        finally:
            await emulator.stop()
            keep(state_dir, lab_clock)
            (state_dir / "lab.json").unlink(missing_ok=True)


def raise_descriptor_limit() -> None:
    """Takes as many descriptors as the system allows, within reason: shells give 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        logger.warning("the limit of %d descriptors can't be raised: %s", soft, error)


def prepare_environment(state_dir: Path, port: int) -> None:
    """What the emulator's modules read when they are imported, which is only done inside functions
    and so after this; all its files go below ``state_dir``, and
    nothing of the user's AWS account or proxies reaches it."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    temporary = state_dir / "tmp"
    temporary.mkdir(mode=0o700, exist_ok=True)
    os.environ |= {
        "TMPDIR": str(temporary),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": "localhost",
        "GATEWAY_PORT": str(port),
        "STATE_DIR": str(state_dir / "emulator"),
        "S3_DATA_DIR": str(state_dir / "objects"),
        "PERSIST_STATE": "1",
        "S3_PERSIST": "1",
        # Without these two the emulator opens 0.0.0.0:8883 and an SFTP port.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_AUTOCREATE_AWS_MANAGED": "1",
        "LAMBDA_EXECUTOR": "local",
        "LOG_LEVEL": os.environ.get("LAB_LOG_LEVEL", "WARNING"),
        # The parts' own AWS clients pass their credentials; nothing else may be found.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _listen(port: int) -> socket.socket:
    try:
        return listen(port)
    except OSError as error:
        raise LabError(
            f"the lab can't listen on {HOST}:{port} ({error.strerror}): stop what holds the port "
            f"or choose another one"
        ) from None


def _hold(state_dir: Path) -> Any:
    """One process a state directory: an advisory lock that ends with the process."""
    lock = (state_dir / "lab.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise LabError(f"another lab already runs with the state in {state_dir}") from None
    return lock


def _write_record(context: LabContext, clock: float) -> None:
    """``lab.json``: how to find and command this process. Its token is what the control API
    asks for, so that no web page can stop the lab."""
    record = {
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "endpoint": context.endpoint,
        "port": context.port,
        "clock": clock,
        "token": context.internal_token,
    }
    path = context.state_dir / "lab.json"
    write_atomically(path, json.dumps(record))


if __name__ == "__main__":
    raise SystemExit(main())
