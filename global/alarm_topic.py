"""The topic of one region that its alarms publish to, and who listens."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.policies import document
from tapstack.regions import Region

PUBLISHER = "cloudwatch.amazonaws.com"
"""Only alarms publish here; the key's policy allows it as well (trap 29).

EventBridge has no statement: no rule publishes here, and a condition on the account, without which
any account's rules could, is one that EventBridge can't meet in a topic's policy (EventBridge user
guide, "Amazon SNS permissions").
"""


@dataclass(frozen=True)
class AlarmTopicArgs:
    """Where, under which key, and whom to notify."""

    region: Region
    account_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    email: str
    """Empty: nobody."""
    pager: str
    """HTTPS address; empty: none."""


class AlarmTopic(pulumi.ComponentResource):
    """An alarm publishes only to a topic of its own region, so there is one in each.

    Encrypted under our key: with the AWS-managed one alarms vanish silently (trap 29). An e-mail
    subscription stays pending until its owner confirms; a destroy then drops it together with the
    topic, since SNS refuses to unsubscribe it (trap 28b).
    """

    def __init__(
        self, name: str, args: AlarmTopicArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:AlarmTopic", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.topic = aws.sns.Topic(
            name,
            name=args.region.physical_name("topic", "alarms"),
            kms_master_key_id=args.key_arn,
            opts=child,
        )
        self.policy = aws.sns.TopicPolicy(
            name,
            arn=self.topic.arn,
            policy=document(
                {
                    "Sid": "AlarmsOfThisAccount",
                    "Effect": "Allow",
                    "Principal": {"Service": PUBLISHER},
                    "Action": "sns:Publish",
                    "Resource": self.topic.arn,
                    "Condition": {"StringEquals": {"aws:SourceAccount": args.account_id}},
                }
            ),
            opts=child,
        )
        if args.email:
            aws.sns.TopicSubscription(
                f"email-{args.region.name}",
                topic=self.topic.arn,
                protocol="email",
                endpoint=args.email,
                opts=child,
            )
        if args.pager:
            aws.sns.TopicSubscription(
                f"pager-{args.region.name}",
                topic=self.topic.arn,
                protocol="https",
                endpoint=args.pager,
                # A pager's service follows SNS's link itself.
                endpoint_auto_confirms=True,
                opts=child,
            )
        self.register_outputs({"arn": self.topic.arn})
