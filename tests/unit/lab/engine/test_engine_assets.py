"""Hashes of assets and archives."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lab.engine import assets
from pulumi_protocol.values import ARCHIVE, ASSET, SIGNATURE


def tar(members: dict[str, bytes]) -> str:
    """The hash by Python's own tar headers, with the two device numbers that Go fills in."""
    digest = hashlib.sha256()
    for name, content in sorted(members.items()):
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o600
        header = info.tobuf(tarfile.USTAR_FORMAT)
        header = header[:148] + b" " * 8 + header[156:329] + b"0000000\0" * 2 + header[345:]
        digest.update(header[:148] + b"%06o\0 " % sum(header) + header[156:])
        digest.update(content + bytes(-len(content) % 512))
    digest.update(bytes(1024))
    return digest.hexdigest()


def hashed(value: dict[str, Any], folder: Path) -> str:
    return assets.with_hashes(value, folder)["hash"]


def test_hashes_of_assets(tmp_path: Path) -> None:
    """An asset's hash is that of its content, from text or file."""
    (tmp_path / "a.txt").write_text("content")
    wanted = hashlib.sha256(b"content").hexdigest()
    assert hashed({SIGNATURE: ASSET, "text": "content"}, tmp_path) == wanted
    assert hashed({SIGNATURE: ASSET, "path": "a.txt"}, tmp_path) == wanted
    assert hashed({SIGNATURE: ARCHIVE, "path": "a.txt"}, tmp_path) == wanted


def test_hashes_of_archives(tmp_path: Path) -> None:
    """A folder and a map of assets hash as the USTAR stream of their sorted members, nested
    archives flattened; names that fit USTAR's prefix are split there."""
    long = "p" * 90 + "/" + "n" * 90
    (tmp_path / "code" / ".pulumi").mkdir(parents=True)
    (tmp_path / "code" / "index.js").write_text("x" * 700)
    (tmp_path / "code" / ".pulumi" / "own").write_text("stays out")
    (tmp_path / "code" / "nowhere").symlink_to("missing")
    folder = {SIGNATURE: ARCHIVE, "path": "code"}
    assert hashed(folder, tmp_path) == tar({"index.js": b"x" * 700})
    nested = {
        SIGNATURE: ARCHIVE,
        "assets": {
            "z": {SIGNATURE: ASSET, "text": "last"},
            "lib": folder,
            long: {SIGNATURE: ASSET, "text": "long"},
        },
    }
    wanted = {"lib/index.js": b"x" * 700, "z": b"last", long: b"long"}
    assert hashed(nested, tmp_path) == tar(wanted)


def test_a_name_is_split_where_go_splits_it() -> None:
    """Go's splitUSTARPath: a slash at the end is no place to split."""
    assert assets._ustar_split(b"q" * 60 + b"/" + b"n" * 60 + b"/") == (b"q" * 60, b"n" * 60 + b"/")


@pytest.mark.parametrize("name", ["n" * 120, "q" * 160 + "/" + "n" * 20, "größe.txt"])
def test_names_beyond_ustar_get_a_pax_header(name: str) -> None:
    """Names that USTAR can't hold carry a PAX path record, as Go's writer makes them."""
    stream = b"".join(assets._tar_entry(name, b"content")) + bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        [member] = archive.getmembers()
        assert (member.name, member.mode, member.size) == (name, 0o600, 7)
    assert stream[156:157] == b"x"
    assert b"PaxHeaders.0" in stream[:100] or b"PaxHeaders.0" not in name.encode()


@pytest.mark.parametrize(
    ("asset", "message"),
    [
        ({SIGNATURE: ASSET, "uri": "https://example.org"}, "URI is not supported"),
        ({SIGNATURE: ARCHIVE, "uri": "https://example.org"}, "URI is not supported"),
        ({SIGNATURE: ASSET, "path": "nowhere"}, "nowhere can't be read"),
        ({SIGNATURE: ARCHIVE, "path": "nowhere"}, "nowhere can't be read"),
    ],
)
def test_assets_that_cannot_be_read(asset: dict[str, Any], message: str, tmp_path: Path) -> None:
    """The error names the path; assets from a URI are refused."""
    with pytest.raises(assets.AssetError, match=message):
        assets.with_hashes(asset, tmp_path)
