"""RDS events and who gets them: event subscriptions' topics, and the region's default bus.

Numbers, source types, categories and words from the Aurora user guide, "Amazon RDS event categories
and event messages for Aurora"; the notification's form from "Working with Amazon RDS event
notification", the bus's from "Creating a rule that triggers on an Amazon Aurora event".
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.context import LabContext
from lab.database.topology import Cluster, Topology
from lab.emulator.policies import Access, allows
from lab.emulator.service_events import say
from lab.outage import OutageKind

logger = logging.getLogger("lab.database")

SERVICE = "events.rds.amazonaws.com"
MOST_EVENTS = 500
LINK = "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Events.Messages.html"
CLUSTER, INSTANCE = "db-cluster", "db-instance"


@dataclass(frozen=True)
class Kind:
    """An event: of what, in which category, in which words."""

    source_type: str
    category: str
    words: str
    """With ``{cluster}``, ``{region}`` and ``{instance}``."""


KINDS: Mapping[str, Kind] = {
    "RDS-EVENT-0071": Kind(CLUSTER, "failover", "Completed failover to DB instance: {instance}"),
    "RDS-EVENT-0073": Kind(
        CLUSTER, "failover", "Started cross AZ failover to DB instance: {instance}"
    ),
    "RDS-EVENT-0181": Kind(
        CLUSTER,
        "global-failover",
        "Global switchover to DB cluster {cluster} in Region {region} started.",
    ),
    "RDS-EVENT-0185": Kind(
        CLUSTER,
        "global-failover",
        "Global switchover to DB cluster {cluster} in Region {region} finished.",
    ),
    "RDS-EVENT-0187": Kind(
        CLUSTER,
        "global-failover",
        "Global switchover to DB cluster {cluster} in Region {region} failed.",
    ),
    "RDS-EVENT-0238": Kind(
        CLUSTER,
        "global-failover",
        "Global failover to DB cluster {cluster} in Region {region} completed.",
    ),
    "RDS-EVENT-0239": Kind(
        CLUSTER,
        "global-failover",
        "Global failover to DB cluster {cluster} in Region {region} failed.",
    ),
    "RDS-EVENT-0240": Kind(
        CLUSTER,
        "global-failover",
        "Started resynchronizing members of DB cluster {cluster} in Region {region} after global "
        "failover.",
    ),
    "RDS-EVENT-0241": Kind(
        CLUSTER,
        "global-failover",
        "Finished resynchronizing members of DB cluster {cluster} in Region {region} after global "
        "failover.",
    ),
    "RDS-EVENT-0390": Kind(
        INSTANCE,
        "notification",
        "Attempt to block writes for DB cluster {cluster} in Region {region} succeeded.",
    ),
    "RDS-EVENT-0391": Kind(
        INSTANCE,
        "notification",
        "Attempt to block writes for DB cluster {cluster} in Region {region} timed out.",
    ),
    "RDS-EVENT-0397": Kind(
        CLUSTER,
        "global-failover",
        "Aurora finished changing the DNS name that the global writer endpoint resolves to.",
    ),
}


class Notices:
    """Records events, delivers them, and answers for subscriptions."""

    def __init__(self, lab: LabContext, topology: Topology, blocking: Callable[..., Any]) -> None:
        self._lab, self._topology, self._blocking = lab, topology, blocking

    async def emit(self, cluster: Cluster, event: str, about: Cluster | None = None) -> None:
        """An event has happened to ``cluster``, in its region, and speaks of ``about`` (None: the
        same). A region without API notices nothing."""
        region = cluster.region
        if self._lab.outages.has_lost(region, OutageKind.API):
            return
        kind, of = KINDS[event], about or cluster
        instance = next(iter(of.instances), "")
        words = kind.words.format(cluster=of.identifier, region=of.region, instance=instance)
        source = cluster.identifier
        arn = cluster.arn
        if kind.source_type == INSTANCE:
            source = next(iter(cluster.instances), "")
            arn = f"arn:aws:rds:{region}:{cluster.account_id}:db:{source}"
        now = self._lab.clock.utc_now()
        record = {
            "Region": region,
            "SourceIdentifier": source,
            "SourceType": kind.source_type,
            "SourceArn": arn,
            "Message": words,
            "EventCategories": [kind.category],
            "Date": now.isoformat(timespec="milliseconds"),
            "EventID": event,
        }
        self._topology.events = [*self._topology.events, record][-MOST_EVENTS:]
        self._topology.save()
        _to_bus(self._lab.account_id, region, record)
        for subscription in self._topology.subscriptions:
            if subscription["Region"] == region and _wants(subscription, record):
                await self._blocking(partial(self._send, subscription["SnsTopicArn"], record))

    def _send(self, topic: str, record: Mapping[str, Any]) -> None:
        region = topic.split(":")[3]
        client = self._lab.client("sns", region)
        try:
            policy = client.get_topic_attributes(TopicArn=topic)["Attributes"].get("Policy") or "{}"
            access = Access(
                "sns:Publish",
                topic,
                service=SERVICE,
                context={
                    "aws:SourceArn": record["SourceArn"],
                    "aws:SourceAccount": self._lab.account_id,
                },
            )
            if not allows([json.loads(policy)], access):
                logger.warning("the policy of %s doesn't let %s publish", topic, SERVICE)
                return
            client.publish(
                TopicArn=topic,
                Subject="RDS Notification Message",
                Message=json.dumps(_message(record)),
                MessageAttributes={
                    "Resource": {"DataType": "String", "StringValue": record["SourceArn"]},
                    "EventID": {"DataType": "String", "StringValue": record["EventID"]},
                },
            )
        except (BotoCoreError, ClientError) as error:
            logger.warning("%s was not notified of %s: %s", topic, record["EventID"], error)

    # -- the API -----------------------------------------------------------------------------------

    async def create(self, request: ApiRequest, _call_next: CallNext) -> ApiResponse:
        """CreateEventSubscription."""
        given = request.parameters
        name = given["SubscriptionName"]
        if self._find(request.region, name) is not None:
            raise ApiRefusal("SubscriptionAlreadyExist", f"Subscription {name} already exists.")
        await self._check_topic(request.region, given["SnsTopicArn"])
        self._check_sources(request.region, given.get("SourceType", ""), given.get("SourceIds", ()))
        account = self._lab.account_id
        made = {
            "Region": request.region,
            "CustomerAwsId": account,
            "CustSubscriptionId": name,
            "SnsTopicArn": given["SnsTopicArn"],
            "Status": "active",
            "SubscriptionCreationTime": self._lab.clock.utc_now().isoformat(),
            "SourceType": given.get("SourceType", ""),
            "SourceIdsList": list(given.get("SourceIds", ())),
            "EventCategoriesList": list(given.get("EventCategories", ())),
            "Enabled": given.get("Enabled", True),
            "EventSubscriptionArn": f"arn:aws:rds:{request.region}:{account}:es:{name}",
        }
        self._topology.subscriptions.append(made)
        self._topology.save()
        if tags := given.get("Tags"):
            arn = made["EventSubscriptionArn"]
            await self._tags(request.region, "AddTagsToResource", ResourceName=arn, Tags=tags)
        return ApiResponse({"EventSubscription": _shown(made)})

    async def modify(self, request: ApiRequest, _call_next: CallNext) -> ApiResponse:
        """ModifyEventSubscription."""
        given = request.parameters
        found = self._existing(request.region, given["SubscriptionName"])
        if "SnsTopicArn" in given:
            await self._check_topic(request.region, given["SnsTopicArn"])
        for name, key in (
            ("SnsTopicArn", "SnsTopicArn"),
            ("SourceType", "SourceType"),
            ("EventCategories", "EventCategoriesList"),
            ("Enabled", "Enabled"),
        ):
            if name in given:
                found[key] = given[name]
        self._topology.save()
        return ApiResponse({"EventSubscription": _shown(found)})

    async def sources(self, request: ApiRequest, _call_next: CallNext) -> ApiResponse:
        """AddSourceIdentifierToSubscription, RemoveSourceIdentifierFromSubscription."""
        given = request.parameters
        found = self._existing(request.region, given["SubscriptionName"])
        known = set(found["SourceIdsList"]) - {given["SourceIdentifier"]}
        if request.operation.startswith("Add"):
            self._check_sources(request.region, found["SourceType"], [given["SourceIdentifier"]])
            known.add(given["SourceIdentifier"])
        found["SourceIdsList"] = sorted(known)
        self._topology.save()
        return ApiResponse({"EventSubscription": _shown(found)})

    async def delete(self, request: ApiRequest, _call_next: CallNext) -> ApiResponse:
        """DeleteEventSubscription."""
        found = self._existing(request.region, request.parameters["SubscriptionName"])
        self._topology.subscriptions.remove(found)
        self._topology.save()
        arn = found["EventSubscriptionArn"]
        listed = await self._tags(request.region, "ListTagsForResource", ResourceName=arn)
        if keys := [tag["Key"] for tag in listed.get("TagList") or ()]:
            await self._tags(
                request.region, "RemoveTagsFromResource", ResourceName=arn, TagKeys=keys
            )
        return ApiResponse({"EventSubscription": {**_shown(found), "Status": "deleting"}})

    async def describe(self, request: ApiRequest, _call_next: CallNext) -> ApiResponse:
        """DescribeEventSubscriptions."""
        name = request.parameters.get("SubscriptionName", "")
        if name:
            found = [self._existing(request.region, name)]
        else:
            found = [s for s in self._topology.subscriptions if s["Region"] == request.region]
        return ApiResponse({"EventSubscriptionsList": [_shown(s) for s in found]})

    async def events(self, request: ApiRequest, _call_next: CallNext) -> ApiResponse:
        """DescribeEvents: the last hour's, or as long as is asked for, in lab time."""
        given = request.parameters
        earliest = self._lab.clock.now() - 60 * float(given.get("Duration", 60))
        if start := given.get("StartTime"):
            earliest = _seconds(start)
        latest = _seconds(given["EndTime"]) if given.get("EndTime") else float("inf")
        found = [
            {key: value for key, value in record.items() if key not in ("Region", "EventID")}
            for record in self._topology.events
            if record["Region"] == request.region
            and earliest <= _seconds(record["Date"]) <= latest
            and given.get("SourceIdentifier", record["SourceIdentifier"])
            == record["SourceIdentifier"]
            and given.get("SourceType", record["SourceType"]) == record["SourceType"]
            and set(given.get("EventCategories") or record["EventCategories"])
            & set(record["EventCategories"])
        ]
        return ApiResponse({"Events": found})

    async def _tags(self, region: str, operation: str, **given: Any) -> dict[str, Any]:
        """Tags are the emulator's, of whatever has an ARN."""
        return await self._lab.aws.call("rds", region, operation, **given)

    def _check_sources(self, region: str, kind: str, sources: Iterable[str]) -> None:
        """Sources are of the type that is named, and are there; of other types than clusters and
        instances the lab has none."""
        for source in sources:
            if not kind:
                raise ApiRefusal(
                    "InvalidParameterCombination", "SourceIds can't be given without SourceType."
                )
            known: dict[str, Any] = {
                CLUSTER: self._topology.named(region, source),
                INSTANCE: self._topology.cluster_of_instance(region, source),
            }
            if known.get(kind) is None:
                raise ApiRefusal("SourceNotFound", f"The source {source} could not be found.", 404)

    async def _check_topic(self, region: str, topic: str) -> None:
        try:
            await self._lab.aws.call("sns", region, "GetTopicAttributes", TopicArn=topic)
        except ApiRefusal:
            raise ApiRefusal(
                "SNSTopicArnNotFound", f"SNS topic {topic} does not exist.", 404
            ) from None

    def _find(self, region: str, name: str) -> dict[str, Any] | None:
        return next(
            (
                subscription
                for subscription in self._topology.subscriptions
                if (subscription["Region"], subscription["CustSubscriptionId"]) == (region, name)
            ),
            None,
        )

    def _existing(self, region: str, name: str) -> dict[str, Any]:
        found = self._find(region, name)
        if found is None:
            raise ApiRefusal("SubscriptionNotFound", f"Subscription {name} not found.", 404)
        return found


def _wants(subscription: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    return (
        bool(subscription["Enabled"])
        and subscription["SourceType"] in ("", record["SourceType"])
        and (
            not subscription["SourceIdsList"]
            or record["SourceIdentifier"] in subscription["SourceIdsList"]
        )
        and (
            not subscription["EventCategoriesList"]
            or any(
                _same(category, record["EventCategories"][0])
                for category in subscription["EventCategoriesList"]
            )
        )
    )


def _same(asked: str, category: str) -> bool:
    # The user guide's tables say "global failover", its events "global-failover".
    return asked.replace(" ", "-") == category


def _shown(subscription: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in subscription.items() if key != "Region" and value != ""}


def _message(record: Mapping[str, Any]) -> dict[str, str]:
    return {
        "Event Source": record["SourceType"],
        "Event Time": record["Date"].replace("T", " ").partition("+")[0],
        "Identifier Link": LINK,
        "Source ID": record["SourceIdentifier"],
        "Source ARN": record["SourceArn"],
        "Event ID": f"{LINK}#{record['EventID']}",
        "Event Message": record["Message"],
    }


def _to_bus(account: str, region: str, record: Mapping[str, Any]) -> None:
    """AWS puts its services' own events on the default bus, whoever asks for them."""
    cluster = record["SourceType"] == CLUSTER
    detail = {
        "EventCategories": record["EventCategories"],
        "SourceType": "CLUSTER" if cluster else "DB_INSTANCE",
        "SourceArn": record["SourceArn"],
        "Date": record["Date"],
        "SourceIdentifier": record["SourceIdentifier"],
        "Message": record["Message"],
        "EventID": record["EventID"],
    }
    say(
        account,
        region,
        "aws.rds",
        f"RDS DB {'Cluster' if cluster else 'Instance'} Event",
        detail,
        [record["SourceArn"]],
        _seconds(record["Date"]),
    )


def _seconds(moment: Any) -> float:
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.timestamp()
