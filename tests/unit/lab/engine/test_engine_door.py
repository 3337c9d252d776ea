"""Requests read once into typed values, and what else is known of resources beside their states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import alias_pb2, resource_pb2

from lab.engine import door
from lab.engine.aliases import AliasSpec
from lab.engine.failure import StepFailedError
from lab.engine.ledger import Ledger
from lab.engine.project import Project
from lab.engine.registration import Reading, Registration
from pulumi_protocol.checkpoint import ResourceState
from pulumi_protocol.structs import to_struct

ROOT = "urn:pulumi:lab::shop::pulumi:pulumi:Stack::shop-lab"
GROUP = "urn:pulumi:lab::shop::own:Group::g"
URN = "urn:pulumi:lab::shop::own:Group$fake:index:Thing::a"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project("shop", tmp_path, "lab", {})


def request(**fields: Any) -> resource_pb2.RegisterResourceRequest:
    inputs = to_struct(fields.pop("inputs", {}))
    return resource_pb2.RegisterResourceRequest(
        type="fake:index:Thing", name="a", parent=GROUP, custom=True, object=inputs, **fields
    )


def test_a_registration_holds_all_that_was_asked(project: Project) -> None:
    """Lists come sorted and once each, durations in seconds, the parent's types in the URN."""
    wiring = resource_pb2.RegisterResourceRequest.PropertyDependencies
    made = door.registration(
        request(
            inputs={"name": "a"},
            provider="p::1",
            version="1.2.3",
            dependencies=["y", "x", "y"],
            propertyDependencies={"b": wiring(urns=["z", "x"]), "a": wiring()},
            deletedWith="w",
            aliasURNs=["urn::one"],
            aliases=[alias_pb2.Alias(urn="urn::two")],
            ignoreChanges=["tags"],
            replaceOnChanges=["zone"],
            additionalSecretOutputs=["arn"],
            customTimeouts={"create": "1h30m", "delete": "500ms"},
        ),
        project,
    )
    assert made == Registration(
        urn=URN,
        type="fake:index:Thing",
        custom=True,
        inputs={"name": "a"},
        parent=GROUP,
        provider="p::1",
        version="1.2.3",
        dependencies=("x", "y"),
        property_dependencies={"a": (), "b": ("x", "z")},
        deleted_with="w",
        aliases=("urn::one", "urn::two"),
        ignore_changes=("tags",),
        replace_on_changes=("zone",),
        additional_secret_outputs=("arn",),
        custom_timeouts={"create": 5400.0, "delete": 0.5},
    )
    assert not made.is_provider


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, None),
        ({"deleteBeforeReplaceDefined": True}, False),
        ({"deleteBeforeReplaceDefined": True, "deleteBeforeReplace": True}, True),
        ({"deleteBeforeReplace": True}, True),
    ],
)
def test_what_a_program_leaves_to_the_provider_is_none(
    project: Project, fields: dict[str, bool], wanted: bool | None
) -> None:
    """deleteBeforeReplace: said to be so, said not to be so, or not said."""
    assert door.registration(request(**fields), project).delete_before_replace is wanted


@pytest.mark.parametrize("text", ["5", "m5", "5m ", "-5m", "5 m", "five"])
def test_a_timeout_that_is_no_duration_is_refused(project: Project, text: str) -> None:
    """The resource and the text are named."""
    with pytest.raises(StepFailedError, match=f"custom timeout '{text}' is no duration") as raised:
        door.registration(request(customTimeouts={"update": text}), project)
    assert raised.value.urn == URN


def test_a_registration_becomes_a_state(project: Project) -> None:
    """With the checked inputs, and a provider only where a plugin serves it; ignored changes keep
    the old value."""
    made = door.registration(request(provider="p::1", ignoreChanges=["size"]), project)
    state = made.state({"name": "checked"}, "now")
    assert (state.inputs, state.provider, state.id) == ({"name": "checked"}, "p::1", "")
    assert state.created == state.modified == "now"
    component = Registration(URN, "own:Group", custom=False, inputs={}, provider="p::1")
    assert component.state({}, "now").provider == ""
    old = ResourceState(URN, "t", custom=True, inputs={"size": 1})
    ignoring = Registration(URN, "t", True, {"size": 2, "a": 3}, ignore_changes=("size",))
    assert ignoring.keeping(old).inputs == {"size": 1, "a": 3}
    assert ignoring.keeping(None) is ignoring


def test_a_reading_is_external(project: Project) -> None:
    """What is only looked at is remembered as no property of the program's."""
    made = door.reading(
        resource_pb2.ReadResourceRequest(
            id="i", type="fake:index:Thing", name="a", parent=GROUP, provider="p::1",
            properties=to_struct({"x": 1}), dependencies=["b", "a"], additionalSecretOutputs=["s"],
        ),
        project,
    )  # fmt: skip
    assert made == Reading(
        URN, "fake:index:Thing", "i", {"x": 1}, GROUP, "p::1", ("a", "b"), ("s",)
    )
    assert made.state({}, "p::1", "now").external


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (AliasSpec(), URN),
        (AliasSpec(name="b"), URN.replace("::a", "::b")),
        (AliasSpec(type="t:t:T"), URN.replace("fake:index:Thing", "t:t:T")),
        (AliasSpec(no_parent=True), "urn:pulumi:lab::shop::fake:index:Thing::a"),
        (AliasSpec(parent=ROOT), "urn:pulumi:lab::shop::fake:index:Thing::a"),
        (AliasSpec(stack="old", project="old"), URN.replace("lab::shop", "old::old")),
    ],
)
def test_an_alias_says_what_was_another(spec: AliasSpec, wanted: str) -> None:
    """What it leaves empty is the resource's own."""
    assert spec.urn("lab", "shop", GROUP, "fake:index:Thing", "a") == wanted


def test_the_ledger_knows_each_urn_s_place() -> None:
    """Claimed once; planned in a preview; cleared until its replacement stands."""
    ledger = Ledger()
    ledger.claim("a")
    with pytest.raises(StepFailedError, match="registered twice"):
        ledger.claim("a")
    assert not ledger.any_planned(["a", "b"])
    ledger.plan("b")
    assert ledger.any_planned(["a", "b"]) and not ledger.any_planned(["a"])
    ledger.clear(["a", "c"])
    ledger.replaced("a")
    assert [ledger.cleared(urn) for urn in "abc"] == [False, False, True]
