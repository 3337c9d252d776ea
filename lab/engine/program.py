"""Runs Pulumi programs for the embedded engine; started as a file (``python -P program.py``).

Importing the SDK and a provider's package takes longer than most programs do. So one process, the
runner, imports them once and forks for each program. It does nothing else: a process with threads
or with open gRPC channels can't be forked safely.

The first argument is the descriptor of a socket, the others are names that programs will use
(``pulumi_aws.ec2.Vpc``), imported one after the other while nothing is asked. Messages are JSON
lines: ``{"cwd", "environment", "names"}`` asks for a program, for which these names are imported
before it begins, and brings the descriptors of its standard input, output and error; ``{"pid"}``
answers that it runs, ``{"pid", "code"}`` that it has ended. The end of the socket ends the runner.

A program gets its settings as one JSON line on its standard input, which then stays open: its end
means that the engine is gone, and the program goes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from lab.collecting import collect_rarely

_SHOWN_ERROR = 32  # Pulumi's exit code for a failure that was logged already
_MESSAGE_BYTES = 1 << 16

# The runner


def main(descriptor: int, names: list[str]) -> int:
    """Serves requests until the socket ends; in a fork, returns the program's exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one at the terminal is the engine's to deal with
    ended, waking = socket.socketpair()
    for end in (ended, waking):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, _wake)
    signal.set_wakeup_fd(waking.fileno())
    engine = socket.socket(fileno=descriptor)
    with selectors.DefaultSelector() as selector:
        selector.register(engine, selectors.EVENT_READ)
        selector.register(ended, selectors.EVENT_READ)
        while True:
            ready = selector.select(0 if names else None)
            if not ready:
                _load(names.pop(0))
            for key, _ in ready:
                if key.fileobj is ended:
                    ended.recv(_MESSAGE_BYTES)
                    _report_ended(engine)
                    continue
                request, streams = _receive(engine)
                if request is None:
                    return 0
                for name in request["names"]:
                    _load(name)
                collect_rarely()
                pid = os.fork()
                if pid == 0:
                    engine.close()
                    _become(request, streams)
                    return run()
                for stream in streams:
                    os.close(stream)
                _send(engine, {"pid": pid})


def _load(name: str) -> None:
    # What can't be imported is left to the program that wants it, which says so.
    with contextlib.suppress(Exception):
        pkgutil.resolve_name(name)


def _wake(*_: Any) -> None:
    """Lets the signal write to the wakeup descriptor."""


def _receive(engine: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    data, streams = b"", []
    while not data.endswith(b"\n"):
        more, descriptors, _, _ = socket.recv_fds(engine, _MESSAGE_BYTES, 3)
        if not more:
            return None, []
        data, streams = data + more, streams + descriptors
    return json.loads(data), streams


def _send(engine: socket.socket, message: dict[str, int]) -> None:
    with contextlib.suppress(OSError):  # the engine is gone, and reading says so
        engine.sendall(json.dumps(message).encode() + b"\n")


def _report_ended(engine: socket.socket) -> None:
    pid = -1
    while pid:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid:
            _send(engine, {"pid": pid, "code": os.waitstatus_to_exitcode(status)})


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Makes the fork a process of its own: session, signals, streams, folder, environment."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])


# The program


def run() -> int:
    """Runs the program in the current directory; returns the exit code of Pulumi's own runner."""
    line = sys.stdin.buffer.readline()
    if not line:
        return 1
    settings: dict[str, Any] = json.loads(line)
    threading.Thread(target=_leave_with_the_engine, daemon=True).start()
    directory = Path.cwd()
    # As Pulumi runs it: the project's own folder first, where its modules are imported flat.
    sys.path.insert(0, str(directory))
    sys.argv = [str(directory)]
    return _run(directory, settings)


def _leave_with_the_engine() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing more is sent: only the end can end this
    os._exit(1)


def _run(directory: Path, settings: dict[str, Any]) -> int:
    import pulumi
    from pulumi import runtime

    runtime.set_all_config(settings.pop("config"), settings.pop("secret_keys"))
    runtime.configure(runtime.Settings(**settings))
    # Each call of the program's blocks one thread; the default of a few would serialise them.
    executor = ThreadPoolExecutor(max_workers=max(settings["parallel"], 1) * 4)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(executor)
    # The SDK sends a dozen debug lines a resource, each a call that waits for its answer.
    pulumi.log.debug = _silent
    # A graph that ends early leaves futures behind that asyncio would complain about.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    async def program() -> None:
        runpy.run_path(str(directory), run_name="__main__")
        await settled()

    unawaited = Unawaited()
    try:
        loop.run_until_complete(runtime.run_in_stack(program))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        code = 1
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException as error:
        pulumi.log.error(_described(error, directory))
        code = _SHOWN_ERROR
    else:
        code = 0
        unawaited.show()
    return code


class Unawaited:
    """Holds back the warnings of coroutines that nobody has awaited until the program has ended
    well. A graph that ends early always leaves some behind: they say nothing of the program."""

    def __init__(self) -> None:
        self._held: list[tuple[Any, ...]] = []
        self._shown = warnings.showwarning
        warnings.showwarning = self._take

    def show(self) -> None:
        """Shows what was held back, and everything later at once."""
        warnings.showwarning = self._shown
        for held in self._held:
            self._shown(*held)

    def _take(self, message: Warning | str, category: type[Warning], *where: Any) -> None:
        if category is RuntimeWarning and str(message).endswith("was never awaited"):
            self._held.append((message, category, *where))
        else:
            self._shown(message, category, *where)


async def settled() -> None:
    """Waits until all calls and outputs that the program began have ended, or one has failed.

    The SDK's own waiting (``wait_for_rpcs``) registers everything outstanding anew at each
    wake-up: the square of a program's resources. Here each is registered once; what is left to
    the SDK is to look that nothing is left, and to raise what a call failed with.
    """
    from pulumi.runtime import settings as sdk

    calls, kept = sdk._get_rpc_manager(), cast(Any, sdk.SETTINGS)
    known: set[asyncio.Future[Any]] = set()
    outstanding = 0
    failed: list[asyncio.Future[Any]] = []
    changed = asyncio.Event()

    def end(future: asyncio.Future[Any]) -> None:
        nonlocal outstanding
        outstanding -= 1
        if not future.cancelled() and future.exception() is not None:
            failed.append(future)
        if failed or not outstanding:
            changed.set()

    while not failed and calls.unhandled_exception is None:
        with kept.lock:
            begun = {*calls.rpcs, *kept.outputs} - known
        if not begun and not outstanding:
            return
        known |= begun
        outstanding += len(begun)
        for future in begun:
            future.add_done_callback(end)
        changed.clear()
        await changed.wait()
    for future in failed:
        await future


def _silent(*_: Any, **__: Any) -> None:
    """In place of ``pulumi.log.debug``."""


def _described(error: BaseException, directory: Path) -> str:
    """The exception in one line, with the place in the project where it was raised."""
    text = " ".join(str(error).split()) or type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(directory)]
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {text}"
    place = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {text}{place}"


if __name__ == "__main__":
    exit_code = main(int(sys.argv[1]), sys.argv[2:])
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: threads of gRPC and of half-run programs have nothing left to do.
    os._exit(exit_code)
