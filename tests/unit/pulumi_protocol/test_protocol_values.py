"""Property values: on the wire, unwrapped, masked, without contents."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import struct_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulumi_protocol import values
from pulumi_protocol.masking import masked
from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.values import ARCHIVE, ASSET, OUTPUT_VALUE, SIGNATURE, UNKNOWN, secret

settings.register_profile(
    "protocol", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
protocol = settings.get_profile("protocol")
KEYS = st.text('abcxyz_ .[]"\\', min_size=1, max_size=4)
LEAVES = st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(max_size=5)
UNKNOWNS = st.just(UNKNOWN)


def trees(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(KEYS, inner, max_size=3)
            | inner.map(lambda value: {SIGNATURE: values.SECRET, "value": value})
        ),
        max_leaves=8,
    )


@protocol
@given(st.dictionaries(KEYS, trees(LEAVES | UNKNOWNS), max_size=4))
def test_values_survive_the_wire(properties: dict[str, Any]) -> None:
    """Secrets, unknowns, empty lists and maps, nulls and whole numbers come back as they went."""
    wire = struct_pb2.Struct.FromString(to_struct(properties).SerializeToString())
    assert from_struct(wire) == properties


@protocol
@given(trees(LEAVES | UNKNOWNS))
def test_plain_and_masked_values_hold_no_secret(value: Any) -> None:
    """Unwrapping leaves no marker; masking leaves no marker and no unknown's signature."""
    assert not values.contains_secret(values.plain(value))
    assert not values.contains_secret(masked(value))
    assert not values.contains_unknown(masked(value))


def test_output_values_and_unknown_signatures() -> None:
    """An output value is its content, secret or unknown; a signature nobody knows is refused."""
    wire = to_struct(
        {
            "known": {SIGNATURE: OUTPUT_VALUE, "value": 1},
            "hidden": {SIGNATURE: OUTPUT_VALUE, "value": 2, "secret": True},
            "open": {SIGNATURE: OUTPUT_VALUE},
        }
    )
    assert from_struct(wire) == {"known": 1, "hidden": secret(2), "open": UNKNOWN}
    with pytest.raises(ValueError, match="unknown signature 'x'"):
        from_struct(to_struct({"a": {SIGNATURE: "x"}}))
    with pytest.raises(TypeError, match="no Pulumi value can be made of set"):
        to_struct({"a": set()})


def test_references_become_ids() -> None:
    """A plugin that takes no resource references gets ids; a component's is its URN."""
    custom = {SIGNATURE: values.RESOURCE_REFERENCE, "urn": "u", "id": "i"}
    coming = {SIGNATURE: values.RESOURCE_REFERENCE, "urn": "u", "id": ""}
    component = {SIGNATURE: values.RESOURCE_REFERENCE, "urn": "u"}
    assert values.references_as_ids([custom, coming, component, {"id": "x"}]) == [
        "i",
        UNKNOWN,
        "u",
        {"id": "x"},
    ]


def test_diffs_get_no_contents_of_assets() -> None:
    """Only kind and hash, at any depth; other values are as they were."""
    asset = {SIGNATURE: ASSET, "text": "contents", "hash": "h"}
    unread = {SIGNATURE: ARCHIVE, "path": "p"}
    assert values.without_asset_contents({"a": [asset, unread], "b": {"text": "t"}}) == {
        "a": [{SIGNATURE: ASSET, "hash": "h"}, {SIGNATURE: ARCHIVE, "hash": ""}],
        "b": {"text": "t"},
    }


def test_a_null_is_absent_for_a_provider_alone() -> None:
    """Without secrets nulls stay as they are; for a provider they go from objects, also where a
    secret held one, and stay in lists, whose items have places."""
    value = {"a": None, "b": secret(None), "c": [None, {"d": None}], "e": secret({"f": None})}
    assert values.plain(value) == {"a": None, "b": None, "c": [None, {"d": None}], "e": {"f": None}}
    assert values.plain_without_nulls(value) == {"c": [None, {}], "e": {}}
    asset = {SIGNATURE: ASSET, "text": "contents", "hash": "h"}
    assert values.plain_without_nulls({"code": asset}) == {"code": asset}
