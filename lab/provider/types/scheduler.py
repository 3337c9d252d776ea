"""EventBridge Scheduler: schedules."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider.aws import Aws
from lab.provider.declaration import Properties, op
from lab.provider.resource import ResourceType

DEFAULT_GROUP = "default"


class Schedule(ResourceType):
    """A schedule."""

    pulumi_type = "aws:scheduler/schedule:Schedule"
    service = "scheduler"
    inputs = (
        "name groupName description scheduleExpression scheduleExpressionTimezone startDate "
        "endDate state kmsKeyArn flexibleTimeWindow target actionAfterCompletion"
    )
    names: ClassVar = {"target.sqsParameters": "SqsParameters"}
    autoname = "name"
    identity = ("name", "groupName")
    replace = "name groupName"
    creation = op("CreateSchedule")
    updates = (op("UpdateSchedule", put=True, Name="{name}", GroupName="{groupName}"),)
    id = "{groupName}/{name}"
    reading = op("GetSchedule", Name="{name}", GroupName="{groupName}")
    deletion = op("DeleteSchedule", Name="{name}", GroupName="{groupName}")
    outputs: ClassVar = {"arn": "Arn", "groupName": "GroupName"}

    def values(self, aws: Aws, ident: str | None, props: Any) -> Properties:
        made = super().values(aws, ident, props)
        if ident:
            made["groupName"], _, made["name"] = ident.partition("/")
        elif not made.get("groupName"):
            made["groupName"] = DEFAULT_GROUP
        return made

    def create(self, aws: Aws, props: Properties) -> str:
        return aws.retry(
            10,  # a role made a moment ago can't be assumed yet
            ("ValidationException",),
            lambda: super(Schedule, self).create(aws, props),
            says="assume",
        )
