"""Locks of a self-managed backend that a killed CLI left behind. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

_LOCK = re.compile(r"created by \S+@(\S+) \(pid (\d+)\) at ")
"""As the CLI shows each lock that is in its way (pkg/backend/diy/lock.go)."""


def abandoned(said: str, host: str, alive: Callable[[int], bool]) -> bool:
    """Whether every lock in the way is of this machine and of a process that is no more; what
    another machine left looks like what it still holds."""
    found = _LOCK.findall(said)
    return bool(found) and all(name == host and not alive(int(pid)) for name, pid in found)


def is_alive(pid: int) -> bool:
    """Whether a process of that number runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
