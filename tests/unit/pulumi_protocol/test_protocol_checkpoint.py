"""Checkpoints and resource states, URNs, private files."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from pulumi_protocol import checkpoint, files, urns
from pulumi_protocol.checkpoint import Checkpoint, PendingOperation, ResourceState
from pulumi_protocol.events import EngineError, Summary

PROVIDER = "urn:pulumi:lab::shop::pulumi:providers:aws::east"
GROUP = "urn:pulumi:lab::shop::own:Group::g"
THING = "urn:pulumi:lab::shop::own:Group$aws:s3/bucket:Bucket::data"
FULL: dict[str, Any] = {
    "urn": THING,
    "custom": True,
    "id": "data-1",
    "parent": GROUP,
    "provider": f"{PROVIDER}::1234",
    "created": "2026-01-01T00:00:00.000000Z",
    "modified": "2026-01-02T00:00:00.000000Z",
    "deletedWith": "urn:with",
    "type": "aws:s3/bucket:Bucket",
    "inputs": {"bucket": "data"},
    "outputs": {"arn": "arn:data"},
    "dependencies": ["urn:dependency"],
    "ignoreChanges": ["tags"],
    "additionalSecretOutputs": ["arn"],
    "initErrors": ["not ready"],
    "propertyDependencies": {"bucket": ["urn:property"]},
    "customTimeouts": {"create": 60.0},
    "external": True,
    "delete": True,
    "sourcePosition": "project:///x.py#1",
}


def identity(value: Any) -> Any:
    return value


def test_a_state_keeps_every_field_of_its_checkpoint_form() -> None:
    """Fields that are known and one that only the CLI knows come back as they were; fields that
    are empty are left out; null counts as empty."""
    assert ResourceState.from_json(FULL).to_json() == FULL
    small = {"urn": "u", "custom": False, "type": "t", "inputs": {}, "outputs": {}}
    assert ResourceState.from_json({**small, "dependencies": None, "id": None}).to_json() == small
    listed = ResourceState.from_json({**small, "propertyDependencies": {"a": None}})
    assert listed.to_json()["propertyDependencies"] == {"a": []}


def test_what_a_state_says_of_itself() -> None:
    """Name, provider and what must exist as long as it does; whether a plugin manages it."""
    state = ResourceState.from_json(FULL)
    assert (state.name, state.provider_urn) == ("data", PROVIDER)
    assert state.needs == {GROUP, PROVIDER, "urn:with", "urn:dependency", "urn:property"}
    assert not state.managed, "it is external"
    assert state.changed(external=False).managed
    provider = ResourceState(PROVIDER, "pulumi:providers:aws", custom=True)
    assert provider.is_provider and not provider.managed
    assert not ResourceState(GROUP, "own:Group", custom=False).managed


def test_a_state_is_the_same_but_for_its_times() -> None:
    """Created and modified don't count as a difference, everything else does."""
    state = ResourceState.from_json(FULL)
    assert state.same_as(state.changed(created="now", modified="now"))
    assert not state.same_as(state.changed(inputs={"bucket": "other"}))


def test_a_checkpoint_reads_back_as_it_was_written() -> None:
    """Resources and pending operations, each through the sealing of secrets; the text of a state
    is made once; the manifest's magic is the hash of its version."""
    state = ResourceState.from_json(FULL)
    kept = Checkpoint((state,), (PendingOperation("creating", state),))
    sealed: list[Any] = []

    def seal(value: Any) -> Any:
        sealed.append(value)
        return {**value, "id": "sealed"}

    document = json.loads(checkpoint.render(kept, seal))
    assert len(sealed) == 1, "the text of a state is made once"
    manifest = document["deployment"]["manifest"]
    assert manifest["magic"] == hashlib.sha256(manifest["version"].encode()).hexdigest()
    read = checkpoint.parse(document, lambda entry: {**entry, "id": "data-1"})
    assert [one.to_json() for one in read.resources] == [FULL]
    assert [(one.type, one.resource.to_json()) for one in read.pending] == [("creating", FULL)]
    assert read.pending[0].key == ("creating", THING, "data-1", True)
    empty = checkpoint.parse(json.loads(checkpoint.render(Checkpoint(), identity)), identity)
    assert empty == Checkpoint()


@pytest.mark.parametrize(
    "document", [{}, {"version": 2, "deployment": {}}, {"version": 3}, [], None, "text"]
)
def test_another_document_is_no_deployment(document: Any) -> None:
    """Another version, or nothing deployed, is refused in one line."""
    with pytest.raises(EngineError, match="no Pulumi deployment of version 3"):
        checkpoint.parse(document, identity)


@pytest.mark.parametrize(
    ("document", "holds"),
    [
        ({}, False),
        ({"deployment": {"resources": []}}, False),
        ({"deployment": {"resources": [{}]}}, True),
        ({"deployment": {"pending_operations": [{}]}}, True),
        ({"checkpoint": {"latest": None}}, False),
        ([], True),
        (None, True),
        ({"deployment": [1]}, True),
        ({"checkpoint": {"latest": {"resources": [{}]}}}, True),
    ],
)
def test_a_state_holds_resources_in_both_engines_forms(
    document: dict[str, Any], holds: bool
) -> None:
    """The engine's and an export's ``deployment``, and the CLI's own ``checkpoint.latest``; what
    was under way counts too."""
    assert checkpoint.holds_resources(document) is holds


def test_urns_name_the_chain_of_types() -> None:
    """The stack's type is left out of its children's URNs; a parent's chain comes first."""
    stack = urns.make("lab", "shop", "", urns.STACK_TYPE, "shop-lab")
    group = urns.make("lab", "shop", stack, "own:Group", "g")
    assert group == GROUP
    assert urns.make("lab", "shop", group, "aws:s3/bucket:Bucket", "data") == THING
    assert urns.name_of(THING) == "data"
    assert urns.type_of(THING) == "aws:s3/bucket:Bucket"
    assert urns.type_of(stack) == urns.STACK_TYPE
    assert urns.place_of(THING) == ("lab", "shop")


def test_provider_references_split_at_the_last_colons() -> None:
    """``urn::id``, whose URN holds colons itself; an empty reference names nothing."""
    reference = urns.reference(PROVIDER, "1234")
    assert reference == FULL["provider"]
    assert urns.referred(reference) == PROVIDER
    assert urns.referred("") == ""


def entry(**fields: Any) -> dict[str, Any]:
    return {"urn": "urn::a", "type": "t", **fields}


@pytest.mark.parametrize(
    ("deployment", "wrong"),
    [
        ({"resources": "x"}, "its resources are no list"),
        ({"resources": [5]}, "one of its resources is none"),
        ({"resources": [{}]}, "one of its resources has no urn"),
        ({"resources": [{"urn": "urn::a"}]}, "urn::a has no type"),
        ({"resources": [entry(parent=1)]}, "the parent of urn::a is no text"),
        ({"resources": [entry(inputs=[1])]}, "the inputs of urn::a are no mapping"),
        ({"resources": [entry(dependencies="x")]}, "the dependencies of urn::a are no list of"),
        ({"resources": [entry(propertyDependencies={"a": [1]})]}, "the propertyDependencies of"),
        ({"pending_operations": ["x"]}, "one of its pending operations is none"),
        ({"pending_operations": [{"type": "creating"}]}, "one of its resources is none"),
    ],
)
def test_a_damaged_deployment_says_what_is_wrong(deployment: dict[str, Any], wrong: str) -> None:
    """One line that names the resource, before anything is done by it."""
    with pytest.raises(EngineError, match=wrong):
        checkpoint.parse({"version": 3, "deployment": deployment}, identity)


def test_a_newer_version_is_named() -> None:
    """What a newer release has written is no damage."""
    with pytest.raises(EngineError, match=r"it has version 4, which a newer release has written"):
        checkpoint.parse({"version": 4, "deployment": {}}, identity)


def test_a_backup_is_what_was_there(tmp_path: Path) -> None:
    """The content before, under the file's name and ``.backup``; nothing where there is no file; a
    draft that is a link is not followed."""
    path = tmp_path / "lab.json"
    files.back_up(path)
    assert list(tmp_path.iterdir()) == []
    for content in ("one", "two", "three"):
        files.write_atomically(path, content)
        files.back_up(path)
        assert files.backup_of(path).read_text() == content
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / ".lab.json.draft").symlink_to(victim)
    files.write_atomically(path, "four")
    (tmp_path / "link").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        files.write_private(tmp_path / "link", b"five")
    assert (victim.read_text(), path.read_text()) == ("untouched", "four")


def test_private_files_are_their_owners_alone(tmp_path: Path) -> None:
    """Directories 0700 and files 0600, also where a file was readable before; the draft is gone
    after the replacement."""
    path = tmp_path / "a" / "b" / "state.json"
    files.private_directory(path.parent)
    path.write_text("old")
    path.chmod(0o644)
    files.write_private(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    files.write_atomically(path, "newer")
    assert path.read_text() == "newer"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["state.json"]
    for folder in (path.parent, path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_summary_counts_what_was_changed() -> None:
    """Everything but the unchanged."""
    assert Summary(created=1, updated=2, replaced=3, deleted=4, same=5).changed == 10
