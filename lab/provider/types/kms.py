"""KMS: keys and aliases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from lab.provider import shapes
from lab.provider.aws import Aws, error_code
from lab.provider.declaration import Properties, Tagging, op
from lab.provider.identity import Candidate, carries, find_created
from lab.provider.resource import ResourceType
from pulumi_protocol.values import plain_without_nulls

GONE = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
DEFAULT_DELETION_DAYS = 30


class Key(ResourceType):
    """A key."""

    pulumi_type = "aws:kms/key:Key"
    service = "kms"
    inputs = "description keyUsage customerMasterKeySpec policy multiRegion"
    settings = "deletionWindowInDays enableKeyRotation rotationPeriodInDays isEnabled"
    names: ClassVar = {"customerMasterKeySpec": "KeySpec"}
    creation = op("CreateKey")
    updates = (
        op("UpdateKeyDescription", only="description", KeyId="{id}"),
        op("PutKeyPolicy", only="policy", KeyId="{id}", PolicyName="default"),
    )
    id = "KeyMetadata.KeyId"
    reading = op("DescribeKey", "KeyMetadata", KeyId="{id}")
    ready = ("KeyState", frozenset({"Enabled", "Disabled"}), frozenset())
    gone_states = GONE
    tagging = Tagging(
        tag=op("TagResource", KeyId="{id}"),
        untag=op("UntagResource", KeyId="{id}"),
        list=op("ListResourceTags", KeyId="{id}"),
    )
    outputs: ClassVar = {"arn": "Arn", "keyId": "KeyId"}
    enabled_input: ClassVar = "isEnabled"

    def carried(self, call: Any, changed: list[str]) -> list[str]:
        return [*(call.only or ())]

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        return find_created(self, aws, inputs, self._candidates(aws, inputs))

    def _candidates(self, aws: Aws, inputs: Properties) -> Iterator[Candidate]:
        wanted = plain_without_nulls(inputs).get("tagsAll") or {}
        for page in aws.client("kms").get_paginator("list_keys").paginate():
            for ident in (item["KeyId"] for item in page["Keys"]):
                carried = self._tags_of_own(aws, ident)
                raw = self.describe(aws, ident, {}) if carries(carried, wanted) else None
                if raw is not None:
                    yield Candidate(ident, raw, carried)

    def _tags_of_own(self, aws: Aws, ident: str) -> dict[str, str]:
        """Returns the tags of a key; none for a key of AWS's own, whose tags no one may read."""
        try:
            return self.current_tags(aws, ident, {}, {})
        except Exception as error:
            if error_code(error) != "AccessDeniedException":
                raise
            return {}

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        self._rotate(aws, ident, props)
        if props.get(self.enabled_input) is False:
            aws.call("kms", "DisableKey", {"KeyId": ident})

    def _rotate(self, aws: Aws, ident: str, props: Properties) -> None:
        if props.get("enableKeyRotation"):
            parameters: Properties = {"KeyId": ident}
            if props.get("rotationPeriodInDays"):
                parameters["RotationPeriodInDays"] = int(props["rotationPeriodInDays"])
            aws.call("kms", "EnableKeyRotation", parameters)

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        super().update(aws, ident, before, after, changed, state)
        if {"enableKeyRotation", "rotationPeriodInDays"} & set(changed):
            if after.get("enableKeyRotation"):
                self._rotate(aws, ident, after)
            else:
                aws.call("kms", "DisableKeyRotation", {"KeyId": ident})
        if self.enabled_input in changed:
            enabled = after.get(self.enabled_input, True)
            aws.call("kms", "EnableKey" if enabled else "DisableKey", {"KeyId": ident})

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key == "policy":
            answer = aws.call(
                "kms", "GetKeyPolicy", {"KeyId": raw["KeyId"], "PolicyName": "default"}
            )
            return written if shapes.same(answer.get("Policy"), written) else answer.get("Policy")
        if key == "enableKeyRotation":
            answer = aws.call("kms", "GetKeyRotationStatus", {"KeyId": raw["KeyId"]})
            return bool(answer.get("KeyRotationEnabled"))
        if key == self.enabled_input:
            return bool(raw.get("Enabled", written))
        return super().drift(aws, raw, key, written)

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        if self.describe(aws, ident, props) is None:
            return
        days = int(props.get("deletionWindowInDays") or DEFAULT_DELETION_DAYS)
        aws.call("kms", "ScheduleKeyDeletion", {"KeyId": ident, "PendingWindowInDays": days})


class Alias(ResourceType):
    """A key's alias."""

    pulumi_type = "aws:kms/alias:Alias"
    service = "kms"
    inputs = "name targetKeyId"
    names: ClassVar = {"name": "AliasName"}
    autoname = "name"
    identity = ("name",)
    creation = op("CreateAlias")
    updates = (op("UpdateAlias", only="targetKeyId", AliasName="{id}"),)
    id = "{name}"
    reading = op("ListAliases", "Aliases[0]")
    deletion = op("DeleteAlias", AliasName="{id}")
    outputs: ClassVar = {
        "arn": "AliasArn",
        "targetKeyArn": "arn:aws:kms:{region}:{account}:key/{targetKeyId}",
    }

    def named(self, name: str) -> str:
        return name if name.startswith("alias/") else f"alias/{name}"

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        for page in aws.client("kms").get_paginator("list_aliases").paginate():
            for item in page["Aliases"]:
                if item["AliasName"] == ident:
                    return item
        return None

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        seen = super().drift(aws, raw, key, written)
        return written if str(written).endswith(f"/{seen}") else seen
