"""A queue that one EventBridge rule may write to: events that wait, dead letters, heartbeats."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.policies import document
from tapstack.regions import Region


@dataclass(frozen=True)
class Receiving:
    """How messages are received: again each ``visibility_seconds`` until they are deleted, and
    after ``most_receives`` times they go to the dead-letter queue."""

    visibility_seconds: int
    most_receives: int
    dead_letter_arn: pulumi.Input[str]


@dataclass(frozen=True)
class RuleQueueArgs:
    """Which rule's queue, how long it keeps a message (seconds), under which key."""

    region: Region
    purpose: str
    rule_arn: pulumi.Input[str]
    retention_seconds: int
    key_arn: pulumi.Input[str]
    receiving: Receiving | None = None
    """Of a queue that a function reads."""


class RuleQueue(pulumi.ComponentResource):
    """Encrypted under the region's key, which allows EventBridge to use it (trap 29).

    ``policy`` is what a target depends on: without it EventBridge drops what it can't deliver.
    """

    def __init__(
        self, name: str, args: RuleQueueArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:RuleQueue", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.queue = aws.sqs.Queue(
            name,
            name=args.region.physical_name("queue", args.purpose),
            message_retention_seconds=args.retention_seconds,
            kms_master_key_id=args.key_arn,
            opts=child,
            **_received(args.receiving),  # type: ignore[arg-type]
        )
        self.policy = aws.sqs.QueuePolicy(
            name,
            queue_url=self.queue.url,
            policy=document(
                {
                    "Sid": "WrittenByItsRule",
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": self.queue.arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": args.rule_arn}},
                }
            ),
            opts=child,
        )
        self.register_outputs({"arn": self.queue.arn})


def _received(receiving: Receiving | None) -> dict[str, object]:
    if receiving is None:
        return {}
    redrive = pulumi.Output.json_dumps(
        {
            "deadLetterTargetArn": receiving.dead_letter_arn,
            "maxReceiveCount": receiving.most_receives,
        }
    )
    return {
        "visibility_timeout_seconds": receiving.visibility_seconds,
        "redrive_policy": redrive,
    }
