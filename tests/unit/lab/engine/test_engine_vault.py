"""State files and the key of their secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stage import Stage, deployed, embedded_engine

from lab.engine import vault
from pulumi_protocol.events import EngineError
from pulumi_protocol.values import secret


def test_damaged_state_and_lost_keys_are_one_line(stage: Stage) -> None:
    """A state file that is no JSON, and secrets whose key file is gone, name the file."""
    made = deployed(stage)
    key = stage.folder / "state" / "secrets.key"
    key.unlink()
    with pytest.raises(EngineError, match=r"secrets\.key is missing"):
        embedded_engine(stage.folder).outputs()
    stage.path.write_text("{")
    with pytest.raises(EngineError, match=r"lab\.json is damaged"):
        made.outputs()


def test_two_that_make_the_key_at_once_share_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two layers start at once: the second finds the first one's key in its place and takes it,
    or their secrets would be lost to each other."""
    write_private = vault.write_private

    def overtaken(path: Path, content: bytes) -> None:
        monkeypatch.setattr(vault, "write_private", write_private)
        sealed.append(vault.Vault(tmp_path).seal(secret("first")))
        write_private(path, content)

    sealed: list[Any] = []
    monkeypatch.setattr(vault, "write_private", overtaken)
    safe = vault.Vault(tmp_path)
    sealed.append(safe.seal(secret("second")))
    assert safe.open(sealed) == [secret("first"), secret("second")]
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.key"]
