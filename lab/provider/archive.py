"""Function code as a zip file that is the same, byte for byte, for the same content."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pulumi_protocol.values import ASSET, SIGNATURE

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can say."""
MODE = 0o100755 << 16


def zipped(archive: Mapping[str, Any]) -> bytes:
    """Returns the zip file of a Pulumi archive (a path, or a map of assets and archives)."""
    path = archive.get("path")
    if path and Path(path).is_file():
        return Path(path).read_bytes()
    if "uri" in archive:
        raise ValueError(f"the lab fetches no archive from {archive['uri']}")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in sorted(entries(archive)):
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = MODE
            file.writestr(info, content)
    return buffer.getvalue()


def entries(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, bytes]]:
    """Yields (name, content) of an asset's or archive's files; nested archives become folders."""
    if value.get(SIGNATURE) == ASSET:
        yield prefix, _asset(value)
        return
    path = value.get("path")
    if path:
        root = Path(path)
        if root.is_file():
            with zipfile.ZipFile(root) as file:
                for name in file.namelist():
                    if not name.endswith("/"):
                        yield _join(prefix, name), file.read(name)
            return
        if not root.is_dir():
            raise ValueError(f"no such file or folder for an archive: {path}")
        for found in sorted(root.rglob("*")):
            if found.is_file():
                yield _join(prefix, found.relative_to(root).as_posix()), found.read_bytes()
        return
    for name, item in sorted((value.get("assets") or {}).items()):
        yield from entries(item, _join(prefix, name))


def _asset(value: Mapping[str, Any]) -> bytes:
    if value.get("text") is not None:
        return value["text"].encode()
    if value.get("path"):
        return Path(value["path"]).read_bytes()
    raise ValueError("an asset without text and path: the engine sent only its hash")


def _join(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name
