"""What an interrupted creation made is found again by all that it was made with (N7)."""

from __future__ import annotations

from typing import Any

import pytest
from scripted_aws import Scripted

from lab.provider.identity import Candidate, carries, find_created
from lab.provider.registry import all_types, resource_type
from lab.provider.types.ec2 import Ec2Type

VPC = "aws:ec2/vpc:Vpc"
KEY = "aws:kms/key:Key"
TAGS = {"Name": "one", "Stage": "test"}
ASKED = {"cidrBlock": "10.0.0.0/16", "tags": {"Name": "one"}, "tagsAll": TAGS}


def candidate(ident: str, tags: dict[str, str], cidr: str = "10.0.0.0/16") -> Candidate:
    return Candidate(ident, {"VpcId": ident, "CidrBlock": cidr}, tags)


@pytest.mark.parametrize(
    ("candidates", "found"),
    [
        ([candidate("a", TAGS)], "a"),
        ([candidate("a", {**TAGS, "aws:backup": "x"})], "a"),
        ([candidate("a", {"Name": "one"})], None),
        ([candidate("a", {**TAGS, "Stage": "prod"})], None),
        ([candidate("a", TAGS, "10.9.0.0/16")], None),
        ([candidate("a", TAGS, "10.9.0.0/16"), candidate("b", TAGS)], "b"),
        ([candidate("a", TAGS), candidate("b", TAGS)], None),
        ([candidate("a", {})], None),
        ([], None),
    ],
    ids=["alike", "tagged by AWS", "lacks a tag", "other tag", "other input", "replaced", "two",
         "untagged", "none"],
)  # fmt: skip
def test_the_one_that_has_all_tags_and_inputs_is_taken(
    candidates: list[Candidate], found: str | None
) -> None:
    """N7: every tag and every input of the creating call counts, so that neither a neighbour nor
    the resource that is being replaced is taken; of two alike neither is."""
    assert find_created(resource_type(VPC), Scripted(), ASKED, candidates) == found


def test_what_is_tagged_later_may_have_no_tag_yet() -> None:
    """N7, trap 15b: Route 53 tags in a second call: without any tag it may be ours, and one that
    has the tags goes before it."""
    kind, aws = resource_type(VPC), Scripted()
    untagged, tagged = candidate("a", {}), candidate("b", TAGS)
    assert find_created(kind, aws, ASKED, [untagged], tagged_later=True) == "a"
    assert find_created(kind, aws, ASKED, [untagged, tagged], tagged_later=True) == "b"
    others = candidate("c", {"Name": "other"})
    assert find_created(kind, aws, ASKED, [others], tagged_later=True) is None


def test_no_tags_distinguish_nothing() -> None:
    """N7: a resource without tags is never recognised by them."""
    assert not carries({"Name": "one"}, {})
    assert carries({"Number": "1"}, {"Number": 1})


SEARCHED = [kind for kind in all_types().values() if isinstance(kind, Ec2Type) and kind.search]


@pytest.mark.parametrize("kind", SEARCHED, ids=lambda kind: kind.pulumi_type)
def test_ec2_is_asked_for_all_tags_by_the_parameter_that_its_call_has(kind: Ec2Type) -> None:
    """N7: most describe calls take ``Filters``, DescribeNatGateways and DescribeFlowLogs
    ``Filter``; each asks for every tag of the inputs."""
    assert kind.search is not None
    aws = Scripted()
    keys = dict.fromkeys(kind.find_keys.values(), "x")
    assert kind.look_up(aws, {**keys, "tagsAll": TAGS}) is None
    ((operation, parameters),) = aws.made
    singular = ("DescribeNatGateways", "DescribeFlowLogs")
    ((name, filters),) = parameters.items()
    assert name == ("Filter" if operation in singular else "Filters")
    asked = {item["Name"]: item["Values"] for item in filters}
    assert asked == {
        "tag:Name": ["one"],
        "tag:Stage": ["test"],
        **{name: ["x"] for name in kind.find_keys},
    }


def test_a_key_is_one_s_own_only_with_all_that_it_was_made_with() -> None:
    """N7, trap 4: of keys with the same tags the one with the description asked for is taken, and
    one that waits for its deletion isn't."""

    class Keys(Scripted):
        def call(self, service: str, operation: str, *rest: Any, **more: Any) -> dict[str, Any]:
            answer = super().call(service, operation, *rest, **more)
            ident = self.made[-1][1].get("KeyId", "")
            return {"KeyMetadata": keys[ident]} if operation == "DescribeKey" else answer

    keys = {
        "1": {"KeyId": "1", "KeyState": "Enabled", "Description": "other"},
        "2": {"KeyId": "2", "KeyState": "Enabled", "Description": "data"},
        "3": {"KeyId": "3", "KeyState": "PendingDeletion", "Description": "data"},
    }
    carried = {"Tags": [{"TagKey": key, "TagValue": value} for key, value in TAGS.items()]}
    pages = {"list_keys": [{"Keys": [{"KeyId": ident} for ident in keys]}]}
    aws = Keys({"ListResourceTags": carried}, pages)
    inputs = {"description": "data", "tagsAll": TAGS}
    assert resource_type(KEY).look_up(aws, inputs) == "2"


def test_a_declaration_can_t_be_changed() -> None:
    """Decide, then act: what a type declares is the same for every call of a process."""
    with pytest.raises(AttributeError, match="Vpc is a declaration: inputs can't be set"):
        resource_type(VPC).inputs = ""  # type: ignore[misc]
