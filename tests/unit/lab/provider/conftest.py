"""A lab of the tests' own, started once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from lab.provider.aws import ENDPOINT_VARIABLE

START_SECONDS = 120
"""Long enough for a machine that does other work."""


@pytest.fixture(scope="session")
def lab_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running lab."""
    directory = tmp_path_factory.mktemp("lab")
    port = _free_port()
    log = (directory / "log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.server", "--state-dir", str(directory / "state"),
         "--port", str(port)],
        cwd=Path(__file__).parents[4],
        stdout=log,
        stderr=log,
    )  # fmt: skip
    endpoint = f"http://127.0.0.1:{port}"
    patch = pytest.MonkeyPatch()
    patch.setenv(ENDPOINT_VARIABLE, endpoint)
    try:
        _wait(endpoint, process)
        yield endpoint
    finally:
        patch.undo()
        process.terminate()
        process.wait(20)
        log.close()


def _free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(START_SECONDS * 10):
        assert process.poll() is None, "the lab ended at its start"
        try:
            urlopen(endpoint, timeout=5).close()  # noqa: S310 - an address of our own
        except OSError as error:  # refused, or too slow to answer yet
            if getattr(error, "code", None) is not None:
                return
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the lab didn't answer within {START_SECONDS} s")
