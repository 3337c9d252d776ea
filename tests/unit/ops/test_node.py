"""Node.js from PATH or from the wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import node
from ops.errors import ExitCode, OperatorError


def fake_node(directory: Path, says: str) -> str:
    """A search path whose node says this version."""
    directory.mkdir()
    (directory / "node").write_text(f"#!/bin/sh\n{says}\n")
    (directory / "node").chmod(0o755)
    return str(directory)


def test_node_comes_from_the_path_when_it_is_new_enough(tmp_path: Path) -> None:
    """First light: Node 20 from PATH."""
    environment = {"PATH": fake_node(tmp_path / "bin", "echo v20.1.0")}
    assert node.ensure(environment) == "v20.1.0"
    assert environment["PATH"] == str(tmp_path / "bin")


@pytest.mark.parametrize("says", ["echo v18.0.0", "echo nonsense", "exit 1", None])
def test_node_comes_from_the_wheel_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str | None
) -> None:
    """First light: a machine without Node, or with an old one, uses the wheel's."""
    wheel = fake_node(tmp_path / "wheel", "echo v24.0.0")
    monkeypatch.setattr(node, "wheel_directory", lambda: Path(wheel))
    environment = {"PATH": fake_node(tmp_path / "bin", says)} if says else {}
    assert node.ensure(environment) == "v24.0.0"
    assert environment["PATH"].split(":")[0] == wheel


@pytest.mark.parametrize("wheel", ["echo v18.0.0", None])
def test_no_node_at_all_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheel: str | None
) -> None:
    """First light: no Node gets one line."""
    directory = Path(fake_node(tmp_path / "wheel", wheel)) if wheel else None
    monkeypatch.setattr(node, "wheel_directory", lambda: directory)
    with pytest.raises(OperatorError, match="none is on PATH") as caught:
        node.ensure({"PATH": str(tmp_path)})
    assert caught.value.code is ExitCode.ENVIRONMENT
    with pytest.raises(OperatorError, match="the one on PATH is v16"):
        node.ensure({"PATH": fake_node(tmp_path / "old", "echo v16.0.0")})


def test_a_node_that_can_t_run_is_no_node(tmp_path: Path) -> None:
    """A binary of another machine's kind doesn't end in a traceback."""
    path = fake_node(tmp_path / "bin", "")
    (tmp_path / "bin/node").write_bytes(b"\x7fELF broken")
    assert node.version(path) is None


def test_the_wheel_brings_a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel that requirements.txt pins is found where it keeps its binary."""
    directory = node.wheel_directory()
    assert directory is not None
    assert (directory / "node").exists()
    monkeypatch.setattr(node.importlib.util, "find_spec", lambda _name: None)
    assert node.wheel_directory() is None
