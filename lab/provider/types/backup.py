"""AWS Backup: vaults, plans, selections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lab.provider.aws import Aws
from lab.provider.declaration import Properties, Tagging, op
from lab.provider.resource import ResourceType
from pulumi_protocol.values import plain_without_nulls


def backup_tagging(arn: str) -> Tagging:
    """Returns Backup's tagging by the ARN's template."""
    return Tagging(
        tag=op("TagResource", ResourceArn=arn),
        untag=op("UntagResource", ResourceArn=arn),
        list=op("ListTags", ResourceArn=arn),
    )


class Vault(ResourceType):
    """A vault."""

    pulumi_type = "aws:backup/vault:Vault"
    service = "backup"
    inputs = "name kmsKeyArn"
    settings = "forceDestroy"
    names: ClassVar = {"name": "BackupVaultName", "kmsKeyArn": "EncryptionKeyArn"}
    autoname = "name"
    identity = ("name",)
    creation = op("CreateBackupVault")
    id = "{name}"
    reading = op("DescribeBackupVault", BackupVaultName="{id}")
    deletion = op("DeleteBackupVault", BackupVaultName="{id}")
    tagging = backup_tagging("arn:aws:backup:{region}:{account}:backup-vault:{id}")
    outputs: ClassVar = {"arn": "BackupVaultArn", "recoveryPoints": "NumberOfRecoveryPoints"}

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        if props.get("forceDestroy"):
            read = op("ListRecoveryPointsByBackupVault", BackupVaultName=ident)
            found = self.ask(aws, read, ident, {})
            for item in (found or {}).get("RecoveryPoints") or []:
                aws.call(
                    "backup",
                    "DeleteRecoveryPoint",
                    {"BackupVaultName": ident, "RecoveryPointArn": item["RecoveryPointArn"]},
                )
        super().delete(aws, ident, props)


RULE_NAMES = {
    "rules.completionWindow": "CompletionWindowMinutes",
    "rules.startWindow": "StartWindowMinutes",
    "rules.schedule": "ScheduleExpression",
    "rules.targetVaultName": "TargetBackupVaultName",
    "rules.lifecycle.deleteAfter": "DeleteAfterDays",
    "rules.lifecycle.coldStorageAfter": "MoveToColdStorageAfterDays",
    "rules.copyActions.destinationVaultArn": "DestinationBackupVaultArn",
    "rules.copyActions.lifecycle.deleteAfter": "DeleteAfterDays",
    "rules.copyActions.lifecycle.coldStorageAfter": "MoveToColdStorageAfterDays",
    "rules.lifecycle.optInToArchiveForSupportedResources": "OptInToArchiveForSupportedResources",
}


class Plan(ResourceType):
    """A plan: when to back up, where to copy."""

    pulumi_type = "aws:backup/plan:Plan"
    service = "backup"
    inputs = "name rules advancedBackupSettings"
    names: ClassVar = {
        "name": "BackupPlan.BackupPlanName",
        "rules": "BackupPlan.Rules",
        "advancedBackupSettings": "BackupPlan.AdvancedBackupSettings",
        **RULE_NAMES,
    }
    autoname = "name"
    identity = ("name",)
    creation = op("CreateBackupPlan")
    updates = (op("UpdateBackupPlan", put=True, BackupPlanId="{id}"),)
    id = "BackupPlanId"
    reading = op("GetBackupPlan", BackupPlanId="{id}")
    deletion = op("DeleteBackupPlan", BackupPlanId="{id}")
    tagging = backup_tagging("arn:aws:backup:{region}:{account}:backup-plan:{id}")
    volatile = frozenset({"version"})
    outputs: ClassVar = {"arn": "BackupPlanArn", "version": "VersionId"}

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        raw = super().describe(aws, ident, props)
        return None if raw and raw.get("DeletionDate") else raw

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        name = plain_without_nulls(inputs)["name"]
        for page in aws.client("backup").get_paginator("list_backup_plans").paginate():
            for item in page["BackupPlansList"]:
                if item["BackupPlanName"] == name:
                    return item["BackupPlanId"]
        return None


class Selection(ResourceType):
    """What a plan backs up."""

    pulumi_type = "aws:backup/selection:Selection"
    service = "backup"
    inputs = "planId name iamRoleArn resources notResources selectionTags conditions"
    names: ClassVar = {
        "planId": "BackupPlanId",
        "name": "BackupSelection.SelectionName",
        "iamRoleArn": "BackupSelection.IamRoleArn",
        "resources": "BackupSelection.Resources",
        "notResources": "BackupSelection.NotResources",
        "selectionTags": "BackupSelection.ListOfTags",
        "selectionTags.type": "ConditionType",
        "selectionTags.key": "ConditionKey",
        "selectionTags.value": "ConditionValue",
        "conditions": "BackupSelection.Conditions",
        **{
            f"conditions.{test}.{key}": f"Condition{key.capitalize()}"
            for test in ("stringEquals", "stringLikes", "stringNotEquals", "stringNotLikes")
            for key in ("key", "value")
        },
        "conditions.stringLikes": "StringLike",
        "conditions.stringNotLikes": "StringNotLike",
    }
    identity = ("planId", "name")
    creation = op("CreateBackupSelection")
    id = "SelectionId"
    reading = op("GetBackupSelection", BackupPlanId="{planId}", SelectionId="{id}")
    deletion = op("DeleteBackupSelection", BackupPlanId="{planId}", SelectionId="{id}")
    create_retry = ("InvalidParameterValueException",)

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props: Mapping[str, Any] = plain_without_nulls(inputs)
        read = op("ListBackupSelections", BackupPlanId=props["planId"])
        found = self.ask(aws, read, None, props)
        for item in (found or {}).get("BackupSelectionsList") or []:
            if item["SelectionName"] == props["name"]:
                return item["SelectionId"]
        return None
