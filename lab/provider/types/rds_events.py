"""RDS: who is notified of its events."""

from __future__ import annotations

from typing import ClassVar

from lab.provider.aws import Aws
from lab.provider.declaration import Properties, op
from lab.provider.types.rds import RdsType
from lab.provider.types.rds_groups import listed_tagging


class EventSubscription(RdsType):
    """A subscription of a topic to events: of which sources, in which categories."""

    pulumi_type = "aws:rds/eventSubscription:EventSubscription"
    inputs = "name snsTopic sourceType sourceIds eventCategories enabled"
    in_place = "sourceIds"
    names: ClassVar = {"name": "SubscriptionName", "snsTopic": "SnsTopicArn"}
    autoname = "name"
    identity = ("name",)
    id = "{name}"
    creation = op("CreateEventSubscription")
    updates = (
        op(
            "ModifyEventSubscription",
            only="snsTopic sourceType eventCategories enabled",
            SubscriptionName="{id}",
        ),
    )
    resets: ClassVar = {"enabled": True}
    reading = op(
        "DescribeEventSubscriptions",
        "EventSubscriptionsList[0]",
        names={
            "name": "CustSubscriptionId",
            "sourceIds": "SourceIdsList",
            "eventCategories": "EventCategoriesList",
        },
        SubscriptionName="{id}",
    )
    deletion = op("DeleteEventSubscription", SubscriptionName="{id}")
    tagging = listed_tagging("arn:aws:rds:{region}:{account}:es:{id}")
    outputs: ClassVar = {"arn": "EventSubscriptionArn", "customerAwsId": "CustomerAwsId"}

    def update(
        self,
        aws: Aws,
        ident: str,
        before: Properties,
        after: Properties,
        changed: list[str],
        state: Properties,
    ) -> None:
        super().update(aws, ident, before, after, changed, state)
        had, wanted = set(before.get("sourceIds") or ()), set(after.get("sourceIds") or ())
        for operation, sources in (
            ("AddSourceIdentifierToSubscription", wanted - had),
            ("RemoveSourceIdentifierFromSubscription", had - wanted),
        ):
            for source in sorted(sources):
                given = {"SubscriptionName": ident, "SourceIdentifier": source}
                aws.call("rds", operation, given)
