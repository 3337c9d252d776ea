"""Which sources a bench's kept progress is about."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

UNUSED = frozenset({"recovery.codec", "simulator.sources"})
"""Loaded, and never run by a timeline that is played quickly."""


def digest() -> str:
    """Returns a hash of the files of ``recovery`` and ``simulator`` that are loaded now.

    What a simulation never loads (probes, AWS's ports) or runs doesn't make it start anew.
    """
    files = sorted(
        Path(str(module.__file__))
        for name, module in sys.modules.items()
        if name.partition(".")[0] in {"recovery", "simulator"} and name not in UNUSED
    )
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
