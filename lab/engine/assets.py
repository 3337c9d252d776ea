"""Hashes of assets and archives, equal bit for bit to the ones Pulumi's CLI computes.

Programs send assets without a hash; the engine adds it. An asset's hash is the sha256 of its
content; an archive's that of a tar stream which Go's archive/tar would write: USTAR headers, or
PAX ones where a name needs them. (pulumi/sdk/go/common/resource/archive, Go's archive/tar)
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pulumi_protocol.values import ARCHIVE, ASSET, SIGNATURE, is_asset, transform

_BLOCK = 512
_NAME_SIZE = 100
_PREFIX_SIZE = 155


class AssetError(ValueError):
    """An asset that cannot be read, or of a kind the engine does not know."""


def with_hashes(value: Any, directory: Path) -> Any:
    """The value with the hash added to every asset and archive; paths count from ``directory``."""

    def change(fields: dict[str, Any]) -> Any:
        if not is_asset(fields) or fields.get("hash"):
            return fields
        hashed = _asset_hash if fields[SIGNATURE] == ASSET else _archive_hash
        return {**fields, "hash": hashed(fields, directory)}

    return transform(value, change)


def _content(asset: dict[str, Any], directory: Path) -> bytes:
    if "text" in asset:
        return str(asset["text"]).encode()
    if "path" in asset:
        return _read(directory / asset["path"])
    raise AssetError("an asset from a URI is not supported; give its text or a path")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AssetError(f"the asset {path} can't be read: {error.strerror}") from None


def _asset_hash(asset: dict[str, Any], directory: Path) -> str:
    return hashlib.sha256(_content(asset, directory)).hexdigest()


def _archive_hash(archive: dict[str, Any], directory: Path) -> str:
    if "path" in archive and (directory / archive["path"]).is_file():
        return hashlib.sha256(_read(directory / archive["path"])).hexdigest()
    digest = hashlib.sha256()
    for name, content in sorted(
        _members(archive, directory), key=lambda member: member[0].encode()
    ):
        for block in _tar_entry(name, content):
            digest.update(block)
    digest.update(bytes(2 * _BLOCK))
    return digest.hexdigest()


def _members(archive: dict[str, Any], directory: Path) -> Iterator[tuple[str, bytes]]:
    if "assets" in archive:
        for name, member in archive["assets"].items():
            if member.get(SIGNATURE) == ARCHIVE:
                for inner, content in _members(member, directory):
                    yield f"{name}/{inner}", content
            else:
                yield name, _content(member, directory)
    elif "path" in archive:
        root = directory / archive["path"]
        if not root.is_dir():
            raise AssetError(f"the archive {root} can't be read: no such file or directory")
        yield from _files(root)
    else:
        raise AssetError("an archive from a URI is not supported; give its assets or a path")


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    for folder, folders, names in os.walk(root):
        # As the CLI: its own folder stays out, links to folders are not followed.
        folders[:] = [name for name in folders if name != ".pulumi"]
        for name in names:
            path = Path(folder, name)
            if path.is_file():
                yield path.relative_to(root).as_posix(), _read(path)


def _tar_entry(name: str, content: bytes) -> Iterator[bytes]:
    encoded = name.encode()
    prefix, suffix = b"", encoded
    if len(encoded) > _NAME_SIZE or not name.isascii():
        split = _ustar_split(encoded) if name.isascii() else None
        if split:
            prefix, suffix = split
        else:
            yield from _pax_header(name)
            suffix = _ascii(name).encode()[:_NAME_SIZE]
    yield _header(suffix, 0o600, len(content), b"0", prefix)
    yield _padded(content)


def _pax_header(name: str) -> Iterator[bytes]:
    folder, _, file = name.rpartition("/")
    path = "/".join(part for part in (folder, "PaxHeaders.0", file) if part)
    record = _pax_record("path", name)
    short = _ascii(path).encode()[:_NAME_SIZE].rstrip(b"/")
    yield _header(short, 0, len(record), b"x", devices=False)
    yield _padded(record)


def _pax_record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    size = len(body)
    while len(str(size)) + len(body) != size:
        size = len(str(size)) + len(body)
    return str(size).encode() + body


def _ustar_split(name: bytes) -> tuple[bytes, bytes] | None:
    """Go's splitUSTARPath: the name in two at a slash, when both parts fit."""
    length = len(name)
    if length > _PREFIX_SIZE + 1:
        length = _PREFIX_SIZE + 1
    elif name[length - 1 : length] == b"/":
        length -= 1
    at = name[:length].rfind(b"/")
    suffix = len(name) - at - 1
    if at <= 0 or not 0 < suffix <= _NAME_SIZE or at > _PREFIX_SIZE:
        return None
    return name[:at], name[at + 1 :]


def _ascii(text: str) -> str:
    return "".join(character for character in text if 0 < ord(character) < 128)


def _header(
    name: bytes, mode: int, size: int, kind: bytes, prefix: bytes = b"", devices: bool = True
) -> bytes:
    device = b"0000000\0" if devices else bytes(8)
    header = b"".join(
        (
            name.ljust(_NAME_SIZE, b"\0"),
            b"%07o\0" % mode,
            b"0000000\0" * 2,
            b"%011o\0" % size,
            b"%011o\0" % 0,
            b" " * 8,
            kind,
            bytes(100),
            b"ustar\x0000",
            bytes(64),
            device * 2,
            prefix.ljust(_PREFIX_SIZE, b"\0"),
            bytes(12),
        )
    )
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % _BLOCK)
