"""The consumer: every application event of this region's bus waits in a queue for its function.

A rule that calls the function hands an event over once: EventBridge's 24 h of retries end when
Lambda accepts it, and a function that fails gets two tries within minutes, far less than a writer
may be away. A queue keeps what couldn't be stored, message by message (trap 57).
"""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from event_delivery import DEAD_LETTER_SECONDS, as_long_as_allowed
from event_patterns import application_events
from rule_queue import Receiving, RuleQueue, RuleQueueArgs
from tapstack.contracts import RegionalApp
from tapstack.events import LONGEST_WRITER_OUTAGE_SECONDS
from tapstack.regions import Region
from tapstack.well_known import CONSUME, CONSUME_DEAD_LETTERS

VISIBILITY_SECONDS = 180
"""Six times the longest timeout that the function may have, as AWS advises (Lambda developer
guide, "Configuring an Amazon SQS queue to use with Lambda"): so long after the writer is back the
last waiting event is stored, within the alarm on event delivery."""

MOST_RECEIVES = LONGEST_WRITER_OUTAGE_SECONDS // VISIBILITY_SECONDS

BATCH_SIZE = 10
"""The most that Lambda takes without waiting for more."""

MOST_CONCURRENT = 5
"""Batches at once: while the writer is away each holds a function instance until its deadline, and
they must not take the concurrency that requests need (H27)."""


@dataclass(frozen=True)
class EventConsumerArgs:
    """From this bus to this function."""

    region: Region
    bus: aws.cloudwatch.EventBus
    app: RegionalApp
    key_arn: pulumi.Input[str]


class EventConsumer(pulumi.ComponentResource):
    """Born here or forwarded, both are delivered; the function deduplicates on ``detail.eventId``.

    Delivery is at least once, so "once" is the consumer's work, not the bus's (trap 27). What the
    rule couldn't put into the queue and what the function refused for a day end in the same
    dead-letter queue: both are events as the bus had them.
    """

    def __init__(
        self, name: str, args: EventConsumerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:EventConsumer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.rule = aws.cloudwatch.EventRule(
            name,
            name=args.region.physical_name("rule", CONSUME),
            description="Application events of either region, to the function's queue",
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
        waiting = RuleQueue(
            f"waiting-{name}",
            RuleQueueArgs(
                args.region,
                CONSUME,
                self.rule.arn,
                # A message that expires is lost without a dead letter.
                DEAD_LETTER_SECONDS,
                args.key_arn,
                Receiving(VISIBILITY_SECONDS, MOST_RECEIVES, self.dead_letters.queue.arn),
            ),
            child,
        )
        aws.sqs.RedriveAllowPolicy(
            name,
            queue_url=self.dead_letters.queue.url,
            redrive_allow_policy=pulumi.Output.json_dumps(
                {"redrivePermission": "byQueue", "sourceQueueArns": [waiting.queue.arn]}
            ),
            opts=child,
        )
        aws.lambda_.EventSourceMapping(
            name,
            event_source_arn=waiting.queue.arn,
            function_name=args.app.function_arn,
            batch_size=BATCH_SIZE,
            # Only what couldn't be stored stays; without it one message holds back its batch.
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=aws.lambda_.EventSourceMappingScalingConfigArgs(
                maximum_concurrency=MOST_CONCURRENT
            ),
            opts=child,
        )
        aws.cloudwatch.EventTarget(
            name,
            rule=self.rule.name,
            event_bus_name=args.bus.name,
            target_id="waiting",
            arn=waiting.queue.arn,
            retry_policy=as_long_as_allowed(),
            dead_letter_config=aws.cloudwatch.EventTargetDeadLetterConfigArgs(
                arn=self.dead_letters.queue.arn
            ),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[waiting.policy, self.dead_letters.policy]
            ),
        )
        self.register_outputs({})
