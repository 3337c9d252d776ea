"""The hash of a bundle: a deployment sees by it that the code changed."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def files_below(path: Path) -> list[Path]:
    """Every file below ``path``, or the file that it is."""
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]


def hash_of(root: Path, files: Iterable[Path]) -> str:
    """SHA-256, in hex, over each file's path below ``root`` and content, in order of path."""
    total = hashlib.sha256()
    for relative, path in sorted((file.relative_to(root).as_posix(), file) for file in files):
        name, content = relative.encode(), path.read_bytes()
        total.update(b"%d:%s%d:" % (len(name), name, len(content)))
        total.update(content)
    return total.hexdigest()


def bundle_hash(directory: Path) -> str:
    """The hash of all that a directory holds."""
    return hash_of(directory, files_below(directory))
