"""What a benchmark that resumes has found up to now, in a file of the lab's, and of which code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deployed_lab import REPOSITORY


class Kept:
    """The file's content: ``any_code`` whatever it was found with, ``same_code`` where the code is
    still the same, else empty."""

    def __init__(self, path: Path, code: str) -> None:
        self._path, self._code = path, code
        self.any_code: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        same = self.any_code.get("code") == code
        self.same_code: dict[str, Any] = self.any_code if same else {}

    def write(self, content: Mapping[str, Any]) -> None:
        """Replaces it by what is known now."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps({"code": self._code, **content}, indent=1))


def digest(folders: Iterable[str], suffixes: tuple[str, ...] = (".py",)) -> str:
    """Returns the digest of the repository's sources below these folders."""
    found = hashlib.sha256()
    for folder in folders:
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.suffix in suffixes and "node_modules" not in path.parts:
                found.update(path.read_bytes())
    return found.hexdigest()
