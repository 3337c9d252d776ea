"""SNS: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from provider_cases.case import Case, named, policy

CASES = [
    Case(
        "topic",
        "aws:sns/topic:Topic",
        lambda w: named("topic", name="topic-one", displayName="one"),
        lambda w: named("topic", name="topic-one", displayName="two"),
    ),
    Case(
        "topic-policy",
        "aws:sns/topicPolicy:TopicPolicy",
        lambda w: {"arn": w["topic"].id, "policy": policy(Principal="*", Action="sns:Publish")},
        stays=True,
    ),
    Case(
        "subscription",
        "aws:sns/topicSubscription:TopicSubscription",
        lambda w: {
            "topic": w["topic"].id,
            "protocol": "sqs",
            "endpoint": w["queue"].outputs["arn"],
            "rawMessageDelivery": True,
        },
    ),
]
