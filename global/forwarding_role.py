"""The role that carries events of one region to the other region's bus."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.policies import document, trust
from tapstack.regions import Region


@dataclass(frozen=True)
class ForwardingRoleArgs:
    """From where, to which bus."""

    region: Region
    account_id: pulumi.Input[str]
    peer_bus_arn: pulumi.Input[str]


class ForwardingRole(pulumi.ComponentResource):
    """EventBridge assumes it to put events on a bus of another region (trap 26)."""

    def __init__(
        self, name: str, args: ForwardingRoleArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:ForwardingRole", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            name,
            name=args.region.physical_name("role", "forward-events"),
            permissions_boundary=args.region.permissions_boundary,
            description=f"Puts events of {args.region.name} on the other region's bus",
            assume_role_policy=trust("events.amazonaws.com", args.account_id),
            opts=child,
        )
        policy = aws.iam.Policy(
            name,
            name=args.region.physical_name("policy", "forward-events"),
            description=f"Puts events of {args.region.name} on the other region's bus",
            policy=document(
                {
                    "Sid": "PeerBus",
                    "Effect": "Allow",
                    "Action": "events:PutEvents",
                    "Resource": args.peer_bus_arn,
                }
            ),
            opts=child,
        )
        self.attachment = aws.iam.RolePolicyAttachment(
            name, role=role.name, policy_arn=policy.arn, opts=child
        )
        self.arn = role.arn
        self.register_outputs({"arn": self.arn})
