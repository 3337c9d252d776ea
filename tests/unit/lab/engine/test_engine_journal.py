"""The record of a running operation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.engine import vault
from lab.engine.failure import StepFailedError
from lab.engine.journal import Journal
from pulumi_protocol.checkpoint import Checkpoint, PendingOperation, ResourceState


def test_a_step_counts_when_a_write_begun_after_it_has_ended(tmp_path: Path) -> None:
    """When ``commit`` returns, what was confirmed before is on disk; many threads share writes."""
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
    """And what is renamed twice, by two registrations at once, counts once; what was under way on
    it goes along."""
    state_dir = tmp_path / "state"
    thing = ResourceState("urn::a", "t", custom=True, id="1")
    operation = PendingOperation("updating", thing)
    journal = Journal(Checkpoint((thing,), (operation,)), None, vault.Vault(state_dir))
    for name in ("urn::b", "urn::c"):
        journal.rename("urn::a", thing.changed(urn=name))
    journal.commit()
    journal.close()
    assert [one.urn for one in journal.all()] == ["urn::b"]
    assert journal.interrupted(journal.all()[0], "updating")
    assert not journal.interrupted(thing, "updating")
    assert not state_dir.exists()


def state(name: str, id: str = "1", **fields: Any) -> ResourceState:
    return ResourceState(f"urn::{name}", "t", custom=True, id=id, **fields)


def opened(tmp_path: Path, checkpoint: Checkpoint) -> tuple[Journal, Callable[[], Any]]:
    """A journal over a file, and what the file holds: (resources, pending) by URN and id."""
    path, safe = tmp_path / "shop" / "lab.json", vault.Vault(tmp_path)

    def held() -> Any:
        read = vault.read(path, safe)
        assert read is not None
        return (
            [(one.urn, one.id, one.delete) for one in read.resources],
            [(one.type, one.resource.urn) for one in read.pending],
        )

    return Journal(checkpoint, path, safe), held


@pytest.mark.parametrize("kind", ["updating", "deleting"])
def test_what_was_under_way_on_what_is_gone_is_over(tmp_path: Path, kind: str) -> None:
    """A deletion or update of a resource that the state no longer holds is dropped, from the file
    as well, or the resource's namesake would be taken for half deleted; one that it holds stays."""
    kept, gone = state("kept"), state("gone")
    pending = tuple(PendingOperation(kind, one) for one in (kept, gone, state("kept", "other")))
    journal, held = opened(tmp_path, Checkpoint((kept,), pending))
    assert journal.interrupted(kept, kind) and not journal.interrupted(gone, kind)
    journal.close()
    assert held() == ([("urn::kept", "1", False)], [(kind, "urn::kept")])


def test_a_creation_of_unknown_end_stays_until_it_was_looked_for(tmp_path: Path) -> None:
    """Its resource may exist though the state doesn't hold it: alone, or as a replacement whose
    old one then waits. Nothing found: it is over."""
    old, begun, alone, nothing = state("a"), state("a", ""), state("b", ""), state("c", "")
    pending = tuple(PendingOperation("creating", one) for one in (begun, alone, nothing))
    journal, held = opened(tmp_path, Checkpoint((old,), pending))
    assert journal.interrupted_creations() == [begun, alone, nothing]
    journal.adopt(begun, begun.changed(id="2"))
    journal.adopt(alone, alone.changed(id="3"))
    journal.adopt(nothing, None)
    assert journal.interrupted_creations() == []
    journal.close()
    assert held() == (
        [("urn::a", "2", False), ("urn::b", "3", False), ("urn::a", "1", True)],
        [],
    )


@pytest.mark.parametrize(
    ("kind", "old", "act", "left"),
    [
        ("creating", False, lambda journal, one: journal.confirm(one.changed(id="2")), ["2"]),
        ("updating", True, lambda journal, one: journal.confirm(one.changed(inputs={"a": 1})), "1"),
        ("deleting", True, lambda journal, one: journal.forget(one), []),
        ("creating", True, lambda journal, one: journal.supersede(one, one.changed(id="2")), "21"),
    ],
)
def test_a_call_s_end_and_its_result_are_one_write(
    tmp_path: Path, kind: str, old: bool, act: Any, left: Any
) -> None:
    """A kill between the two would leave a result whose call seems under way: as soon as the
    result is on disk, nothing is on record as begun."""
    known = state("a")
    begun = state("a", "" if kind == "creating" else "1")
    journal, held = opened(tmp_path, Checkpoint((known,) if old else (), ()))
    with journal.pending(kind, begun):
        assert held()[1] == [(kind, "urn::a")]
        act(journal, known if old else begun)
        journal.commit()
        resources, pending = held()
        assert ([id for _, id, _ in resources], pending) == (list(left), [])
    journal.close()


def test_a_replaced_resource_comes_back_for_the_one_that_replaced_it(tmp_path: Path) -> None:
    """The two change places; where there is no other, it just comes back."""
    new, old, alone = state("a", "2"), state("a", "1", delete=True), state("b", delete=True)
    journal, held = opened(tmp_path, Checkpoint((new, old, alone), ()))
    assert journal.revive(old).key == ("urn::a", "1", False)
    assert journal.revive(alone).key == ("urn::b", "1", False)
    journal.close()
    assert held() == (
        [("urn::a", "1", False), ("urn::b", "1", False), ("urn::a", "2", True)],
        [],
    )


def test_what_is_the_same_is_not_written(tmp_path: Path) -> None:
    """N2: a run that changes nothing leaves the file and its backup as they are."""
    one = state("a", inputs={"x": 1})
    journal, _ = opened(tmp_path, Checkpoint((one,), ()))
    journal.confirm(one.changed(modified="later"))
    journal.close()
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize("tried", [False, True])
def test_a_failure_says_nothing_of_an_earlier_try(tmp_path: Path, tried: bool) -> None:
    """A deletion that fails has not happened; but where an earlier one may have, the resource is
    still half deleted, and must not pass for whole."""
    one = state("a")
    before = (PendingOperation("deleting", one),) if tried else ()
    journal, held = opened(tmp_path, Checkpoint((one,), before))
    with pytest.raises(StepFailedError), journal.pending("deleting", one):
        raise StepFailedError(one.urn, "no permission")
    assert journal.interrupted(one, "deleting") is tried
    journal.close()
    assert held() == ([("urn::a", "1", False)], [("deleting", "urn::a")] if tried else [])
