"""State files and the key of their secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from stage import Stage, deployed, embedded_engine

from lab.engine import vault
from lab.engine.embedded import EmbeddedEngine
from pulumi_protocol.events import EngineError
from pulumi_protocol.values import SECRET, SIGNATURE, secret


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


def damaged(stage: Stage, change: Any) -> str:
    """The line that reading the state gives after a change of its document or its bytes."""
    made = deployed(stage)
    if callable(change):
        document = json.loads(stage.path.read_text())
        change(document["deployment"])
        stage.path.write_text(json.dumps(document))
    else:
        stage.path.write_bytes(change)
    with pytest.raises(EngineError) as raised:
        made.resources()
    return str(raised.value)


def first(change: dict[str, Any]) -> Any:
    return lambda deployment: deployment["resources"][0].update(change)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (b"", "it is no JSON"),
        (b"{", "it is no JSON"),
        (b"\xff\xfe", "it is no text in UTF-8"),
        (b"[" * 100_000, "it is no JSON"),
        (b"[]", "it is no Pulumi deployment of version 3"),
        (b"null", "it is no Pulumi deployment of version 3"),
        (b'{"version": 3}', "it is no Pulumi deployment of version 3"),
        (
            b'{"version": 4, "deployment": {}}',
            "it has version 4, which a newer release has written",
        ),
        (b'{"version": 3, "deployment": {"resources": {"a": 1}}}', "its resources are no list"),
        (lambda state: state["resources"].append(None), "one of its resources is none"),
        (first({"urn": ""}), "one of its resources has no urn"),
        (lambda state: state["resources"][0].pop("urn"), "one of its resources has no urn"),
        (lambda state: state["resources"][0].pop("type"), "shop-lab has no type"),
        (first({"id": 5}), "the id of urn:pulumi:lab::shop::pulumi:pulumi:Stack::shop-lab is no"),
        (first({"inputs": "x"}), "the inputs of urn:"),
        (first({"dependencies": "x"}), "the dependencies of urn:"),
        (first({"dependencies": [1]}), "the dependencies of urn:"),
        (first({"propertyDependencies": {"a": [1]}}), "the propertyDependencies of urn:"),
        (lambda state: state["pending_operations"].append("x"), "one of its pending operations"),
        (lambda state: state["pending_operations"].append({"type": "x"}), "pending operations"),
        (
            lambda state: state["pending_operations"].append({"type": "creating"}),
            "one of its resources is none",
        ),
        (first({"inputs": {"a": {SIGNATURE: SECRET, "plaintext": "{"}}}), "no JSON in plaintext"),
        (
            first({"inputs": {"a": {SIGNATURE: SECRET, "ciphertext": "embedded:v1:?"}}}),
            "no ciphertext",
        ),
        (
            first({"inputs": {"a": {SIGNATURE: SECRET, "ciphertext": "embedded:v1:AAAA"}}}),
            "no ciphertext",
        ),
    ],
)
def test_a_damaged_state_names_the_file_the_damage_and_the_way_back(
    stage: Stage, change: Any, wrong: str
) -> None:
    """One line, whatever the damage is; a state that was written once only has no backup."""
    line = damaged(stage, change)
    assert line.startswith(f"the state file {stage.path} is damaged: ")
    assert wrong in line and "\n" not in line
    assert "there is no backup of it" in line


def test_the_state_before_the_last_operation_is_kept(stage: Stage) -> None:
    """Each operation's first write keeps what was there before; the damage names that file, and
    moved back it is a state again. It is as private as the state."""
    deployed(stage)
    before = stage.path.read_text()
    made = deployed_again(stage)
    backup = stage.path.with_name("lab.json.backup")
    assert backup.read_text() == before and stage.path.read_text() != before
    assert backup.stat().st_mode & 0o777 == 0o600
    stage.path.write_text("{")
    with pytest.raises(EngineError, match=r"lab\.json\.backup holds the state before .* move it"):
        made.outputs()
    backup.replace(stage.path)
    assert made.outputs() == {"arn": "arn:a-1", "token": "[secret]"}


def deployed_again(stage: Stage) -> EmbeddedEngine:
    stage.run(lambda act: act.thing("c", act.provider()) and None, ends=False)
    return embedded_engine(stage.folder)


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        (b"", "has 0 bytes instead of 32"),
        (b"x" * 31, "has 31 bytes instead of 32"),
        (b"x" * 32, "isn't the key that they were sealed with"),
    ],
)
def test_a_key_that_does_not_fit_is_named(stage: Stage, key: bytes, wrong: str) -> None:
    """The state is whole: it's the key that must come back, and nothing is said of a backup."""
    deployed(stage)
    path = stage.folder / "state" / "secrets.key"
    path.write_bytes(key)
    with pytest.raises(EngineError) as raised:
        embedded_engine(stage.folder).resources()
    assert wrong in str(raised.value) and str(path) in str(raised.value)
    assert "damaged" not in str(raised.value)


def test_a_state_that_cannot_be_read_is_one_line(stage: Stage) -> None:
    """A folder in its place, say: what the system says of it."""
    made = deployed(stage)
    stage.path.unlink()
    stage.path.mkdir()
    with pytest.raises(EngineError, match=r"lab\.json can't be read: Is a directory"):
        made.resources()
