"""KMS: keys and aliases."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider import shapes, wire
from lab.provider.aws import Aws, error_code
from lab.provider.resource import Properties, ResourceType, Tagging, op, tags_from_aws

GONE = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
DEFAULT_DELETION_DAYS = 30


class Key(ResourceType):
    """A key."""

    pulumi_type = "aws:kms/key:Key"
    service = "kms"
    inputs = "description keyUsage customerMasterKeySpec policy multiRegion"
    settings = "deletionWindowInDays enableKeyRotation rotationPeriodInDays isEnabled"
    names: ClassVar = {"customerMasterKeySpec": "KeySpec"}
    create = op("CreateKey")
    updates = (
        op("UpdateKeyDescription", only="description", KeyId="{id}"),
        op("PutKeyPolicy", only="policy", KeyId="{id}", PolicyName="default"),
    )
    id = "KeyMetadata.KeyId"
    read = op("DescribeKey", "KeyMetadata", KeyId="{id}")
    ready = ("KeyState", frozenset({"Enabled", "Disabled"}), frozenset())
    gone_states = GONE
    tagging = Tagging(
        tag=op("TagResource", KeyId="{id}"),
        untag=op("UntagResource", KeyId="{id}"),
        list=op("ListResourceTags", KeyId="{id}"),
    )
    outputs: ClassVar = {"arn": "Arn", "keyId": "KeyId"}
    enabled_input: ClassVar = "isEnabled"

    def sent_with(self, call: Any, changed: list[str]) -> list[str]:
        return [*(call.only or ())]

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        wanted = wire.plain(inputs).get("tagsAll") or {}
        if "Name" not in wanted:
            return None
        for page in aws.client("kms").get_paginator("list_keys").paginate():
            for item in page["Keys"]:
                try:
                    answer = aws.call("kms", "ListResourceTags", {"KeyId": item["KeyId"]})
                except Exception as error:
                    if error_code(error) == "AccessDeniedException":
                        continue  # a key of AWS's own
                    raise
                tags = tags_from_aws(answer.get("Tags") or [])
                same = all(
                    tags.get(key) == wanted.get(key) for key in ("Name", "EnvironmentSuffix")
                )
                if same and self.describe(aws, item["KeyId"], {}):
                    return item["KeyId"]
        return None

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

    def do_update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        super().do_update(aws, ident, before, after, changed, state)
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

    def do_delete(self, aws: Aws, ident: str, props: Properties) -> None:
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
    create = op("CreateAlias")
    updates = (op("UpdateAlias", only="targetKeyId", AliasName="{id}"),)
    id = "{name}"
    read = op("ListAliases", "Aliases[0]")
    remove = op("DeleteAlias", AliasName="{id}")
    outputs: ClassVar = {
        "arn": "AliasArn",
        "targetKeyArn": "arn:aws:kms:{region}:{account}:key/{targetKeyId}",
    }

    def assign_name(self, news: Properties, olds: Properties, urn: str, seed: bytes) -> None:
        super().assign_name(news, olds, urn, seed)
        if not str(news["name"]).startswith("alias/") and not wire.has_unknown(news["name"]):
            news["name"] = f"alias/{news['name']}"

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        for page in aws.client("kms").get_paginator("list_aliases").paginate():
            for item in page["Aliases"]:
                if item["AliasName"] == ident:
                    return item
        return None

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        seen = super().drift(aws, raw, key, written)
        return written if str(written).endswith(f"/{seen}") else seen
