"""The plugin's process: start, listen on this machine, print the port, end with its parent."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import threading
import time
import types
from concurrent import futures
from pathlib import Path

from lab.collecting import collect_rarely

PARENT_VARIABLE = "WARM_STANDBY_PLUGIN_PARENT"
"""The engine's process id as the starting script saw it: asked for later, a parent that is already
gone would look like another one."""
THREADS = 64
PARENT_POLL_SECONDS = 0.5


def _spare_the_sdk() -> None:
    """Lets ``pulumi.runtime.proto`` be imported without the rest of the SDK.

    The whole SDK takes some 0.2 s to import, at every start of a plugin; only its protocol is
    needed here.
    """
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations or "pulumi" in sys.modules:
        return
    root = Path(next(iter(spec.submodule_search_locations)))
    for name, path in (("pulumi", root), ("pulumi.runtime", root / "runtime")):
        module = types.ModuleType(name)
        module.__path__ = [str(path)]
        sys.modules[name] = module


def _end_with_parent(parent: int) -> None:
    # The engine may be killed without a word; PR_SET_PDEATHSIG would follow its thread instead.
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os._exit(0)


def _exit_now(*_: object) -> None:
    os._exit(0)


def _warm_up() -> None:
    """Imports what the first call needs, while the engine is still shaking hands."""
    import botocore.session  # noqa: F401

    collect_rarely()


def main() -> None:
    """Serves until the engine ends this process."""
    parent = int(os.environ.get(PARENT_VARIABLE, "") or os.getppid())
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # nothing of the user's AWS set-up may reach the lab
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit_now)
    _spare_the_sdk()
    import grpc
    from pulumi.runtime.proto import provider_pb2_grpc

    from lab.provider.service import AwsProvider

    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=THREADS),
        options=[
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(AwsProvider(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    threading.Thread(target=_warm_up, daemon=True).start()
    server.wait_for_termination()
