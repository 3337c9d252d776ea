"""The heartbeat: a sign of life that us-east-1 sends and us-west-2 counts, every minute.

Route 53's metrics exist only in us-east-1, so an alarm on them is blind when that region is lost
(trap 11). Silence of the heartbeat is seen in us-west-2, with nothing of us-east-1 needed.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from bus_policy import BusPolicy
from event_patterns import heartbeat_of
from forwarding_role import ForwardingRole
from rule_queue import RuleQueue, RuleQueueArgs
from tapstack.pair import Pair
from tapstack.regions import Region

LIFETIME_SECONDS = 60
"""A late heartbeat tells nothing: it isn't retried, and the queue forgets it."""


@dataclass(frozen=True)
class HeartbeatArgs:
    """From the primary, over the forwarding's role and policy, to the standby's bus."""

    regions: Pair[Region]
    role: ForwardingRole
    peer_bus: aws.cloudwatch.EventBus
    peer_policy: BusPolicy
    peer_key_arn: pulumi.Input[str]


class Heartbeat(pulumi.ComponentResource):
    """``received`` is the standby's rule; its ``Invocations`` are the beats that arrived.

    A rule's metric needs a target, hence the queue; nobody reads it.
    """

    def __init__(
        self, name: str, args: HeartbeatArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:Heartbeat", name, None, opts)
        primary, standby = args.regions
        here = pulumi.ResourceOptions(parent=self, provider=primary.provider)
        there = pulumi.ResourceOptions(parent=self, provider=standby.provider)
        # Scheduled rules exist on the default bus only.
        sent = aws.cloudwatch.EventRule(
            f"heartbeat-{primary.name}",
            name=primary.physical_name("rule", "heartbeat"),
            description=f"A sign of life to {standby.name} every minute",
            schedule_expression="rate(1 minute)",
            opts=here,
        )
        self.received = aws.cloudwatch.EventRule(
            f"heartbeat-{standby.name}",
            name=standby.physical_name("rule", "heartbeat"),
            description=f"Signs of life of {primary.name}",
            event_bus_name=args.peer_bus.name,
            event_pattern=pulumi.Output.json_dumps(heartbeat_of(primary.name, sent.arn)),
            opts=there,
        )
        beats = RuleQueue(
            f"heartbeats-{standby.name}",
            RuleQueueArgs(
                standby, "heartbeats", self.received.arn, LIFETIME_SECONDS, args.peer_key_arn
            ),
            pulumi.ResourceOptions(parent=self, providers=[standby.provider]),
        )
        aws.cloudwatch.EventTarget(
            f"heartbeat-{standby.name}",
            rule=self.received.name,
            event_bus_name=args.peer_bus.name,
            target_id="heartbeats",
            arn=beats.queue.arn,
            opts=pulumi.ResourceOptions.merge(
                there, pulumi.ResourceOptions(depends_on=[beats.policy])
            ),
        )
        aws.cloudwatch.EventTarget(
            f"heartbeat-{primary.name}",
            rule=sent.name,
            target_id="peer-bus",
            arn=args.peer_bus.arn,
            role_arn=args.role.arn,
            retry_policy=aws.cloudwatch.EventTargetRetryPolicyArgs(
                maximum_event_age_in_seconds=LIFETIME_SECONDS, maximum_retry_attempts=0
            ),
            opts=pulumi.ResourceOptions.merge(
                here,
                pulumi.ResourceOptions(depends_on=[args.peer_policy.policy, args.role.attachment]),
            ),
        )
        self.register_outputs({})
