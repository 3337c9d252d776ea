"""Files of a state are their owner's alone, and a planted link leads nowhere."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from pulumi_protocol import files


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    """Whoever can place a link beside the state can't have another file overwritten,
    nor the draft of an atomic write."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "secret").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link") as refused:
        files.write_private(tmp_path / "secret", b"new")
    assert refused.value.errno == errno.ELOOP
    (tmp_path / ".state.draft").symlink_to(victim)
    files.write_atomically(tmp_path / "state", "new")
    assert victim.read_text() == "precious"
    assert (tmp_path / "state").read_text() == "new"
    assert not (tmp_path / "state").is_symlink()


def test_a_draft_without_space_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old content stays whole, and what was written of the new frees its space."""
    path = tmp_path / "state"
    files.write_atomically(path, b"old")
    assert path.stat().st_mode & 0o777 == 0o600

    def full(draft: Path, _content: bytes) -> None:
        draft.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write_private", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]
