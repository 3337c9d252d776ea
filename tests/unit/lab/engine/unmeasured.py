"""The environment of processes that are started by the hundred: coverage isn't measured in them."""

from __future__ import annotations

import os


def environment(**more: str) -> dict[str, str]:
    """Returns this process's variables without those by which a Python process measures itself."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return {**kept, **more}
