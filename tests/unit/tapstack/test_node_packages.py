"""The functions' packages: installed as locked, once, and never under another process's feet."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tapstack import node_packages
from tapstack.node import Node

NODE = Node("/opt/node/node", "v22.1.0")
INSTALL = """
import sys
from pathlib import Path
from tapstack import node_packages
from tapstack.node import Node

project = Path(sys.argv[1])
node_packages.node.npm = lambda *_: (sys.executable, "-c", sys.argv[2])
with node_packages.held(project):
    node_packages.install(project, Node(sys.executable, "v22.1.0"), "run again")
assert node_packages.complete(project)
"""
NPM = """
import pathlib, time
pathlib.Path("node_modules").mkdir()
time.sleep(0.2)
with open("runs", "a") as runs:
    runs.write("npm ci\\n")
"""
"""Fails where another run has made the folder, as npm would take its packages away."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a lock file, and an npm that makes the folder."""
    (tmp_path / "package-lock.json").write_text("one")
    monkeypatch.setattr(node_packages.node, "npm", lambda *_: ("npm",))

    def run(command: list[str], *, cwd: Path, **_: object) -> subprocess.CompletedProcess[str]:
        assert command[1:3] == ["ci", "--ignore-scripts"]  # as locked; no package's own code runs
        (cwd / "node_modules").mkdir(exist_ok=True)
        return subprocess.CompletedProcess([], 0, "", "")

    monkeypatch.setattr(node_packages.subprocess, "run", run)
    return tmp_path


def test_packages_are_complete_for_their_own_lock_file_alone(project: Path) -> None:
    """R2.1: what is there counts for the lock file that it was installed from."""
    assert not node_packages.complete(project)
    node_packages.install(project, NODE, "run again")
    assert node_packages.complete(project)
    (project / "package-lock.json").write_text("two")
    assert not node_packages.complete(project)


def test_processes_that_need_them_at_once_install_them_once(tmp_path: Path) -> None:
    """N7: ``npm ci`` first removes what is there, so a deployment that bundled took the packages
    from under the functions' tests that ran beside it."""
    (tmp_path / "package-lock.json").write_text("one")
    started = [
        subprocess.Popen([sys.executable, "-c", INSTALL, str(tmp_path), NPM]) for _ in range(3)
    ]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    assert (tmp_path / "runs").read_text() == "npm ci\n"


def test_threads_exclude_each_other(project: Path) -> None:
    """N7: file locks exclude processes alone, and a test's threads bundle, too."""
    steps: list[int] = []

    def hold(number: int) -> None:
        with node_packages.held(project):
            steps.append(number)
            time.sleep(0.02)
            steps.append(number)

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert steps[::2] == steps[1::2]
    assert sorted(steps[::2]) == [0, 1, 2, 3]
