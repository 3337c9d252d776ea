"""The last drift that was found, kept so that others than its finder see it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ops.workspace import Workspace
from pulumi_protocol.files import write_atomically


@dataclass(frozen=True)
class RecordedDrift:
    """When ``./inv drift`` looked (seconds since the epoch); layer → resources that differ."""

    at: float
    changed: Mapping[str, int]


def write(
    space: Workspace, stack: str, changed: Mapping[str, int], now: Callable[[], float] = time.time
) -> None:
    """Keeps what was found; raises OSError."""
    path = _path(space, stack)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(RecordedDrift(now(), changed))))


def read(space: Workspace, stack: str) -> RecordedDrift | None:
    """Returns what was kept; None where nobody looked yet, or the file isn't whole."""
    try:
        found = json.loads(_path(space, stack).read_text())
        return RecordedDrift(
            float(found["at"]), {str(name): int(count) for name, count in found["changed"].items()}
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _path(space: Workspace, stack: str) -> Path:
    return space.lab_state / "drift" / f"{stack}.json"
