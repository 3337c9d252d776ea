"""EventBridge: buses, their policies, rules, targets, archives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lab.provider import models, shapes
from lab.provider.aws import Aws
from lab.provider.declaration import Failures, Properties, Tagging, op
from lab.provider.resource import ResourceType
from pulumi_protocol.values import plain_without_nulls

DEFAULT_BUS = "default"


def events_tagging(arn: str) -> Tagging:
    """Returns EventBridge's tagging by the ARN's template."""
    return Tagging(
        tag=op("TagResource", ResourceARN=arn),
        untag=op("UntagResource", ResourceARN=arn),
        list=op("ListTagsForResource", ResourceARN=arn),
    )


class EventBus(ResourceType):
    """A custom bus."""

    pulumi_type = "aws:cloudwatch/eventBus:EventBus"
    service = "events"
    inputs = "name description kmsKeyIdentifier deadLetterConfig logConfig eventSourceName"
    autoname = "name"
    identity = ("name",)
    creation = op("CreateEventBus")
    updates = (
        op(
            "UpdateEventBus",
            only="description kmsKeyIdentifier deadLetterConfig logConfig",
            put=True,
            Name="{id}",
        ),
    )
    id = "{name}"
    reading = op("DescribeEventBus", Name="{id}")
    deletion = op("DeleteEventBus", Name="{id}")
    tagging = events_tagging("arn:aws:events:{region}:{account}:event-bus/{id}")
    outputs: ClassVar = {"arn": "Arn"}


class EventBusPolicy(ResourceType):
    """A bus's whole resource policy."""

    pulumi_type = "aws:cloudwatch/eventBusPolicy:EventBusPolicy"
    service = "events"
    inputs = "eventBusName policy"
    identity = ("eventBusName",)
    creation = op("PutPermission")
    updates = (op("PutPermission", only="policy", EventBusName="{id}"),)
    reading = op("DescribeEventBus", names={"eventBusName": "Name"}, Name="{id}")
    deletion = op("RemovePermission", EventBusName="{id}", RemoveAllPermissions=True)

    def ident_of(self, aws: Aws, answer: Any, props: Mapping[str, Any]) -> str:
        return str(props.get("eventBusName") or DEFAULT_BUS)

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        ident = self.ident_of(aws, {}, plain_without_nulls(inputs))
        return ident if self.describe(aws, ident, {}) else None

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        raw = super().describe(aws, ident, props)
        return raw if raw and raw.get("Policy") else None


class EventRule(ResourceType):
    """A rule of a bus."""

    pulumi_type = "aws:cloudwatch/eventRule:EventRule"
    service = "events"
    inputs = "name eventBusName description eventPattern scheduleExpression state roleArn"
    settings = "forceDestroy"
    autoname = "name"
    identity = ("name", "eventBusName")
    replace = "name eventBusName"
    creation = op("PutRule")
    updates = (op("PutRule", put=True, Name="{name}", EventBusName="{eventBusName}"),)
    reading = op("DescribeRule", Name="{name}", EventBusName="{eventBusName}")
    tagging = events_tagging("{arn}")
    outputs: ClassVar = {"arn": "Arn"}

    def values(self, aws: Aws, ident: str | None, props: Mapping[str, Any]) -> Properties:
        made = super().values(aws, ident, props)
        if ident:
            bus, _, made["name"] = ident.rpartition("/")
            made["eventBusName"] = bus or DEFAULT_BUS
            if "arn" not in made:
                made["arn"] = props.get("Arn")
        return made

    def update(
        self,
        aws: Aws,
        ident: str,
        before: Any,
        after: Properties,
        changed: list[str],
        state: Any,
    ) -> None:
        if set(changed) - {"tags", "tagsAll", "forceDestroy"}:
            self.call(aws, self.updates[0], ident, after)

    def ident_of(self, aws: Aws, answer: Any, props: Mapping[str, Any]) -> str:
        bus = props.get("eventBusName") or DEFAULT_BUS
        return props["name"] if bus == DEFAULT_BUS else f"{bus}/{props['name']}"

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = plain_without_nulls(inputs)
        ident = self.ident_of(aws, {}, props)
        return ident if self.describe(aws, ident, props) else None

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        names = self.values(aws, ident, props)
        aws.call(
            "events",
            "DeleteRule",
            {
                "Name": names["name"],
                "EventBusName": names["eventBusName"],
                "Force": bool(props.get("forceDestroy")),
            },
        )


class EventTarget(ResourceType):
    """A target of a rule."""

    pulumi_type = "aws:cloudwatch/eventTarget:EventTarget"
    service = "events"
    target_inputs = (
        "arn targetId roleArn input inputPath inputTransformer deadLetterConfig retryPolicy "
        "sqsTarget kinesisTarget httpTarget"
    )
    inputs = f"rule eventBusName {target_inputs}"
    settings = "forceDestroy"
    replace = "rule eventBusName targetId"
    autoname = "targetId"
    identity = ("rule", "eventBusName", "targetId")
    names: ClassVar = {
        "targetId": "Id",
        "sqsTarget": "SqsParameters",
        "kinesisTarget": "KinesisParameters",
        "httpTarget": "HttpParameters",
        "inputTransformer.inputPaths": "InputPathsMap",
    }

    def replaces(self, prop: str) -> bool:
        return prop in (*self.replace.split(), "region")

    def _shape(self) -> Any:
        return models.input_shape("events", "PutTargets").members["Targets"].member

    def _target(self, props: Mapping[str, Any]) -> Properties:
        shape, made = self._shape(), {}
        for key in self.target_inputs.split():
            if props.get(key) is not None:
                place = shapes.locate(shape, key, self.names) or ""
                shapes.put(
                    made,
                    place,
                    shapes.to_aws(props[key], shapes.follow(shape, place), self.names, key),
                )
        return made

    def check_nested(self, key: str, value: Any) -> Failures:
        try:
            self._target({key: value})
        except shapes.UnmappedError as error:
            return [(error.path, str(error))]
        return []

    def validate(self, props: Properties, region: str) -> Failures:
        arn = str(props.get("arn", ""))
        parts = arn.split(":")
        if (
            len(parts) > 5
            and parts[2] == "events"
            and parts[5].startswith("event-bus/")
            and parts[3] != region
            and not props.get("roleArn")
        ):
            return [("roleArn", f"RoleArn is required for target {arn}: it is in another region")]
        return []

    def create(self, aws: Aws, props: Properties) -> str:
        bus = props.get("eventBusName") or DEFAULT_BUS
        answer = aws.call(
            "events",
            "PutTargets",
            {"Rule": props["rule"], "EventBusName": bus, "Targets": [self._target(props)]},
        )
        for failed in answer.get("FailedEntries") or []:
            raise RuntimeError(f"PutTargets: {failed.get('ErrorCode')}: {failed['ErrorMessage']}")
        return f"{bus}/{props['rule']}/{props['targetId']}"

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        """Does nothing: one call makes it whole."""

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        self.create(aws, after)

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        bus, rule, target = ident.rsplit("/", 2)
        read = op("ListTargetsByRule", Rule=rule, EventBusName=bus)
        found = self.ask(aws, read, ident, {})
        for item in (found or {}).get("Targets") or []:
            if item["Id"] == target:
                return item
        return None

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = plain_without_nulls(inputs)
        bus = props.get("eventBusName") or DEFAULT_BUS
        ident = f"{bus}/{props['rule']}/{props['targetId']}"
        return ident if self.describe(aws, ident, {}) else None

    def read_shape(self) -> Any:
        return self._shape()

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        bus, rule, target = ident.rsplit("/", 2)
        aws.call(
            "events",
            "RemoveTargets",
            {
                "Rule": rule,
                "EventBusName": bus,
                "Ids": [target],
                "Force": bool(props.get("forceDestroy")),
            },
        )


class EventArchive(ResourceType):
    """An archive of a bus's events."""

    pulumi_type = "aws:cloudwatch/eventArchive:EventArchive"
    service = "events"
    inputs = "name eventSourceArn description eventPattern retentionDays kmsKeyIdentifier"
    names: ClassVar = {"name": "ArchiveName"}
    autoname = "name"
    identity = ("name",)
    creation = op("CreateArchive")
    updates = (
        op(
            "UpdateArchive",
            only="description eventPattern retentionDays kmsKeyIdentifier",
            put=True,
            ArchiveName="{id}",
        ),
    )
    id = "{name}"
    reading = op("DescribeArchive", ArchiveName="{id}")
    deletion = op("DeleteArchive", ArchiveName="{id}")
    outputs: ClassVar = {"arn": "ArchiveArn"}
