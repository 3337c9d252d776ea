"""AWS Backup: restore testing plans and their selections."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider.aws import Aws
from lab.provider.declaration import Properties, op
from lab.provider.resource import ResourceType
from lab.provider.types.backup import backup_tagging


class RestoreTestingPlan(ResourceType):
    """When restores are tried, and which recovery points."""

    pulumi_type = "aws:backup/restoreTestingPlan:RestoreTestingPlan"
    service = "backup"
    inputs = (
        "name scheduleExpression scheduleExpressionTimezone startWindowHours recoveryPointSelection"
    )
    names: ClassVar = {
        "name": "RestoreTestingPlan.RestoreTestingPlanName",
        "scheduleExpression": "RestoreTestingPlan.ScheduleExpression",
        "scheduleExpressionTimezone": "RestoreTestingPlan.ScheduleExpressionTimezone",
        "startWindowHours": "RestoreTestingPlan.StartWindowHours",
        "recoveryPointSelection": "RestoreTestingPlan.RecoveryPointSelection",
    }
    identity = ("name",)
    creation = op("CreateRestoreTestingPlan")
    updates = (
        op("UpdateRestoreTestingPlan", put=True, without="name", RestoreTestingPlanName="{id}"),
    )
    id = "{name}"
    reading = op("GetRestoreTestingPlan", "RestoreTestingPlan", RestoreTestingPlanName="{id}")
    deletion = op("DeleteRestoreTestingPlan", RestoreTestingPlanName="{id}")
    tagging = backup_tagging("arn:aws:backup:{region}:{account}:restore-testing-plan:{id}")
    outputs: ClassVar = {"arn": "RestoreTestingPlanArn"}


class RestoreTestingSelection(ResourceType):
    """What a plan restores, and how."""

    pulumi_type = "aws:backup/restoreTestingSelection:RestoreTestingSelection"
    service = "backup"
    inputs = (
        "name restoreTestingPlanName iamRoleArn protectedResourceType protectedResourceArns "
        "protectedResourceConditions restoreMetadataOverrides validationWindowHours"
    )
    names: ClassVar = {
        "name": "RestoreTestingSelection.RestoreTestingSelectionName",
        "iamRoleArn": "RestoreTestingSelection.IamRoleArn",
        "protectedResourceType": "RestoreTestingSelection.ProtectedResourceType",
        "protectedResourceArns": "RestoreTestingSelection.ProtectedResourceArns",
        "protectedResourceConditions": "RestoreTestingSelection.ProtectedResourceConditions",
        "restoreMetadataOverrides": "RestoreTestingSelection.RestoreMetadataOverrides",
        "validationWindowHours": "RestoreTestingSelection.ValidationWindowHours",
    }
    replace = "name restoreTestingPlanName protectedResourceType"
    identity = ("restoreTestingPlanName", "name")
    creation = op("CreateRestoreTestingSelection")
    updates = (
        op(
            "UpdateRestoreTestingSelection",
            put=True,
            without="name restoreTestingPlanName protectedResourceType",
            RestoreTestingPlanName="{restoreTestingPlanName}",
            RestoreTestingSelectionName="{name}",
        ),
    )
    id = "{name}:{restoreTestingPlanName}"
    deletion = op(
        "DeleteRestoreTestingSelection",
        RestoreTestingPlanName="{restoreTestingPlanName}",
        RestoreTestingSelectionName="{name}",
    )

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        name, _, plan = ident.partition(":")
        read = op(
            "GetRestoreTestingSelection",
            "RestoreTestingSelection",
            RestoreTestingPlanName=plan,
            RestoreTestingSelectionName=name,
        )
        return self.ask(aws, read, ident, props)
