"""AWS Backup: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from typing import Any

from provider_cases.case import Case, named


def plan(hour: int) -> dict[str, Any]:
    rule = {
        "ruleName": "daily",
        "targetVaultName": "vault-one",
        "schedule": f"cron(0 {hour} * * ? *)",
        "startWindow": 60,
        "completionWindow": 180,
        "lifecycle": {"deleteAfter": 7},
        "copyActions": [
            {
                "destinationVaultArn": "arn:aws:backup:us-west-2:000000000000:backup-vault:two",
                "lifecycle": {"deleteAfter": 7},
            }
        ],
    }
    return named("plan", name="plan-one", rules=[rule])


def testing_plan(hour: int) -> dict[str, Any]:
    return named(
        "testing",
        name="testing_one",
        scheduleExpression=f"cron(0 {hour} 1 * ? *)",
        startWindowHours=8,
        recoveryPointSelection={
            "algorithm": "LATEST_WITHIN_WINDOW",
            "includeVaults": ["arn:aws:backup:us-west-2:000000000000:backup-vault:two"],
            "recoveryPointTypes": ["SNAPSHOT"],
            "selectionWindowDays": 35,
        },
    )


def testing_selection(w: Any, hours: int) -> dict[str, Any]:
    return {
        "name": "aurora",
        "restoreTestingPlanName": w["testing-plan"].outputs["name"],
        "protectedResourceType": "Aurora",
        "protectedResourceArns": ["*"],
        "iamRoleArn": w["role"].outputs["arn"],
        "restoreMetadataOverrides": {"dbSubnetGroupName": "group"},
        "validationWindowHours": hours,
    }


CASES = [
    Case(
        "vault",
        "aws:backup/vault:Vault",
        lambda w: named(
            "vault", name="vault-one", kmsKeyArn=w["key"].outputs["arn"], forceDestroy=True
        ),
    ),
    Case("plan", "aws:backup/plan:Plan", lambda w: plan(5), lambda w: plan(6)),
    Case(
        "selection",
        "aws:backup/selection:Selection",
        lambda w: {
            "name": "selection-one",
            "planId": w["plan"].id,
            "iamRoleArn": w["role"].outputs["arn"],
            "selectionTags": [{"type": "STRINGEQUALS", "key": "Backup", "value": "yes"}],
        },
        got=False,
    ),
    Case(
        "testing-plan",
        "aws:backup/restoreTestingPlan:RestoreTestingPlan",
        lambda w: testing_plan(5),
        lambda w: testing_plan(6),
    ),
    Case(
        "testing-selection",
        "aws:backup/restoreTestingSelection:RestoreTestingSelection",
        lambda w: testing_selection(w, 1),
        lambda w: testing_selection(w, 2),
        got=False,
    ),
]
