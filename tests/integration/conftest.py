"""The system, deployed once into a lab of its own in a temporary workspace.

A lab that someone runs from this working copy is never touched: the tests' lab has its own state
directory and a free port. With several test processes one deploys and the others wait for it; the
last one that ends stops the lab.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import fasteners
import pytest
from deployed_lab import Lab, free_port
from lab_copies import a_deployed_lab, started_copy

LONGEST_FIRST = (
    "test_first_light_changes",
    "test_recovery",
    "test_drill",
    "test_validation",
    "test_role_swap",
    "test_global_faults",
    "test_lab_unkind",
    "test_console_in_a_browser",
    "test_lab_database",
    "test_kept_and_seen",
    "test_outages",
    "test_releases_and_roles",
    "test_deploy_faults",
    "test_runbook_walks",
)
"""Files that take a minute or more: begun last, one of them would keep the others waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; within a file nothing changes its place."""
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Lab]:
    """All four layers in a lab, deployed once and shared: read it, don't change it."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "deployed"
    shared.mkdir(exist_ok=True)
    lock = fasteners.InterProcessLock(shared / "lock")
    record = shared / "port"
    users = shared / "users"
    with lock:
        if not record.exists():
            record.write_text(str(started_copy(shared).port))
        users.write_text(str(int(users.read_text()) + 1 if users.exists() else 1))
    lab = Lab(shared, int(record.read_text()))
    try:
        yield lab
    finally:
        with lock:
            left = int(users.read_text()) - 1
            users.write_text(str(left))
            if left == 0:
                lab.stop()
                record.unlink()


@pytest.fixture
def own_lab(tmp_path: Path) -> Iterator[Lab]:
    """All four layers in a lab of the test's own, which it may break."""
    with a_deployed_lab(tmp_path) as lab:
        yield lab


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[[], Lab]]:
    """Makes labs of the test's own, which it may break; nothing is deployed in them yet."""
    made: list[Lab] = []

    def make() -> Lab:
        directory = tmp_path / f"lab-{len(made)}"
        directory.mkdir()
        lab = Lab(directory, free_port())
        made.append(lab)
        return lab

    yield make
    for lab in made:
        lab.stop()
