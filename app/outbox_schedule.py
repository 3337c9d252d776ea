"""The one-minute schedule that drains the outbox, so that a crash loses no event."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from policy_statements import allow
from tapstack.events import DRAIN_DETAIL_TYPE, SCHEDULE_SOURCE
from tapstack.policies import document, trust
from tapstack.regions import Region

PAYLOAD = json.dumps({"source": SCHEDULE_SOURCE, "detail-type": DRAIN_DETAIL_TYPE})
"""What the function gets: it reads ``source`` and ``detail-type`` as of any other event."""


@dataclass(frozen=True)
class OutboxScheduleArgs:
    """Whom it calls (a function's alias), in which account."""

    region: Region
    account_id: pulumi.Input[str]
    function_arn: pulumi.Input[str]


class OutboxSchedule(pulumi.ComponentResource):
    """Calls the function every minute, in both regions: a survivor drains a dead region's rows."""

    def __init__(
        self, name: str, args: OutboxScheduleArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:app:OutboxSchedule", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            name,
            name=args.region.physical_name("role", "outbox-schedule"),
            permissions_boundary=args.region.permissions_boundary,
            description=f"Lets the outbox's schedule call the function in {args.region.name}",
            # Schedules of no other account (the confused deputy).
            assume_role_policy=trust("scheduler.amazonaws.com", args.account_id),
            opts=child,
        )
        policy = aws.iam.Policy(
            name,
            name=args.region.physical_name("policy", "outbox-schedule"),
            description=f"Calls the function in {args.region.name}",
            policy=document(allow("Call", ["lambda:InvokeFunction"], [args.function_arn])),
            opts=child,
        )
        attachment = aws.iam.RolePolicyAttachment(
            name, role=role.name, policy_arn=policy.arn, opts=child
        )
        aws.scheduler.Schedule(
            name,
            name=args.region.physical_name("schedule", "outbox"),
            description="Publishes what the outbox still holds",
            schedule_expression="rate(1 minute)",
            flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
            target=aws.scheduler.ScheduleTargetArgs(
                arn=args.function_arn,
                role_arn=role.arn,
                input=PAYLOAD,
                # The next minute drains the same rows: a late or repeated call gains nothing.
                retry_policy=aws.scheduler.ScheduleTargetRetryPolicyArgs(
                    maximum_event_age_in_seconds=60, maximum_retry_attempts=0
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment]),
        )
        self.register_outputs({})
