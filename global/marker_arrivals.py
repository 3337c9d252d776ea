"""Where a marker event of the other region arrives: the proof that events cross into this one."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from event_patterns import marker_of
from rule_queue import RuleQueue, RuleQueueArgs
from tapstack.regions import Region

LIFETIME_SECONDS = 900
"""Nobody asks for an older one: the validator empties the queue every five minutes."""


@dataclass(frozen=True)
class MarkerArrivalsArgs:
    """From which region, onto which bus, under which key."""

    region: Region
    peer: Region
    bus: aws.cloudwatch.EventBus
    key_arn: pulumi.Input[str]


class MarkerArrivals(pulumi.ComponentResource):
    """``queue`` holds the markers until the region's validator reads them."""

    def __init__(
        self, name: str, args: MarkerArrivalsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:MarkerArrivals", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        rule = aws.cloudwatch.EventRule(
            name,
            name=args.region.physical_name("rule", "markers"),
            description=f"Markers of {args.peer.name}, for the validator",
            event_bus_name=args.bus.name,
            event_pattern=json.dumps(marker_of(args.peer.name)),
            opts=child,
        )
        arrivals = RuleQueue(
            name,
            RuleQueueArgs(args.region, "markers", rule.arn, LIFETIME_SECONDS, args.key_arn),
            child,
        )
        self.queue = arrivals.queue
        aws.cloudwatch.EventTarget(
            name,
            rule=rule.name,
            event_bus_name=args.bus.name,
            target_id="markers",
            arn=self.queue.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[arrivals.policy]),
        )
        self.register_outputs({})
