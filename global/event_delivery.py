"""How long EventBridge tries, and how long what it couldn't deliver is kept."""

import pulumi_aws as aws

RETRY_SECONDS = 24 * 3600
RETRY_ATTEMPTS = 185
"""As long and as often as EventBridge allows: a shorter window loses more (trap 27)."""

DEAD_LETTER_SECONDS = 14 * 24 * 3600
"""As long as SQS keeps a message: time to mend and run ``./inv events.redrive``."""


def as_long_as_allowed() -> aws.cloudwatch.EventTargetRetryPolicyArgs:
    """Retries of an event that must arrive."""
    return aws.cloudwatch.EventTargetRetryPolicyArgs(
        maximum_event_age_in_seconds=RETRY_SECONDS, maximum_retry_attempts=RETRY_ATTEMPTS
    )
