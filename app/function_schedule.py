"""A schedule of EventBridge Scheduler that calls one function, with a role for that alone."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from policy_statements import allow
from tapstack.policies import document, trust
from tapstack.regions import Region
from tapstack.renaming import formerly


@dataclass(frozen=True)
class FunctionScheduleArgs:
    """Whom it calls, when, and with what."""

    region: Region
    account_id: pulumi.Input[str]
    purpose: str
    """In the schedule's, the role's and the policy's names."""
    description: str
    expression: str
    """In EventBridge Scheduler's form; UTC."""
    function_arn: pulumi.Input[str]
    """A function's, or its alias'."""
    payload: str
    retry: aws.scheduler.ScheduleTargetRetryPolicyArgs
    """Of calls that Lambda didn't accept."""


class FunctionSchedule(pulumi.ComponentResource):
    """Calls the function at the schedule's times, as events that nobody waits for."""

    def __init__(
        self, name: str, args: FunctionScheduleArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        # Stacks that stand know it by the name that it had when the outbox's was the only one.
        opts = formerly("warmstandby:app:OutboxSchedule", opts)
        super().__init__("warmstandby:app:FunctionSchedule", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        purpose = f"{args.purpose}-schedule"
        role = aws.iam.Role(
            name,
            name=args.region.physical_name("role", purpose),
            permissions_boundary=args.region.permissions_boundary,
            description=(
                f"Lets the schedule {args.purpose} call its function in {args.region.name}"
            ),
            # Schedules of no other account (the confused deputy).
            assume_role_policy=trust("scheduler.amazonaws.com", args.account_id),
            opts=child,
        )
        policy = aws.iam.Policy(
            name,
            name=args.region.physical_name("policy", purpose),
            description=f"Calls the function in {args.region.name}",
            policy=document(allow("Call", ["lambda:InvokeFunction"], [args.function_arn])),
            opts=child,
        )
        attachment = aws.iam.RolePolicyAttachment(
            name, role=role.name, policy_arn=policy.arn, opts=child
        )
        aws.scheduler.Schedule(
            name,
            name=args.region.physical_name("schedule", args.purpose),
            description=args.description,
            schedule_expression=args.expression,
            flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
            target=aws.scheduler.ScheduleTargetArgs(
                arn=args.function_arn,
                role_arn=role.arn,
                input=args.payload,
                retry_policy=args.retry,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment]),
        )
        self.register_outputs({})
