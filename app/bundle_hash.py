"""The hash of a bundle: what tells a deployment that the code changed."""

import hashlib
from pathlib import Path


def bundle_hash(directory: Path) -> str:
    """SHA-256, in hex, over each file's relative path and content, in order of path."""
    total = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        relative = path.relative_to(directory).as_posix().encode()
        content = path.read_bytes()
        total.update(b"%d:%s%d:" % (len(relative), relative, len(content)))
        total.update(content)
    return total.hexdigest()
