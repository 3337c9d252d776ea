"""Names and values between pulumi-aws and AWS; archives; wire values."""

from __future__ import annotations

import io
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.provider import diff, plugin, shapes
from lab.provider.archive import zipped
from lab.provider.aws import Aws, CancelledError
from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.values import ARCHIVE, ASSET, SIGNATURE, UNKNOWN

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


def test_what_aws_does_not_answer_is_as_written() -> None:
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


@pytest.mark.no_cover
@given(st.dictionaries(st.text(min_size=1, max_size=6), plain_values, max_size=4))
def test_properties_survive_the_wire(properties: dict[str, Any]) -> None:
    """Struct and back: integers stay integers, nulls stay nulls."""
    assert from_struct(to_struct(properties)) == properties


def test_an_archive_is_the_same_zip_for_the_same_content(tmp_path: Path) -> None:
    """Neither times nor order nor the kind of source show in the zip."""
    for name in ("b.js", "a.js"):
        (tmp_path / "lib").mkdir(exist_ok=True)
        (tmp_path / "lib" / name).write_text(name)
    folder = {SIGNATURE: ARCHIVE, "path": str(tmp_path)}
    assets = {f"lib/{name}": {SIGNATURE: ASSET, "text": name} for name in ("a.js", "b.js")}
    listed = {SIGNATURE: ARCHIVE, "assets": assets}
    nested = {
        SIGNATURE: ARCHIVE,
        "assets": {"lib": {SIGNATURE: ARCHIVE, "path": str(tmp_path / "lib")}},
    }
    assert zipped(folder) == zipped(listed) == zipped(nested)
    with zipfile.ZipFile(io.BytesIO(zipped(folder))) as file:
        assert file.namelist() == ["lib/a.js", "lib/b.js"]
        assert file.read("lib/b.js") == b"b.js"


def test_a_hash_alone_is_no_archive() -> None:
    """The engine sends old assets as hashes: they can't become code."""
    gone = {
        SIGNATURE: ARCHIVE,
        "assets": {"a": {SIGNATURE: ASSET, "hash": "x"}},
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


SCALING = shape("rds", "CreateDBCluster").members["ServerlessV2ScalingConfiguration"]
VPC_ATTRIBUTE = shape("ec2", "ModifyVpcAttribute").members["EnableDnsSupport"]
NAME = FUNCTION.members["FunctionName"]
VARIABLES = FUNCTION.members["Environment"].members["Variables"]
STRUCTURE = FUNCTION.members["VpcConfig"]
START = shape("cloudwatch", "GetMetricData").members["StartTime"]


@pytest.mark.parametrize(
    ("value", "place", "made"),
    [
        (UNKNOWN, STRUCTURE, UNKNOWN),
        ([], STRUCTURE, {}),
        ([{"subnetIds": "a"}], STRUCTURE, {"SubnetIds": ["a"]}),
        ({"subnetIds": None, "securityGroupIds": ["b"]}, STRUCTURE, {"SecurityGroupIds": ["b"]}),
        (True, VPC_ATTRIBUTE, {"Value": True}),
        ("false", VPC_ATTRIBUTE, {"Value": False}),
        (True, NAME, "true"),
        ({"b": 1, "a": [2]}, NAME, '{"a":[2],"b":1}'),
        ({"A": 1}, VARIABLES, {"A": "1"}),
        ("0.5", SCALING.members["MinCapacity"], 0.5),
        ("3", FUNCTION.members["Timeout"], 3),
        (b"zip", FUNCTION.members["Code"].members["ZipFile"], b"zip"),
    ],
    ids=str,
)
def test_a_value_takes_the_form_of_its_place(value: Any, place: Any, made: Any) -> None:
    """First light: what pulumi-aws flattens, wraps or has as text is as AWS's model has it."""
    assert shapes.to_aws(value, place, {}, "x") == made


@pytest.mark.parametrize(
    ("value", "place", "why"),
    [
        ([{}, {}], STRUCTURE, "AWS takes one of it, got 2"),
        ("text", STRUCTURE, "x"),
        (["text"], VARIABLES, "x"),
    ],
    ids=["two", "text", "list"],
)
def test_a_value_that_has_no_place_is_refused(value: Any, place: Any, why: str) -> None:
    """First light: a wrong kind of value is named, never guessed at."""
    with pytest.raises(shapes.UnmappedError, match=why):
        shapes.to_aws(value, place, {}, "x")


def test_an_input_that_names_send_nowhere_is_left_out() -> None:
    """A name mapped to nothing is another call's."""
    value = {"subnetIds": ["a"], "vpcId": "v"}
    made = shapes.to_aws(value, STRUCTURE, {"x.vpcId": ""}, "x")
    assert made == {"SubnetIds": ["a"]}


MOMENT = datetime(2024, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "place", "like", "made"),
    [
        (None, NAME, "as written", "as written"),
        (5, None, None, 5),
        ({"SubnetIds": ["a"]}, STRUCTURE, [{"subnetIds": ["b"]}], [{"subnetIds": ["a"]}]),
        ({"SubnetIds": ["a"], "VpcId": None}, STRUCTURE, None, {"subnetIds": ["a"]}),
        ({"Value": False}, VPC_ATTRIBUTE, True, False),
        ({"SubnetIds": ["a"]}, STRUCTURE, {"other": 1}, {"other": 1}),
        ({"A": "b"}, VARIABLES, None, {"A": "b"}),
        ({"Id": 1}, NAME, None, '{"Id": 1}'),
        (MOMENT, START, "2024-05-06T00:00:00Z", "2024-05-06T00:00:00Z"),
        (MOMENT, START, None, "2024-05-06T00:00:00+00:00"),
        ([], STRUCTURE.members["SubnetIds"], "flat", "flat"),
    ],
    ids=str,
)
def test_an_answer_takes_the_form_that_was_written(
    value: Any, place: Any, like: Any, made: Any
) -> None:
    """Refresh: the program's own form of a value, or AWS's in camelCase for ``.get()``."""
    assert shapes.from_aws(value, place, {}, "x", like) == made


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (5.0, "5", True),
        (True, "true", True),
        (None, "", False),
        ([1], "1", False),
        ('{"Action": ["a"]}', '{"Action":"a"}', True),
        ('{"Action": ["a", "b"]}', '{"Action": ["b", "a"]}', True),
        ("{no json", "{other", False),
    ],
)
def test_values_are_the_same_as_a_user_means_it(one: Any, other: Any, same: bool) -> None:
    """A number as text and a policy in another order are no drift; an absent value is one."""
    assert shapes.same(one, other) is same


def test_only_what_a_program_writes_is_compared() -> None:
    """The SDK's own marks and what is null on both sides are no difference."""
    old = {"__defaults": [], "a": None, "b": 1, "d": {"x": None}}
    new = {"__defaults": ["b"], "a": None, "c": 2, "d": {"x": None}}
    assert list(diff.changes(old, new)) == [("b", "b", diff.DELETE), ("c", "c", diff.ADD)]


def test_what_the_wire_can_t_carry_is_refused() -> None:
    """A value of another kind (a moment, bytes) is an error of the plugin's, not a wrong text."""
    with pytest.raises(TypeError, match="no Pulumi value can be made of datetime"):
        to_struct({"at": MOMENT})


def test_the_sdk_that_is_loaded_already_stays_as_it_is() -> None:
    """The plugin's short cut around the SDK is for its own process only."""
    import pulumi

    plugin._spare_the_sdk()
    assert sys.modules["pulumi"] is pulumi
