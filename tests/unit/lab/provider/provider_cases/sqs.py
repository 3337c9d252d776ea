"""SQS: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from provider_cases.case import Case, named, policy

ALLOW_ALL, DENY_ALL = '{"redrivePermission": "allowAll"}', '{"redrivePermission": "denyAll"}'

CASES = [
    Case(
        "queue",
        "aws:sqs/queue:Queue",
        lambda w: named("queue", name="queue-one", messageRetentionSeconds=1209600),
        lambda w: named("queue", name="queue-one", visibilityTimeoutSeconds=60),
    ),
    Case(
        "queue-two",
        "aws:sqs/queue:Queue",
        lambda w: named("queue-two", name="queue-two", sqsManagedSseEnabled=True),
    ),
    Case(
        "queue-policy",
        "aws:sqs/queuePolicy:QueuePolicy",
        lambda w: {"queueUrl": w["queue"].id, "policy": policy(Principal="*")},
        lambda w: {"queueUrl": w["queue"].id, "policy": policy(Principal="*", Sid="All")},
    ),
    Case(
        "redrive-allow-policy",
        "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy",
        lambda w: {"queueUrl": w["queue"].id, "redriveAllowPolicy": ALLOW_ALL},
        lambda w: {"queueUrl": w["queue"].id, "redriveAllowPolicy": DENY_ALL},
    ),
]
