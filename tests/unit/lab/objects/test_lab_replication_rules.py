"""Which replication rule holds for an object (S3 user guide, "Replication configuration")."""

from __future__ import annotations

from typing import Any

import pytest

from lab.objects.rules import replicates_delete_markers, replicates_object, rules_for


def rule(**given: Any) -> dict[str, Any]:
    """An enabled rule for everything."""
    whole = {
        "ID": "r",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {},
        "Destination": {"Bucket": "arn:aws:s3:::b"},
    }
    return whole | given


@pytest.mark.parametrize(
    ("given", "key", "tags", "matches"),
    [
        ({}, "a", {}, True),
        ({"Status": "Disabled"}, "a", {}, False),
        ({"Filter": {"Prefix": "a/"}}, "a/1", {}, True),
        ({"Filter": {"Prefix": "a/"}}, "b/1", {}, False),
        ({"Filter": {"Tag": {"Key": "k", "Value": "v"}}}, "a", {"k": "v"}, True),
        ({"Filter": {"Tag": {"Key": "k", "Value": "v"}}}, "a", {}, False),
        (
            {"Filter": {"And": {"Prefix": "a", "Tags": [{"Key": "k", "Value": "v"}]}}},
            "ab",
            {"k": "v"},
            True,
        ),
        (
            {"Filter": {"And": {"Prefix": "a", "Tags": [{"Key": "k", "Value": "v"}]}}},
            "ab",
            {"k": "w"},
            False,
        ),
    ],
)
def test_status_prefix_and_tags_choose(
    given: dict[str, Any], key: str, tags: dict[str, str], matches: bool
) -> None:
    """R4.1: what the deployed configuration says is what is replicated."""
    assert bool(rules_for({"Rules": [rule(**given)]}, key, tags)) is matches


def test_the_highest_priority_wins_for_one_destination() -> None:
    """Two rules with the same destination: one copy."""
    low, high = rule(ID="low", Priority=1), rule(ID="high", Priority=2)
    other = rule(ID="other", Destination={"Bucket": "arn:aws:s3:::c"})
    chosen = rules_for({"Rules": [high, low, other]}, "a", {})
    assert {item["ID"] for item in chosen} == {"high", "other"}


def test_replicas_are_not_replicated_again() -> None:
    """Trap 24b: two-way replication makes no loop; changed metadata goes back when asked for."""
    synced = rule(SourceSelectionCriteria={"ReplicaModifications": {"Status": "Enabled"}})
    for given in (rule(), synced):
        assert not replicates_object(given, is_replica=True, encryption="", only_modified=False)
    assert replicates_object(synced, is_replica=True, encryption="", only_modified=True)
    assert not replicates_object(rule(), is_replica=True, encryption="", only_modified=True)


def test_objects_under_kms_keys_need_to_be_selected() -> None:
    """Trap 24."""
    selected = rule(SourceSelectionCriteria={"SseKmsEncryptedObjects": {"Status": "Enabled"}})
    assert replicates_object(selected, is_replica=False, encryption="aws:kms", only_modified=False)
    assert not replicates_object(
        rule(), is_replica=False, encryption="aws:kms", only_modified=False
    )
    assert replicates_object(rule(), is_replica=False, encryption="AES256", only_modified=False)


def test_delete_markers_need_the_filtered_form_and_its_switch() -> None:
    """Trap 23."""
    assert not replicates_delete_markers(rule())
    assert replicates_delete_markers(rule(DeleteMarkerReplication={"Status": "Enabled"}))
    assert replicates_delete_markers({"Prefix": "", "Destination": {}})
