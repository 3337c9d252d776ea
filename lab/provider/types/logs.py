"""CloudWatch Logs: log groups."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider.aws import Aws
from lab.provider.declaration import Properties, Tagging, op
from lab.provider.resource import ResourceType

ARN = "arn:aws:logs:{region}:{account}:log-group:{id}"


class LogGroup(ResourceType):
    """A log group."""

    pulumi_type = "aws:cloudwatch/logGroup:LogGroup"
    service = "logs"
    inputs = "name kmsKeyId logGroupClass retentionInDays"
    names: ClassVar = {"name": "logGroupName"}
    autoname = "name"
    identity = ("name",)
    creation = op("CreateLogGroup")
    in_place = "retentionInDays kmsKeyId"
    id = "{name}"
    reading = op("DescribeLogGroups", "logGroups[0]", logGroupNamePrefix="{id}")
    deletion = op("DeleteLogGroup", logGroupName="{id}")
    tagging = Tagging(
        tag=op("TagResource", resourceArn=ARN),
        untag=op("UntagResource", resourceArn=ARN),
        list=op("ListTagsForResource", resourceArn=ARN),
    )
    outputs: ClassVar = {"arn": ARN}

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        answer = aws.call("logs", "DescribeLogGroups", {"logGroupNamePrefix": ident})
        for item in answer.get("logGroups") or []:
            if item["logGroupName"] == ident:
                return item
        return None

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        days = props.get("retentionInDays")
        if days:
            parameters = {"logGroupName": ident, "retentionInDays": int(days)}
            aws.call("logs", "PutRetentionPolicy", parameters)

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        if "retentionInDays" in changed:
            if after.get("retentionInDays"):
                self.finish(aws, ident, after)
            else:
                aws.call("logs", "DeleteRetentionPolicy", {"logGroupName": ident})
        if "kmsKeyId" in changed:
            if after.get("kmsKeyId"):
                parameters = {"logGroupName": ident, "kmsKeyId": after["kmsKeyId"]}
                aws.call("logs", "AssociateKmsKey", parameters)
            else:
                aws.call("logs", "DisassociateKmsKey", {"logGroupName": ident})

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key == "retentionInDays":
            return raw.get("retentionInDays", 0)
        return super().drift(aws, raw, key, written)
