"""One operation at a time on one stack."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pulumi_protocol.events import EngineError
from pulumi_protocol.files import private_directory


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Holds the lock file; EngineError names the process that holds it already.

    The kernel drops the lock with the process that held it, so a stale one recovers by itself.
    The file stays: removing it would let two processes lock two files of the same name.
    """
    private_directory(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode().strip() or "unknown"
            raise EngineError(
                f"{what}: another operation is under way (process {holder}); "
                "wait for it to end, then run this again"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
