"""The record of a running operation."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.engine import vault
from lab.engine.journal import Journal
from pulumi_protocol.checkpoint import Checkpoint, PendingOperation, ResourceState


def test_a_step_counts_when_a_write_begun_after_it_has_ended(tmp_path: Path) -> None:
    """When `commit` returns, what was confirmed before is on disk; many threads share writes."""
    from concurrent.futures import ThreadPoolExecutor

    path, safe = tmp_path / "shop" / "lab.json", vault.Vault(tmp_path)
    journal = Journal(Checkpoint(), path, safe)

    def step(number: int) -> bool:
        made = ResourceState(f"urn::{number}", "t", custom=True, id=str(number))
        with journal.pending("creating", made):
            on_disk = vault.read(path, safe)
            assert on_disk is not None
            assert f"urn::{number}" in {one.resource.urn for one in on_disk.pending}
            journal.confirm(made)
        journal.commit()
        on_disk = vault.read(path, safe)
        assert on_disk is not None
        return f"urn::{number}" in {one.urn for one in on_disk.resources}

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(step, range(60)))
    journal.close()
    last = vault.read(path, safe)
    assert last is not None and len(last.resources) == 60 and last.pending == ()


def test_a_disk_that_is_full_fails_the_operation(tmp_path: Path) -> None:
    """A checkpoint that can't be written is an error of every step that waits for it."""
    path = tmp_path / "shop" / "lab.json"
    path.mkdir(parents=True)
    journal = Journal(Checkpoint(), path, vault.Vault(tmp_path))
    journal.confirm(ResourceState("urn::1", "t", custom=True))
    with pytest.raises(OSError, match=r"lab\.json"):
        journal.commit()


def test_a_preview_s_journal_writes_nothing(tmp_path: Path) -> None:
    """And what is renamed or resolved twice, by two registrations at once, counts once."""
    state_dir = tmp_path / "state"
    thing = ResourceState("urn::a", "t", custom=True, id="1")
    operation = PendingOperation("updating", thing)
    journal = Journal(Checkpoint((thing,), (operation,)), None, vault.Vault(state_dir))
    for name in ("urn::b", "urn::c"):
        journal.rename("urn::a", thing.changed(urn=name))
        journal.resolve(operation)
    journal.commit()
    journal.close()
    assert [one.urn for one in journal.all()] == ["urn::b"]
    assert journal.all_interrupted() == []
    assert not state_dir.exists()
