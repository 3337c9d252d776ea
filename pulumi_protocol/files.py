"""Files of a state: readable for their owner alone, and replaced in one step."""

from __future__ import annotations

import os
from pathlib import Path


def private_directory(path: Path) -> None:
    """Makes the directory, and those above that are missing, readable for their owner alone."""
    if not path.is_dir():
        private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that its owner alone can read. Raises OSError for a link: what it leads to was
    never meant."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)


def backup_of(path: Path) -> Path:
    """Where the last content before an operation's first write is kept."""
    return path.with_name(f"{path.name}.backup")


def back_up(path: Path) -> None:
    """Keeps the file as it is now under its backup's name; nothing when there is no file."""
    draft = path.with_name(f".{path.name}.backup")
    draft.unlink(missing_ok=True)
    try:
        os.link(path, draft)
    except FileNotFoundError:
        return
    draft.replace(backup_of(path))


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replaces the file in one step: a reader, or a kill, sees the old content or the new. Raises
    OSError when there is no space, and leaves no draft that takes some."""
    # One writer holds the lock, so one name will do, and a kill leaves at most one draft.
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        write_private(draft, content.encode() if isinstance(content, str) else content)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    draft.replace(path)
