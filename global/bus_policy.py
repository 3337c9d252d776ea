"""Who may put events on a bus from elsewhere: the other region's forwarding rule, nobody else."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.policies import document

ACCOUNT = "arn:aws:iam::{0}:root"


@dataclass(frozen=True)
class BusPolicyArgs:
    """The bus, whose account, and the rule by which the other region forwards."""

    bus: aws.cloudwatch.EventBus
    account_id: pulumi.Input[str]
    sender_rule_arn: pulumi.Input[str]


class BusPolicy(pulumi.ComponentResource):
    """The resource policy (R5.2); it must stand before the other region's target (trap 26).

    The account is named and its rule is the condition, as AWS writes it: a policy that names a role
    made a second ago is refused while IAM doesn't know it everywhere (tf-aws #41617). The
    application publishes by its own role's policy and needs no statement here.
    """

    def __init__(
        self, name: str, args: BusPolicyArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:BusPolicy", name, None, opts)
        self.policy = aws.cloudwatch.EventBusPolicy(
            name,
            event_bus_name=args.bus.name,
            policy=document(
                {
                    "Sid": "ForwardedByThePeerRegion",
                    "Effect": "Allow",
                    "Principal": {"AWS": pulumi.Output.format(ACCOUNT, args.account_id)},
                    "Action": "events:PutEvents",
                    "Resource": args.bus.arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": args.sender_rule_arn}},
                }
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
