"""Which rule of a replication configuration an object falls under: pure decisions.

S3 user guide, "Replication configuration file elements".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KMS = "aws:kms"


def rules_for(
    configuration: Mapping[str, Any], key: str, tags: Mapping[str, str]
) -> list[Mapping[str, Any]]:
    """The rules that hold for an object: of those with the same destination, the one with the
    highest priority."""
    chosen: dict[str, Mapping[str, Any]] = {}
    for rule in sorted(configuration.get("Rules", []), key=lambda rule: rule.get("Priority", 0)):
        if rule.get("Status") == "Enabled" and _matches(rule, key, tags):
            chosen[rule["Destination"]["Bucket"]] = rule
    return list(chosen.values())


def replicates_object(
    rule: Mapping[str, Any], *, is_replica: bool, encryption: str, only_modified: bool
) -> bool:
    """Whether a rule copies an object: replicas aren't replicated again, but changes of their
    metadata are when the rule says so; objects under KMS keys only when the rule selects them."""
    criteria = rule.get("SourceSelectionCriteria") or {}
    if is_replica and not (only_modified and _enabled(criteria, "ReplicaModifications")):
        return False
    return encryption != KMS or _enabled(criteria, "SseKmsEncryptedObjects")


def replicates_delete_markers(rule: Mapping[str, Any]) -> bool:
    """Only rules in the second form, with a filter, and only when they say so; the first form
    always did."""
    if "Filter" not in rule:
        return True
    return _enabled(rule, "DeleteMarkerReplication")


def _enabled(holder: Mapping[str, Any], name: str) -> bool:
    return (holder.get(name) or {}).get("Status") == "Enabled"


def _matches(rule: Mapping[str, Any], key: str, tags: Mapping[str, str]) -> bool:
    if "Filter" not in rule:
        return key.startswith(rule.get("Prefix", ""))
    selected = rule["Filter"] or {}
    both = selected.get("And") or {}
    wanted = [*([selected["Tag"]] if selected.get("Tag") else []), *(both.get("Tags") or [])]
    prefix = selected.get("Prefix") or both.get("Prefix") or ""
    return key.startswith(prefix) and all(tags.get(tag["Key"]) == tag["Value"] for tag in wanted)
