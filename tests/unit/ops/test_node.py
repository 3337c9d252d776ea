"""Node.js and npm as commands get them: on PATH, or as one line that says what is missing."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from ops import node
from ops.errors import ExitCode, OperatorError
from tapstack.node import Node, NodeError


def test_the_wheel_s_node_is_put_first_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """R9.6: what commands start by name is the Node.js that was chosen; one on PATH stays there."""
    chosen = Node("/wheel/bin/node", "v24.0.0", from_wheel=True)
    monkeypatch.setattr(node.node, "find", lambda _path: chosen)
    environment = {"PATH": "/usr/bin"}
    assert node.ensure(environment) == "v24.0.0"
    assert environment["PATH"] == "/wheel/bin:/usr/bin"
    monkeypatch.setattr(node.node, "find", lambda _path: Node("/usr/bin/node", "v20.0.0"))
    environment = {"PATH": "/usr/bin"}
    assert node.ensure(environment) == "v20.0.0"
    assert environment == {"PATH": "/usr/bin"}


def test_npm_is_the_start_of_a_shell_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel's npm is two words, and a checkout's path may hold spaces."""
    monkeypatch.setattr(node.node, "find", lambda _path: Node("/my node/node", "v20.0.0"))
    monkeypatch.setattr(node.node, "npm", lambda found, _path: (found.executable, "/npm-cli.js"))
    assert shlex.split(node.npm({})) == ["/my node/node", "/npm-cli.js"]


@pytest.mark.parametrize("missing", ["find", "npm"])
def test_a_machine_without_them_lacks_something(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Exit code 3, one line."""
    monkeypatch.setattr(node.node, "find", lambda _path: Node("/usr/bin/node", "v20.0.0"))

    def absent(*_given: object) -> None:
        raise NodeError("not here")

    monkeypatch.setattr(node.node, missing, absent)
    with pytest.raises(OperatorError, match="not here") as caught:
        node.npm({})
    assert caught.value.code is ExitCode.ENVIRONMENT


def test_packages_are_installed_or_one_line_says_why_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """R9.6: exit code 3, what npm said, and what to run next."""
    installed: list[tuple[Path, str]] = []

    def install(project: Path, used: Node, _hint: str) -> None:
        installed.append((project, used.version))

    monkeypatch.setattr(node.node, "find", lambda _path: Node("/usr/bin/node", "v20.0.0"))
    monkeypatch.setattr(node.node_packages, "install", install)
    node.install(tmp_path)
    assert installed == [(tmp_path, "v20.0.0")]

    def refused(_project: Path, _used: Node, hint: str) -> None:
        raise NodeError(f"npm ci ended with 1 (EACCES); {hint}")

    monkeypatch.setattr(node.node_packages, "install", refused)
    with pytest.raises(OperatorError, match=r"packages: npm ci .* \(EACCES\); run again") as caught:
        node.install(tmp_path)
    assert caught.value.code is ExitCode.ENVIRONMENT
