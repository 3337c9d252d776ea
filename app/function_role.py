"""The role of a function: one trust policy, one customer-managed policy, no inline ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from policy_statements import Statement
from tapstack.policies import document, trust
from tapstack.regions import Region


@dataclass(frozen=True)
class FunctionRoleArgs:
    """Whose role it is, and what it may do."""

    region: Region
    purpose: str
    """The function's purpose in its name (``api``)."""
    statements: Sequence[Statement]


class FunctionRole(pulumi.ComponentResource):
    """A role that AWS Lambda assumes for functions of this account.

    ``attachment`` is what a function must depend on: its network interfaces are reaped only while
    the role may delete them (trap 19).
    """

    def __init__(
        self, name: str, args: FunctionRoleArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:app:FunctionRole", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            name,
            name=args.region.physical_name("role", args.purpose),
            permissions_boundary=args.region.permissions_boundary,
            description=f"What the function {args.purpose} may do in {args.region.name}",
            assume_role_policy=trust("lambda.amazonaws.com"),
            opts=child,
        )
        policy = aws.iam.Policy(
            name,
            name=args.region.physical_name("policy", args.purpose),
            description=f"What the function {args.purpose} may do in {args.region.name}",
            policy=document(*args.statements),
            opts=child,
        )
        self.attachment = aws.iam.RolePolicyAttachment(
            name, role=role.name, policy_arn=policy.arn, opts=child
        )
        self.arn = role.arn
        self.register_outputs({"arn": self.arn})
