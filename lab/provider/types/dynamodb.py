"""DynamoDB: tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lab.provider.aws import Aws
from lab.provider.declaration import Failures, Properties, Tagging, op
from lab.provider.resource import ResourceType

ARN = "arn:aws:dynamodb:{region}:{account}:table/{id}"
NESTED = {
    "serverSideEncryption": frozenset({"enabled", "kmsKeyArn"}),
    "pointInTimeRecovery": frozenset({"enabled"}),
}


class Table(ResourceType):
    """A table without indexes."""

    pulumi_type = "aws:dynamodb/table:Table"
    service = "dynamodb"
    inputs = "name billingMode attributes deletionProtectionEnabled"
    settings = "hashKey rangeKey serverSideEncryption pointInTimeRecovery"
    names: ClassVar = {
        "name": "TableName",
        "attributes": "AttributeDefinitions",
        "attributes.name": "AttributeName",
        "attributes.type": "AttributeType",
    }
    autoname = "name"
    identity = ("name",)
    replace = "name hashKey rangeKey attributes"
    creation = op("CreateTable")
    updates = (
        op("UpdateTable", only="billingMode deletionProtectionEnabled", TableName="{id}"),
    )  # fmt: skip
    id = "{name}"
    reading = op(
        "DescribeTable",
        "Table",
        names={"billingMode": "BillingModeSummary.BillingMode"},
        TableName="{id}",
    )
    deletion = op("DeleteTable", TableName="{id}")
    ready = ("TableStatus", frozenset({"ACTIVE"}), frozenset())
    tagging = Tagging(
        tag=op("TagResource", ResourceArn=ARN),
        untag=op("UntagResource", ResourceArn=ARN),
        list=op("ListTagsOfResource", ResourceArn=ARN),
    )
    resets: ClassVar = {"billingMode": "PROVISIONED", "deletionProtectionEnabled": False}
    outputs: ClassVar = {"arn": "TableArn"}

    def validate(self, props: Properties, region: str) -> Failures:
        found = [
            (f"{key}.{inner}", f"{key}.{inner} of {self.pulumi_type} is not supported")
            for key, known in NESTED.items()
            for inner in _fields(props.get(key))
            if inner not in known
        ]
        if props.get("billingMode") != "PAY_PER_REQUEST":
            found.append(("billingMode", "the lab has tables of PAY_PER_REQUEST alone"))
        return found

    def create(self, aws: Aws, props: Properties) -> str:
        call = op("CreateTable")
        keys = (("hashKey", "HASH"), ("rangeKey", "RANGE"))
        parameters = self.parameters(aws, call, None, props)
        parameters["KeySchema"] = [
            {"AttributeName": props[key], "KeyType": kind} for key, kind in keys if props.get(key)
        ]
        if props.get("serverSideEncryption"):
            parameters["SSESpecification"] = _encryption(props)
        parameters |= self.tags_of(call, props)
        aws.call(self.service, call.name, parameters)
        return props["name"]

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        self.wait_ready(aws, ident, props)
        if props.get("pointInTimeRecovery"):
            self._keep_backups(aws, ident, props)

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        super().update(aws, ident, before, after, changed, state)
        if "serverSideEncryption" in changed:
            parameters = {"TableName": ident, "SSESpecification": _encryption(after)}
            aws.call(self.service, "UpdateTable", parameters)
        if "pointInTimeRecovery" in changed:
            self._keep_backups(aws, ident, after)

    def _keep_backups(self, aws: Aws, ident: str, props: Mapping[str, Any]) -> None:
        enabled = bool((props.get("pointInTimeRecovery") or {}).get("enabled"))
        specification = {"PointInTimeRecoveryEnabled": enabled}
        aws.call(
            self.service,
            "UpdateContinuousBackups",
            {"TableName": ident, "PointInTimeRecoverySpecification": specification},
        )

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key in ("hashKey", "rangeKey"):
            kind = "HASH" if key == "hashKey" else "RANGE"
            names = [one["AttributeName"] for one in raw["KeySchema"] if one["KeyType"] == kind]
            return names[0] if names else None
        if key == "serverSideEncryption":
            seen = raw.get("SSEDescription") or {}
            given = {"kmsKeyArn": seen.get("KMSMasterKeyArn")} if "kmsKeyArn" in written else {}
            return {"enabled": seen.get("Status") == "ENABLED", **given}
        if key == "pointInTimeRecovery":
            answer = aws.call(
                self.service, "DescribeContinuousBackups", {"TableName": raw["TableName"]}
            )["ContinuousBackupsDescription"]
            status = answer["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
            return {"enabled": status == "ENABLED"}
        return super().drift(aws, raw, key, written)


def _fields(value: Any) -> Mapping[str, Any]:
    """A structure's inputs; none of one that isn't known yet."""
    return value if isinstance(value, dict) else {}


def _encryption(props: Mapping[str, Any]) -> Properties:
    given = props.get("serverSideEncryption") or {}
    if not given.get("enabled"):
        return {"Enabled": False}
    key = {"KMSMasterKeyId": given["kmsKeyArn"]} if given.get("kmsKeyArn") else {}
    return {"Enabled": True, "SSEType": "KMS", **key}
