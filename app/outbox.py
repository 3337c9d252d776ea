"""The one-minute schedule that drains the outbox, so that a crash loses no event."""

import json

import pulumi
import pulumi_aws as aws

from function_schedule import FunctionSchedule, FunctionScheduleArgs
from tapstack.events import DRAIN_DETAIL_TYPE, SCHEDULE_SOURCE
from tapstack.regions import Region

PAYLOAD = json.dumps({"source": SCHEDULE_SOURCE, "detail-type": DRAIN_DETAIL_TYPE})
"""What the function gets: it reads ``source`` and ``detail-type`` as of any other event."""


def drain_outbox(
    region: Region,
    account_id: pulumi.Input[str],
    function: aws.lambda_.Alias,
    opts: pulumi.ResourceOptions,
) -> None:
    """Calls the function every minute, in both regions: a survivor drains a dead region's rows."""
    FunctionSchedule(
        f"schedule-outbox-{region.name}",
        FunctionScheduleArgs(
            region=region,
            account_id=account_id,
            purpose="outbox",
            description="Publishes what the outbox still holds",
            expression="rate(1 minute)",
            function_arn=function.arn,
            payload=PAYLOAD,
            # The next minute drains the same rows: a late or repeated call gains nothing.
            retry=aws.scheduler.ScheduleTargetRetryPolicyArgs(
                maximum_event_age_in_seconds=60, maximum_retry_attempts=0
            ),
        ),
        opts,
    )
