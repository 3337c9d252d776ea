"""No wait without a word: what takes longer than a few seconds says what it waits for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ops.errors import one_line

PATIENCE_SECONDS = 5.0
"""How long a task may be silent."""


@contextmanager
def announced(what: str) -> Iterator[None]:
    """Prints ``waiting for <what>`` to standard error once the body takes too long."""

    def say() -> None:
        print(one_line(f"waiting for {what}"), file=sys.stderr, flush=True)

    timer = threading.Timer(PATIENCE_SECONDS, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
