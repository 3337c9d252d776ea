"""A damaged state file, through ``./inv``: one line from each task that reads it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tasks
from ops import lab, node, program
from ops.engines.pulumi_cli import adapter
from pulumi_protocol.values import SECRET, SIGNATURE

ROOT = Path(tasks.__file__).resolve().parent
WHOLE: dict[str, Any] = {
    "version": 3,
    "deployment": {
        "resources": [
            {
                "urn": "urn:pulumi:lab::data::pulumi:pulumi:Stack::data-lab",
                "type": "pulumi:pulumi:Stack",
                "custom": False,
                "outputs": {"alive": True},
            }
        ],
        "pending_operations": [],
    },
}


def changed(**deployment: Any) -> bytes:
    """The whole state with these fields of its deployment otherwise."""
    return json.dumps({**WHOLE, "deployment": {**WHOLE["deployment"], **deployment}}).encode()


NO_URN = changed(resources=[{"type": "t"}])
DAMAGES = {
    "not UTF-8": (b"\xff\xfe{}", "it is no text in UTF-8"),
    "a list": (b"[]", "it is no Pulumi deployment of version 3"),
    "null": (b"null", "it is no Pulumi deployment of version 3"),
    "cut off": (b'{"version": 3, "deploy', "it is no JSON"),
    "no urn": (NO_URN, "one of its resources has no urn"),
    "junk in pending operations": (
        changed(pending_operations=["x"]),
        "one of its pending operations is none",
    ),
    "a newer version": (
        json.dumps({**WHOLE, "version": 4}).encode(),
        "it has version 4, which a newer release has written",
    ),
}
READING = (
    "outputs", "outputs --json", "status", "status --json", "policy", "drill",
    "up --layer network", "up --layer data", "deploy-all",
    "preview --layer network", "preview --layer data", "preview-all",
    "refresh --layer network", "refresh-all", "drift",
    "destroy --layer network", "destroy-all", "state.move --to pulumi",
)  # fmt: skip
"""The tasks that read a stack's state: their own layer's, or one that their layer reads."""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state file of the network layer in a workspace of its own, whose lab runs, as far as
    anybody asks."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("WARM_STANDBY_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("WARM_STANDBY_LAB_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(lab, "start", lambda *_, **__: None)
    monkeypatch.setattr(lab, "require_running", lambda _space: None)
    monkeypatch.setattr(node, "ensure", lambda: None)
    # In place of the CLI, which state.move wants and no other of these tasks asks.
    monkeypatch.setattr(adapter, "make", lambda *_: SimpleNamespace(name="pulumi"))
    path = tmp_path / ".lab" / "stacks" / "network" / "lab.json"
    path.parent.mkdir(parents=True)
    return path


def run(capfd: pytest.CaptureFixture[str], line: str) -> tuple[int, str]:
    """Exit code, and everything that was printed."""
    code = program.main(line.split())
    out, err = capfd.readouterr()
    return code, out + err


def the_line(said: str, beginning: str) -> str:
    """The one line that says so."""
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if beginning in line]
    assert len(lines) == 1, said
    return lines[0]


@pytest.mark.parametrize("line", READING)
def test_each_task_that_reads_a_damaged_state_says_so_in_a_line(
    state: Path, capfd: pytest.CaptureFixture[str], line: str
) -> None:
    """Bad input: the file, what is wrong with it and the backup that is the way back, once; the
    files stay as they were."""
    backup = state.with_name("lab.json.backup")
    backup.write_text("the state before")
    state.write_bytes(NO_URN)
    code, said = run(capfd, line)
    assert code != 0
    found = the_line(said, f"the state file {state} is damaged: one of its resources has no urn")
    assert f"{backup} holds the state before the last operation: move it here" in found
    assert (state.read_bytes(), backup.read_text()) == (NO_URN, "the state before")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("line", ["outputs", "destroy --layer network"])
def test_each_damage_is_named(
    state: Path, capfd: pytest.CaptureFixture[str], damage: str, line: str
) -> None:
    """Bad input: whatever is wrong with the file, the line says what, and where no backup is, what
    to do then; nothing is taken for "nothing is deployed"."""
    content, wrong = DAMAGES[damage]
    state.write_bytes(content)
    code, said = run(capfd, line)
    assert code != 0
    found = the_line(said, f"the state file {state} is damaged: {wrong}")
    assert "there is no backup of it: move it away, and ./inv inventory lists" in found
    assert state.read_bytes() == content


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        (None, "is missing; put it back"),
        (b"short", "has 5 bytes instead of 32; put the whole one back"),
        (bytes(32), "isn't the key that they were sealed with; put that key back"),
    ],
)
@pytest.mark.parametrize("line", ["outputs", "destroy --layer network"])
def test_a_key_that_does_not_fit_is_named(
    state: Path, capfd: pytest.CaptureFixture[str], key: bytes | None, wrong: str, line: str
) -> None:
    """Bad input: the state is whole, and its key is what must come back; neither is touched."""
    sealed = {SIGNATURE: SECRET, "ciphertext": "embedded:v1:" + "A" * 60}
    [stack] = WHOLE["deployment"]["resources"]
    state.write_bytes(changed(resources=[{**stack, "outputs": {"password": sealed}}]))
    path = state.parents[1] / "secrets.key"
    if key is not None:
        path.write_bytes(key)
    before = state.read_bytes()
    code, said = run(capfd, line)
    assert code != 0
    assert f"{path} {wrong}" in the_line(said, "the state's secrets can't be read: ")
    assert "damaged" not in said
    assert state.read_bytes() == before
    assert path.exists() == (key is not None)
