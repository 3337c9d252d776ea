"""Where the events go that the function failed on: none is lost silently."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.regions import Region
from tapstack.well_known import FAILED_EVENTS

RETENTION_SECONDS = 14 * 24 * 3600
"""As long as SQS keeps a message: time for a person to look, mend and redrive."""

OLDEST_EVENT_SECONDS = 6 * 3600
"""As long as AWS Lambda keeps retrying an asynchronous event."""


@dataclass(frozen=True)
class FailedEventsQueueArgs:
    """Where, and under which key."""

    region: Region
    key_arn: pulumi.Input[str]


class FailedEventsQueue(pulumi.ComponentResource):
    """The queue, encrypted under the region's key: a failed event can name a patient's record."""

    def __init__(
        self,
        name: str,
        args: FailedEventsQueueArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("warmstandby:app:FailedEventsQueue", name, None, opts)
        self.queue = aws.sqs.Queue(
            name,
            name=args.region.physical_name("queue", FAILED_EVENTS),
            message_retention_seconds=RETENTION_SECONDS,
            kms_master_key_id=args.key_arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"arn": self.queue.arn})

    def receive_from(self, name: str, function: aws.lambda_.Alias) -> None:
        """Sends here what ``function`` failed on twice more, or what grew too old."""
        aws.lambda_.FunctionEventInvokeConfig(
            name,
            function_name=function.function_name,
            qualifier=function.name,
            maximum_event_age_in_seconds=OLDEST_EVENT_SECONDS,
            maximum_retry_attempts=2,
            destination_config=aws.lambda_.FunctionEventInvokeConfigDestinationConfigArgs(
                on_failure=aws.lambda_.FunctionEventInvokeConfigDestinationConfigOnFailureArgs(
                    destination=self.queue.arn
                )
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
