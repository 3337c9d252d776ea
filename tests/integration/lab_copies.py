"""A deployed lab for each test that breaks one: a copy of a lab that was deployed once.

A deployment takes most of two cores for half a minute, and every such test wants the same one. A
lab keeps what is deployed over a stop, so a copy of its folder is a deployed lab too, once its
own addresses and its own folder stand where the model's did.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fasteners
from deployed_lab import REPOSITORY, Lab, free_port

DEPLOY_SECONDS = 300
DATA = "data"
"""The folder of a database's own files, which name neither address nor folder."""


@contextmanager
def a_deployed_lab(directory: Path, repository: Path = REPOSITORY) -> Iterator[Lab]:
    """All four layers in a lab of its own, stopped afterwards: for tests that break something, or
    change the working copy ``repository``."""
    lab = started_copy(directory, repository)
    try:
        yield lab
    finally:
        lab.stop()


def started_copy(directory: Path, repository: Path = REPOSITORY) -> Lab:
    """All four layers in a running lab; the folder is one that pytest made. The caller stops it."""
    shared = directory.parent
    if "PYTEST_XDIST_WORKER" in os.environ and shared.name.startswith("popen-"):
        shared = shared.parent
    with fasteners.InterProcessLock(shared / "model.lock"):
        model = _model(shared / "model")
    lab = copy_of(model, directory, repository)
    try:
        lab.up()
    except BaseException:
        lab.stop()
        raise
    return lab


def copy_of(model: Lab, directory: Path, repository: Path = REPOSITORY) -> Lab:
    """A stopped lab as it is, at a port and in a folder of its own."""
    lab = Lab(directory, free_port(), repository)
    subprocess.run(["cp", "-a", f"{model.directory}/.", str(directory)], check=True)
    ours = {
        str(model.directory): str(lab.directory),
        f"127.0.0.1:{model.port}": f"127.0.0.1:{lab.port}",
        f"localhost:{model.port}": f"localhost:{lab.port}",
        f"{model.repository}/": f"{lab.repository}/",
    }
    for chosen in lab.state_dir.glob("database/servers/*/port"):
        chosen.unlink()  # the lab chooses anew
    for file in _texts(directory):
        text = before = file.read_text()
        for its, own in ours.items():
            text = text.replace(its, own)
        if text != before:
            file.write_text(text)
    return lab


def _model(directory: Path) -> Lab:
    """Deployed by the first that asks; raises AssertionError with what it printed."""
    record = directory / "port"
    if record.exists():
        return Lab(directory, int(record.read_text()))
    directory.mkdir(exist_ok=True)
    lab = Lab(directory, free_port())
    try:
        answer = lab.inv("deploy-all", timeout=DEPLOY_SECONDS)
        assert answer.returncode == 0, answer.stdout + answer.stderr
    finally:
        lab.stop()
    record.write_text(str(lab.port))
    return lab


def _texts(directory: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(directory):
        if DATA in folders and "postgresql.conf" in files:
            folders.remove(DATA)
        for name in files:
            if name.endswith((".json", ".conf")):
                yield Path(folder, name)
