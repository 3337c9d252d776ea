"""Runs one Pulumi program for the embedded engine; started as a file (``python -P program.py``).

Settings come as one JSON line on standard input, after the heavy imports have begun, so that the
engine may start this process before it knows its own address. Standard input then stays open: its
end means that the engine is gone, and this process goes with it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import runpy
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_SHOWN_ERROR = 32  # Pulumi's exit code for a failure that was logged already


def main() -> int:
    """Runs the program in the current directory; returns the exit code of Pulumi's own runner."""
    threading.Thread(target=_import_ahead, daemon=True).start()
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


def _import_ahead() -> None:
    import pulumi  # noqa: F401


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

    def program() -> None:
        runpy.run_path(str(directory), run_name="__main__")

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
    return code


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
    exit_code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: threads of gRPC and of half-run programs have nothing left to do.
    os._exit(exit_code)
