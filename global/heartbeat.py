"""The heartbeat: a sign of life that us-east-1 sends and us-west-2 counts, every minute.

Route 53's metrics exist only in us-east-1, so an alarm on them is blind when that region is lost
(trap 11). Silence of the heartbeat is seen in us-west-2, with nothing of us-east-1 needed.

It takes the way of the application's events: onto us-east-1's own bus, through forwarding, to the
other bus. So its silence also shows a way that events don't get through (trap 70).
"""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from event_patterns import heartbeat_of
from rule_queue import RuleQueue, RuleQueueArgs
from tapstack.events import HEARTBEAT_DETAIL_TYPE, HEARTBEAT_SOURCE
from tapstack.pair import Pair
from tapstack.policies import document, trust
from tapstack.regions import Region

LIFETIME_SECONDS = 100
"""A beat may be 40 s late. With the alarm's minute, silence is seen within three minutes."""


@dataclass(frozen=True)
class HeartbeatArgs:
    """From the primary's bus to the standby's, over what forwards every event."""

    regions: Pair[Region]
    account_id: pulumi.Input[str]
    bus: aws.cloudwatch.EventBus
    peer_bus: aws.cloudwatch.EventBus
    peer_key_arn: pulumi.Input[str]


class Heartbeat(pulumi.ComponentResource):
    """``beats`` is the standby's queue; it holds the beats of the last 100 seconds, and nobody
    reads it: its depth is what the alarm watches."""

    def __init__(
        self, name: str, args: HeartbeatArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:Heartbeat", name, None, opts)
        primary, standby = args.regions
        there = pulumi.ResourceOptions(parent=self, provider=standby.provider)
        received = aws.cloudwatch.EventRule(
            f"heartbeat-{standby.name}",
            name=standby.physical_name("rule", "heartbeat"),
            description=f"Signs of life of {primary.name}",
            event_bus_name=args.peer_bus.name,
            event_pattern=json.dumps(heartbeat_of(primary.name)),
            opts=there,
        )
        self.beats = RuleQueue(
            f"heartbeats-{standby.name}",
            RuleQueueArgs(standby, "heartbeats", received.arn, LIFETIME_SECONDS, args.peer_key_arn),
            pulumi.ResourceOptions(parent=self, providers=[standby.provider]),
        )
        aws.cloudwatch.EventTarget(
            f"heartbeat-{standby.name}",
            rule=received.name,
            event_bus_name=args.peer_bus.name,
            target_id="heartbeats",
            arn=self.beats.queue.arn,
            opts=pulumi.ResourceOptions.merge(
                there, pulumi.ResourceOptions(depends_on=[self.beats.policy])
            ),
        )
        self._send(primary, args)
        self.register_outputs({})

    def _send(self, primary: Region, args: HeartbeatArgs) -> None:
        """A schedule that puts an event on the bus: scheduled rules exist on the default bus alone,
        and no document says that one may have another region's bus as target (trap 70)."""
        here = pulumi.ResourceOptions(parent=self, provider=primary.provider)
        name = f"heartbeat-{primary.name}"
        role = aws.iam.Role(
            name,
            name=primary.physical_name("role", "heartbeat"),
            permissions_boundary=primary.permissions_boundary,
            description=f"Puts signs of life on the bus of {primary.name}",
            assume_role_policy=trust("scheduler.amazonaws.com", args.account_id),
            opts=here,
        )
        policy = aws.iam.Policy(
            name,
            name=primary.physical_name("policy", "heartbeat"),
            description=f"Puts signs of life on the bus of {primary.name}",
            policy=document(
                {
                    "Sid": "OwnBus",
                    "Effect": "Allow",
                    "Action": "events:PutEvents",
                    "Resource": args.bus.arn,
                }
            ),
            opts=here,
        )
        attachment = aws.iam.RolePolicyAttachment(
            name, role=role.name, policy_arn=policy.arn, opts=here
        )
        aws.scheduler.Schedule(
            name,
            name=primary.physical_name("schedule", "heartbeat"),
            description="A sign of life every minute",
            schedule_expression="rate(1 minute)",
            flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
            target=aws.scheduler.ScheduleTargetArgs(
                arn=args.bus.arn,
                role_arn=role.arn,
                input="{}",
                eventbridge_parameters=aws.scheduler.ScheduleTargetEventbridgeParametersArgs(
                    source=HEARTBEAT_SOURCE, detail_type=HEARTBEAT_DETAIL_TYPE
                ),
                # A late one says nothing.
                retry_policy=aws.scheduler.ScheduleTargetRetryPolicyArgs(
                    maximum_event_age_in_seconds=60, maximum_retry_attempts=0
                ),
            ),
            opts=pulumi.ResourceOptions.merge(
                here, pulumi.ResourceOptions(depends_on=[attachment])
            ),
        )
