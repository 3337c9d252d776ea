"""What the emulator drops and AWS reads back: remembered here, by the lab's own stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Memory:
    """Named stores of JSON values, kept over restarts by the saver."""

    def __init__(self, path: Path) -> None:
        self._stores: dict[str, dict[str, Any]] = {}
        if path.exists():
            self._stores = json.loads(path.read_text())

    def store(self, name: str) -> dict[str, Any]:
        """The store of that name; changes to it are saved with the next change of an API."""
        return self._stores.setdefault(name, {})

    def as_dict(self) -> dict[str, Any]:
        """Everything, for saving."""
        return self._stores
