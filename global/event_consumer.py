"""The consumer: every application event of this region's bus goes to its function, once."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from event_delivery import DEAD_LETTER_SECONDS, as_long_as_allowed
from event_patterns import application_events
from rule_queue import RuleQueue, RuleQueueArgs
from tapstack.contracts import RegionalApp
from tapstack.regions import Region
from tapstack.well_known import CONSUME_DEAD_LETTERS


@dataclass(frozen=True)
class EventConsumerArgs:
    """From this bus to this function."""

    region: Region
    bus: aws.cloudwatch.EventBus
    app: RegionalApp
    key_arn: pulumi.Input[str]


class EventConsumer(pulumi.ComponentResource):
    """Born here or forwarded, both are delivered; the function deduplicates on ``detail.eventId``.

    Delivery is at least once, so "once" is the consumer's work, not the bus's (trap 27).
    """

    def __init__(
        self, name: str, args: EventConsumerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:EventConsumer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.rule = aws.cloudwatch.EventRule(
            name,
            name=args.region.physical_name("rule", "consume"),
            description="Application events of either region, to the function",
            event_bus_name=args.bus.name,
            event_pattern=json.dumps(application_events()),
            opts=child,
        )
        self.dead_letters = RuleQueue(
            f"dead-letters-{name}",
            RuleQueueArgs(
                args.region,
                CONSUME_DEAD_LETTERS,
                self.rule.arn,
                DEAD_LETTER_SECONDS,
                args.key_arn,
            ),
            child,
        )
        permission = aws.lambda_.Permission(
            name,
            action="lambda:InvokeFunction",
            function=args.app.function_name,
            principal="events.amazonaws.com",
            source_arn=self.rule.arn,
            opts=child,
        )
        aws.cloudwatch.EventTarget(
            name,
            rule=self.rule.name,
            event_bus_name=args.bus.name,
            target_id="function",
            arn=args.app.function_arn,
            retry_policy=as_long_as_allowed(),
            dead_letter_config=aws.cloudwatch.EventTargetDeadLetterConfigArgs(
                arn=self.dead_letters.queue.arn
            ),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[permission, self.dead_letters.policy]
            ),
        )
        self.register_outputs({})
