"""Who may put events on a bus from elsewhere: the other region's forwarding, nobody else."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.policies import document


@dataclass(frozen=True)
class BusPolicyArgs:
    """The bus, and the role that the other region forwards with."""

    bus: aws.cloudwatch.EventBus
    sender_role_arn: pulumi.Input[str]


class BusPolicy(pulumi.ComponentResource):
    """The resource policy (R5.2); it must stand before the other region's target (trap 26).

    The application publishes by its own role's policy and needs no statement here.
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
                    "Principal": {"AWS": args.sender_role_arn},
                    "Action": "events:PutEvents",
                    "Resource": args.bus.arn,
                }
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
