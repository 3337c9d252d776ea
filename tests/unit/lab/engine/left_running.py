"""Processes that a killed engine leaves behind."""

from __future__ import annotations

import time
from pathlib import Path


def processes(place: Path) -> list[str]:
    """Command lines of processes whose environment names the place."""
    marker = f"FAKE_CLOUD={place / 'cloud'}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and marker in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def none_left(place: Path, seconds: float) -> bool:
    """Whether every process of the place ends by itself within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not processes(place):
            return True
        time.sleep(0.02)
    return False
