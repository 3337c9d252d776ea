"""Forwarding: what was born on this region's bus goes to the other region's, and no further."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from bus_policy import BusPolicy
from event_delivery import DEAD_LETTER_SECONDS, as_long_as_allowed
from event_patterns import born_in
from forwarding_role import ForwardingRole
from rule_queue import RuleQueue, RuleQueueArgs
from tapstack.events import event_bus_name
from tapstack.regions import Region
from tapstack.well_known import FORWARD_DEAD_LETTERS

FORWARD = "forward"
"""Purpose of the rule, which the other bus's policy names before it exists."""


def forwarding_rule_arn(region: Region, account_id: pulumi.Input[str]) -> pulumi.Output[str]:
    """The ARN of a region's rule on its custom bus, known by its name."""
    bus, rule = event_bus_name(region.name, region.suffix), region.physical_name("rule", FORWARD)
    return pulumi.Output.concat(f"arn:aws:events:{region.name}:", account_id, f":rule/{bus}/{rule}")


@dataclass(frozen=True)
class EventForwardingArgs:
    """From this bus to the peer's, with whose role, after whose policy."""

    region: Region
    bus: aws.cloudwatch.EventBus
    peer_bus: aws.cloudwatch.EventBus
    role: ForwardingRole
    peer_policy: BusPolicy
    key_arn: pulumi.Input[str]


class EventForwarding(pulumi.ComponentResource):
    """One direction of R5.1: rule, target with role and retries, dead letters.

    The pattern's ``region`` keeps both directions from making a loop (N9, trap 27).
    """

    def __init__(
        self, name: str, args: EventForwardingArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:EventForwarding", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.rule = aws.cloudwatch.EventRule(
            name,
            name=args.region.physical_name("rule", FORWARD),
            description="Application events born here, to the other region's bus",
            event_bus_name=args.bus.name,
            event_pattern=json.dumps(born_in(args.region.name)),
            opts=child,
        )
        self.dead_letters = RuleQueue(
            f"dead-letters-{name}",
            RuleQueueArgs(
                args.region,
                FORWARD_DEAD_LETTERS,
                self.rule.arn,
                DEAD_LETTER_SECONDS,
                args.key_arn,
            ),
            child,
        )
        aws.cloudwatch.EventTarget(
            name,
            rule=self.rule.name,
            event_bus_name=args.bus.name,
            target_id="peer-bus",
            arn=args.peer_bus.arn,
            role_arn=args.role.arn,
            retry_policy=as_long_as_allowed(),
            dead_letter_config=aws.cloudwatch.EventTargetDeadLetterConfigArgs(
                arn=self.dead_letters.queue.arn
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[
                    args.peer_policy.policy, args.role.attachment, self.dead_letters.policy,
                ],
            ),
        )  # fmt: skip
        self.register_outputs({})
