"""SNS: topics, their policies, subscriptions."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from lab.provider.attributes import AttributesType
from lab.provider.aws import Aws, error_code
from lab.provider.declaration import Properties, Tagging, op
from lab.provider.resource import ResourceType
from pulumi_protocol.values import plain_without_nulls

TOPIC_ATTRIBUTES = {
    "displayName": "DisplayName",
    "policy": "Policy",
    "deliveryPolicy": "DeliveryPolicy",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "fifoTopic": "FifoTopic",
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "signatureVersion": "SignatureVersion",
    "tracingConfig": "TracingConfig",
    "archivePolicy": "ArchivePolicy",
    "fifoThroughputScope": "FifoThroughputScope",
} | {
    f"{source}{outcome}": f"{name}{outcome}"
    for source, name in (
        ("application", "Application"),
        ("firehose", "Firehose"),
        ("http", "HTTP"),
        ("lambda", "Lambda"),
        ("sqs", "SQS"),
    )
    for outcome in ("SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn")
}


def default_policy(arn: str, account: str) -> str:
    """Returns the policy that SNS gives to a topic that has no other."""
    return json.dumps(
        {
            "Version": "2008-10-17",
            "Id": "__default_policy_ID",
            "Statement": [
                {
                    "Sid": "__default_statement_ID",
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": [
                        "SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission",
                        "SNS:RemovePermission", "SNS:DeleteTopic", "SNS:Subscribe",
                        "SNS:ListSubscriptionsByTopic", "SNS:Publish",
                    ],
                    "Resource": arn,
                    "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
                }
            ],
        }
    )  # fmt: skip


class Topic(AttributesType):
    """A topic."""

    pulumi_type = "aws:sns/topic:Topic"
    service = "sns"
    inputs = "name"
    autoname = "name"
    identity = ("name",)
    creation = op("CreateTopic")
    attributes: ClassVar = TOPIC_ATTRIBUTES
    fixed_attributes = "fifoTopic"
    id = "TopicArn"
    get_attributes = op("GetTopicAttributes", TopicArn="{id}")
    deletion = op("DeleteTopic", TopicArn="{id}")
    tagging = Tagging(
        tag=op("TagResource", ResourceArn="{id}"),
        untag=op("UntagResource", ResourceArn="{id}"),
        list=op("ListTagsForResource", ResourceArn="{id}"),
    )
    outputs: ClassVar = {
        "arn": "{id}",
        "owner": "Attributes.Owner",
        "policy": "Attributes.Policy",
    }

    def create(self, aws: Aws, props: Properties) -> str:
        call = op("CreateTopic")
        parameters: Properties = {"Name": props["name"], "Attributes": self.wanted(props)}
        parameters |= self.tags_of(call, props)
        return aws.call("sns", call.name, parameters)["TopicArn"]

    def set_attribute(self, aws: Aws, ident: str, values: Any) -> None:
        for name in sorted(values):
            aws.call(
                "sns",
                "SetTopicAttributes",
                {"TopicArn": ident, "AttributeName": name, "AttributeValue": values[name]},
            )

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        name = plain_without_nulls(inputs)["name"]
        arn = f"arn:aws:sns:{aws.region}:{aws.account_id}:{name}"
        return arn if self.describe(aws, arn, {}) is not None else None


class TopicPolicy(ResourceType):
    """A topic's policy."""

    pulumi_type = "aws:sns/topicPolicy:TopicPolicy"
    service = "sns"
    inputs = "arn policy"
    in_place = "policy"
    identity = ("arn",)
    id = "{arn}"
    reading = op("GetTopicAttributes", TopicArn="{id}",
              names={"arn": "", "policy": "Attributes"})  # fmt: skip
    outputs: ClassVar = {"owner": "Attributes.Owner"}

    def _put(self, aws: Aws, arn: str, policy: str) -> None:
        aws.call(
            "sns",
            "SetTopicAttributes",
            {"TopicArn": arn, "AttributeName": "Policy", "AttributeValue": policy},
        )

    def create(self, aws: Aws, props: Properties) -> str:
        self._put(aws, props["arn"], props["policy"])
        return props["arn"]

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        self._put(aws, ident, after["policy"])

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        return raw["Attributes"].get("Policy") or written if key == "policy" else written

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        self._put(aws, ident, default_policy(ident, aws.account_id))


class TopicSubscription(AttributesType):
    """A subscription."""

    pulumi_type = "aws:sns/topicSubscription:TopicSubscription"
    service = "sns"
    inputs = "topic protocol endpoint"
    settings = "confirmationTimeoutInMinutes endpointAutoConfirms"
    names: ClassVar = {"topic": "TopicArn"}
    identity = ("topic", "protocol", "endpoint")
    creation = op("Subscribe")
    attributes: ClassVar = {
        "rawMessageDelivery": "RawMessageDelivery",
        "filterPolicy": "FilterPolicy",
        "filterPolicyScope": "FilterPolicyScope",
        "redrivePolicy": "RedrivePolicy",
        "deliveryPolicy": "DeliveryPolicy",
        "replayPolicy": "ReplayPolicy",
        "subscriptionRoleArn": "SubscriptionRoleArn",
    }
    clear: ClassVar = {"RawMessageDelivery": "false", "FilterPolicy": "{}"}
    id = "SubscriptionArn"
    get_attributes = op("GetSubscriptionAttributes", SubscriptionArn="{id}")
    outputs: ClassVar = {
        "arn": "{id}",
        "ownerId": "Attributes.Owner",
        "pendingConfirmation": lambda raw: (
            (raw.get("Attributes") or {}).get("PendingConfirmation") == "true"
        ),
    }

    def create(self, aws: Aws, props: Properties) -> str:
        parameters: Properties = {
            "TopicArn": props["topic"],
            "Protocol": props["protocol"],
            "Endpoint": props["endpoint"],
            "ReturnSubscriptionArn": True,
            "Attributes": self.wanted(props),
        }
        return aws.call("sns", "Subscribe", parameters)["SubscriptionArn"]

    def set_attribute(self, aws: Aws, ident: str, values: Any) -> None:
        for name in sorted(values):
            aws.call(
                "sns",
                "SetSubscriptionAttributes",
                {"SubscriptionArn": ident, "AttributeName": name, "AttributeValue": values[name]},
            )

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = plain_without_nulls(inputs)
        found = self.ask(aws, op("ListSubscriptionsByTopic", TopicArn=props["topic"]), None, props)
        for item in (found or {}).get("Subscriptions") or []:
            same = (item["Protocol"], item["Endpoint"]) == (props["protocol"], props["endpoint"])
            if same and item["SubscriptionArn"].startswith("arn:"):
                return item["SubscriptionArn"]
        return None

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        raw = self.describe(aws, ident, props)
        if raw is None or raw["Attributes"].get("PendingConfirmation") == "true":
            return  # AWS refuses to end what was never confirmed; it forgets it by itself
        try:
            aws.call("sns", "Unsubscribe", {"SubscriptionArn": ident})
        except Exception as error:
            if error_code(error) != "InvalidParameter" or "pending" not in str(error):
                raise
