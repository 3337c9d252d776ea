"""SQS: queues, their policies, and whose dead letters they take."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider import shapes
from lab.provider.attributes import AttributesType
from lab.provider.aws import Aws, is_not_found
from lab.provider.declaration import Failures, Properties, Tagging, op
from lab.provider.resource import ResourceType
from pulumi_protocol.values import plain_without_nulls

QUEUE_ATTRIBUTES = {
    "delaySeconds": "DelaySeconds",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
    "policy": "Policy",
    "redrivePolicy": "RedrivePolicy",
    "redriveAllowPolicy": "RedriveAllowPolicy",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "fifoQueue": "FifoQueue",
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deduplicationScope": "DeduplicationScope",
    "fifoThroughputLimit": "FifoThroughputLimit",
}


def set_attributes(aws: Aws, url: str, values: Any) -> None:
    """Writes attributes of a queue."""
    aws.call("sqs", "SetQueueAttributes", {"QueueUrl": url, "Attributes": dict(values)})


class Queue(AttributesType):
    """A queue."""

    pulumi_type = "aws:sqs/queue:Queue"
    service = "sqs"
    inputs = "name"
    autoname = "name"
    identity = ("name",)
    creation = op("CreateQueue")
    attributes: ClassVar = QUEUE_ATTRIBUTES
    fixed_attributes = "fifoQueue"
    clear: ClassVar = {
        "DelaySeconds": "0",
        "MaximumMessageSize": "262144",
        "MessageRetentionPeriod": "345600",
        "ReceiveMessageWaitTimeSeconds": "0",
        "VisibilityTimeout": "30",
        "KmsDataKeyReusePeriodSeconds": "300",
        "SqsManagedSseEnabled": "true",
    }
    id = "QueueUrl"
    get_attributes = op("GetQueueAttributes", QueueUrl="{id}", AttributeNames=["All"])
    deletion = op("DeleteQueue", QueueUrl="{id}")
    create_retry = ("AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently")
    tagging = Tagging(
        tag=op("TagQueue", QueueUrl="{id}"),
        untag=op("UntagQueue", QueueUrl="{id}"),
        list=op("ListQueueTags", QueueUrl="{id}"),
    )
    outputs: ClassVar = {"arn": "Attributes.QueueArn", "url": "{id}"}

    def create(self, aws: Aws, props: Properties) -> str:
        call = op("CreateQueue")
        parameters: Properties = {"QueueName": props["name"], "Attributes": self.wanted(props)}
        parameters |= self.tags_of(call, props)
        return aws.call("sqs", call.name, parameters)["QueueUrl"]

    def set_attribute(self, aws: Aws, ident: str, values: Any) -> None:
        set_attributes(aws, ident, values)

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        name = plain_without_nulls(inputs)["name"]
        try:
            return aws.call("sqs", "GetQueueUrl", {"QueueName": name})["QueueUrl"]
        except Exception as error:
            if is_not_found(error):
                return None
            raise


class _QueueAttribute(ResourceType):
    """One attribute of a queue as a resource of its own."""

    service = "sqs"
    key: ClassVar[str]
    attribute: ClassVar[str]
    id = "{queueUrl}"
    identity = ("queueUrl",)
    reading = op("GetQueueAttributes", QueueUrl="{id}", AttributeNames=["All"])

    def replaces(self, prop: str) -> bool:
        return prop in ("queueUrl", "region")

    def check_nested(self, key: str, value: Any) -> Failures:
        return [(key, f"{key} is a JSON text")]

    def create(self, aws: Aws, props: Properties) -> str:
        set_attributes(aws, props["queueUrl"], {self.attribute: props[self.key]})
        return props["queueUrl"]

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        self.create(aws, after)

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        raw = super().describe(aws, ident, props)
        return raw if raw and (raw.get("Attributes") or {}).get(self.attribute) else None

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key != self.key:
            return written
        seen = raw["Attributes"].get(self.attribute)
        return written if not seen or shapes.same(seen, written) else seen

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        set_attributes(aws, ident, {self.attribute: ""})


class QueuePolicy(_QueueAttribute):
    """A queue's policy."""

    pulumi_type = "aws:sqs/queuePolicy:QueuePolicy"
    inputs = "queueUrl policy"
    key, attribute = "policy", "Policy"


class RedriveAllowPolicy(_QueueAttribute):
    """Whose dead letters a queue takes."""

    pulumi_type = "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy"
    inputs = "queueUrl redriveAllowPolicy"
    key, attribute = "redriveAllowPolicy", "RedriveAllowPolicy"
