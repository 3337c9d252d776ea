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
]
