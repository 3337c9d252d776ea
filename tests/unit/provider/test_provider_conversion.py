"""Names and values between pulumi-aws and AWS; archives; wire values."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.provider import shapes, wire
from lab.provider.archive import zipped
from lab.provider.aws import Aws, CancelledError

SESSION = Session()


def shape(service: str, operation: str) -> Any:
    return SESSION.get_service_model(service).operation_model(operation).input_shape


LIFECYCLE = shape("s3", "PutBucketLifecycleConfiguration").members["LifecycleConfiguration"]
REPLICATION = shape("s3", "PutBucketReplication").members["ReplicationConfiguration"]
FUNCTION = shape("lambda", "CreateFunction")

days = st.integers(1, 3650)
status = st.sampled_from(["Enabled", "Disabled"])
lifecycle_rules = st.lists(
    st.fixed_dictionaries(
        {"id": st.text("abc", min_size=1, max_size=8), "status": status},
        optional={
            "filter": st.fixed_dictionaries({"prefix": st.text("ab/", max_size=4)}),
            "expiration": st.fixed_dictionaries({"days": days}),
            "noncurrentVersionExpiration": st.fixed_dictionaries(
                {"noncurrentDays": days}, optional={"newerNoncurrentVersions": st.integers(1, 9)}
            ),
            "transitions": st.lists(
                st.fixed_dictionaries({"days": days, "storageClass": st.just("STANDARD_IA")}),
                min_size=1,
                max_size=3,
            ),
        },
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda rule: str(rule["id"]),
)


@given(lifecycle_rules)
@settings(max_examples=60, deadline=None)
def test_nested_values_survive_the_way_to_aws_and_back(rules: list[dict[str, Any]]) -> None:
    """What is written is read back as it was written, in AWS's names in between."""
    made = shapes.to_aws(rules, LIFECYCLE.members["Rules"], {}, "rules")
    assert all("ID" in rule and rule["Status"] in ("Enabled", "Disabled") for rule in made)
    assert shapes.from_aws(made, LIFECYCLE.members["Rules"], {}, "rules", rules) == rules


@given(lifecycle_rules, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_another_order_is_no_drift(rules: list[dict[str, Any]], random: Any) -> None:
    """AWS answers lists in an order of its own."""
    made = shapes.to_aws(rules, LIFECYCLE.members["Rules"], {}, "rules")
    random.shuffle(made)
    assert shapes.from_aws(made, LIFECYCLE.members["Rules"], {}, "rules", rules) == rules


@given(lifecycle_rules, days)
@settings(max_examples=40, deadline=None)
def test_a_changed_value_is_drift(rules: list[dict[str, Any]], other: int) -> None:
    """A value that AWS has otherwise is answered as AWS has it."""
    rules[0]["expiration"] = {"days": other}
    made = shapes.to_aws(rules, LIFECYCLE.members["Rules"], {}, "rules")
    made[0]["Expiration"]["Days"] = other + 1
    seen = shapes.from_aws(made, LIFECYCLE.members["Rules"], {}, "rules", rules)
    assert seen != rules
    assert seen[0]["expiration"] == {"days": other + 1}


def test_what_aws_does_not_tell_is_as_written() -> None:
    """A member that the answer lacks is no drift; an empty list is."""
    member = FUNCTION.members["VpcConfig"]
    written = {"subnetIds": ["a"], "securityGroupIds": ["b"]}
    assert shapes.from_aws({"SubnetIds": ["a"]}, member, {}, "vpcConfig", written) == written
    seen = shapes.from_aws({"SubnetIds": []}, member, {}, "vpcConfig", written)
    assert seen["subnetIds"] == []


def test_singulars_and_flattened_lists_are_matched() -> None:
    """pulumi-aws writes single blocks as objects and plurals in the singular."""
    controls = shape("s3", "PutBucketOwnershipControls").members["OwnershipControls"]
    value = {"objectOwnership": "BucketOwnerEnforced"}
    place = shapes.member(controls, "rule")
    assert place == "Rules"
    made = shapes.to_aws(value, controls.members[place], {}, "rule")
    assert made == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert shapes.from_aws(made, controls.members[place], {}, "rule", value) == value


def test_an_unmapped_name_is_named_with_its_path() -> None:
    """Nothing is dropped silently, however deep."""
    rules = [{"destination": {"bucket": "b", "metrics": {"state": "x"}}}]
    with pytest.raises(shapes.UnmappedError) as caught:
        shapes.to_aws(rules, REPLICATION.members["Rules"], {}, "rules")
    assert caught.value.path == "rules.destination.metrics.state"


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1, max_size=6), plain_values, max_size=4))
def test_properties_survive_the_wire(properties: dict[str, Any]) -> None:
    """Struct and back: integers stay integers, nulls stay nulls."""
    assert wire.from_struct(wire.to_struct(properties)) == properties


def test_an_archive_is_the_same_zip_for_the_same_content(tmp_path: Path) -> None:
    """Neither times nor order nor the kind of source show in the zip."""
    for name in ("b.js", "a.js"):
        (tmp_path / "lib").mkdir(exist_ok=True)
        (tmp_path / "lib" / name).write_text(name)
    folder = {wire.SIGNATURE: wire.ARCHIVE, "path": str(tmp_path)}
    assets = {
        f"lib/{name}": {wire.SIGNATURE: wire.ASSET, "text": name} for name in ("a.js", "b.js")
    }
    listed = {wire.SIGNATURE: wire.ARCHIVE, "assets": assets}
    nested = {
        wire.SIGNATURE: wire.ARCHIVE,
        "assets": {"lib": {wire.SIGNATURE: wire.ARCHIVE, "path": str(tmp_path / "lib")}},
    }
    assert zipped(folder) == zipped(listed) == zipped(nested)
    with zipfile.ZipFile(io.BytesIO(zipped(folder))) as file:
        assert file.namelist() == ["lib/a.js", "lib/b.js"]
        assert file.read("lib/b.js") == b"b.js"


def test_a_hash_alone_is_no_archive() -> None:
    """The engine sends old assets as hashes: they can't become code."""
    gone = {
        wire.SIGNATURE: wire.ARCHIVE,
        "assets": {"a": {wire.SIGNATURE: wire.ASSET, "hash": "x"}},
    }
    with pytest.raises(ValueError, match="hash"):
        zipped(gone)


def test_waiting_ends_when_the_engine_cancels() -> None:
    """Cancel ends waiting loops at once; a wait that takes too long says for what."""
    aws = Aws("us-east-1")
    with pytest.raises(TimeoutError, match="the moon"):
        aws.until("the moon", 0.01, lambda: None)
    aws.cancelled.set()
    with pytest.raises(CancelledError):
        aws.until("the moon", 60, lambda: None)
