"""HIPAA conformance pack: secrets, topics, alarms, functions, backups, and the account's rules."""

import re

from ops.policies.graph import Graph, Resource
from ops.policies.rule import Rule

AREA = "secrets, SNS, CloudWatch, Lambda"
BACKUP = "Backup"
ACCOUNT = "account level"
LEAST_BACKUP_DAYS = 35
OUTSIDE = "an account's setting, outside these stacks; the account's owner turns it on once"


def _unrotated(graph: Graph) -> list[Resource]:
    type_ = "secretsmanager/secretRotation:SecretRotation"
    return [
        secret
        for secret in graph.of("secretsmanager/secret:Secret")
        if not graph.attached(type_, "secretId", secret)
    ]


def _plain_topics(graph: Graph) -> list[Resource]:
    return [
        topic
        for topic in graph.of("sns/topic:Topic")
        if not (topic.get("kmsMasterKeyId") or topic.references.get("kmsMasterKeyId"))
        or topic.get("kmsMasterKeyId") == "alias/aws/sns"
    ]


def _silent_alarms(graph: Graph) -> list[Resource]:
    alarms = graph.of(
        "cloudwatch/metricAlarm:MetricAlarm", "cloudwatch/compositeAlarm:CompositeAlarm"
    )
    return [
        alarm
        for alarm in alarms
        if not (alarm.get("alarmActions") or alarm.references.get("alarmActions"))
    ]


def _public_functions(graph: Graph) -> list[Resource]:
    permissions = [
        permission
        for permission in graph.of("lambda/permission:Permission")
        if permission.get("principal") == "*"
    ]
    urls = [
        url
        for url in graph.of("lambda/functionUrl:FunctionUrl")
        if url.get("authorizationType") == "NONE"
    ]
    return [*permissions, *urls]


def _rare_backups(graph: Graph) -> list[Resource]:
    return [
        plan
        for plan in graph.of("backup/plan:Plan")
        if not any(_is_daily(rule) and _is_kept(rule) for rule in plan.get("rules", []))
    ]


def _is_daily(rule: dict[str, object]) -> bool:
    """A schedule whose days and months are all of them, such as ``cron(0 5 ? * * *)``."""
    return bool(re.fullmatch(r"cron\(\S+ \S+ (\?|\*) \* (\?|\*) \*\)", str(rule.get("schedule"))))


def _is_kept(rule: dict[str, object]) -> bool:
    lifecycle = rule.get("lifecycle") or {}
    days = lifecycle.get("deleteAfter") if isinstance(lifecycle, dict) else None
    return days is None or int(days) >= LEAST_BACKUP_DAYS


def _plain_vaults(graph: Graph) -> list[Resource]:
    return [
        vault
        for vault in graph.of("backup/vault:Vault")
        if not (vault.get("kmsKeyArn") or vault.references.get("kmsKeyArn"))
    ]


def _deletable_backups(graph: Graph) -> list[Resource]:
    denying = [
        policy
        for policy in graph.of("backup/vaultPolicy:VaultPolicy")
        if any(
            item.get("Effect") == "Deny" and "backup:DeleteRecoveryPoint" in str(item.get("Action"))
            for item in policy.statements()
        )
    ]
    return [
        vault
        for vault in graph.of("backup/vault:Vault")
        if not any(graph.names(policy, "backupVaultName", vault) for policy in denying)
    ]


RULES = (
    Rule(
        "secretsmanager-rotation-enabled-check",
        AREA,
        _unrotated,
        "a global database has no managed master password (trap 3), and rotation would write in "
        "one region what a failover reads in the other; docs/runbook.md says how to change both",
    ),
    Rule("sns-encrypted-kms", AREA, _plain_topics),
    Rule("cloudwatch-alarm-action-check", AREA, _silent_alarms),
    Rule("lambda-function-public-access-prohibited", AREA, _public_functions),
    Rule("backup-plan-min-frequency-and-min-retention-check", BACKUP, _rare_backups),
    Rule("backup-recovery-point-encrypted", BACKUP, _plain_vaults),
    Rule(
        "backup-recovery-point-manual-deletion-disabled",
        BACKUP,
        _deletable_backups,
        "everything is destroyable with no manual step (R9.3)",
    ),
    Rule("multi-region-cloudtrail-enabled", ACCOUNT, None, OUTSIDE),
    Rule("cloudtrail-s3-dataevents-enabled", ACCOUNT, None, OUTSIDE),
    Rule("guardduty-enabled-centralized", ACCOUNT, None, OUTSIDE),
    Rule("securityhub-enabled", ACCOUNT, None, OUTSIDE),
)
