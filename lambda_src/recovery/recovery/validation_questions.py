"""What the validator asks AWS, one function a question; errors are raised."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from recovery.asking import UnreadableError
from recovery.describe import writes
from recovery.facts import Member, Standing
from recovery.http_get import Answered
from recovery.model import State

AVAILABLE = "available"
WRITER_PART = "writer"
"""The part of ``/ready`` that isn't the standby's own: the writer lives in the other region."""
ALLOWED = "allowed"
PENDING = "PendingConfirmation"
COMPLETED = "COMPLETED"


def member(rds: Any, identifier: str) -> Member:
    """Returns one region's cluster with its instances."""
    found = rds.describe_db_clusters(DBClusterIdentifier=identifier)["DBClusters"][0]
    instances = rds.describe_db_instances(
        Filters=[{"Name": "db-cluster-id", "Values": [identifier]}]
    )["DBInstances"]
    scaling = found.get("ServerlessV2ScalingConfiguration") or {}
    return Member(
        version=str(found["EngineVersion"]),
        classes=tuple(str(one["DBInstanceClass"]) for one in instances),
        available=sum(one.get("DBInstanceStatus") == AVAILABLE for one in instances),
        capacity=f"{scaling['MinCapacity']:g}-{scaling['MaxCapacity']:g} ACU" if scaling else "",
        created=found["ClusterCreateTime"].timestamp(),
        writer=writes(found),
    )


def standing(state: State, minute: int) -> Standing:
    """Returns what the controller's state item says."""
    freeze = state.freeze
    frozen = freeze is not None and minute < freeze.until
    return Standing(armed=state.armed, frozen_by=freeze.by if freeze and frozen else "")


def unready_parts(answer: Answered) -> Mapping[str, str]:
    """Returns the parts of a ``/ready`` that aren't, the writer's aside; raises
    ``UnreadableError``."""
    if answer.status is None:
        raise UnreadableError(f"/ready: {answer.fault}")
    try:
        parts: Mapping[str, Any] = json.loads(answer.body)["parts"]
    except (ValueError, KeyError, TypeError):
        raise UnreadableError(f"/ready: status {answer.status}") from None
    return {
        name: str(part.get("reason", "not ready"))
        for name, part in parts.items()
        if name != WRITER_PART and part.get("ready") is not True
    }


def secret_digests(secrets: Any, arns: Sequence[str]) -> Mapping[str, str]:
    """Returns a digest of each secret's value by its place: the values stay in here."""
    values = [str(secrets.get_secret_value(SecretId=arn)["SecretString"]) for arn in arns]
    return {
        _secret_name(arn): hashlib.sha256(value.encode()).hexdigest()
        for arn, value in zip(arns, values, strict=True)
    }


def _secret_name(arn: str) -> str:
    """The name without Secrets Manager's own six characters: a replica has the same ones."""
    return arn.rpartition(":")[2].rpartition("-")[0]


def quota(functions: Any) -> int:
    """Returns how many functions may run at once in the account's region."""
    return int(functions.get_account_settings()["AccountLimit"]["ConcurrentExecutions"])


def denied(iam: Any, role: str, calls: Sequence[tuple[str, Sequence[str]]]) -> tuple[str, ...]:
    """Returns the calls that IAM would refuse a role, each with its resource."""
    found: list[str] = []
    for action, resources in calls:
        for resource in resources:
            answer = iam.simulate_principal_policy(
                PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource]
            )
            decisions = {one["EvalDecision"] for one in answer["EvaluationResults"]}
            if decisions != {ALLOWED}:
                found.append(f"{action} on {resource}")
    return tuple(found)


def unarmed(cloudwatch: Any, names: Sequence[str], topic: str) -> tuple[str, ...]:
    """Returns the alarms of ``names`` that are missing, disabled or don't notify the topic."""
    answer = cloudwatch.describe_alarms(
        AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=100
    )
    armed = {
        str(one["AlarmName"])
        for one in [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
        if one.get("ActionsEnabled") and topic in one.get("AlarmActions", ())
    }
    return tuple(name for name in names if name not in armed)


def confirmed_subscriptions(sns: Any, topic: str) -> int:
    """Returns how many of a topic's subscriptions are confirmed."""
    found = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return sum(str(one["SubscriptionArn"]) != PENDING for one in found)


def newest_backup(backup: Any, vault: str) -> float:
    """Returns when the newest complete recovery point of a vault was made; 0 without any."""
    newest = 0.0
    token: dict[str, str] = {}
    while True:
        page = backup.list_recovery_points_by_backup_vault(BackupVaultName=vault, **token)
        made = [
            one["CreationDate"].timestamp()
            for one in page["RecoveryPoints"]
            if one.get("Status") == COMPLETED
        ]
        newest = max(newest, *made, 0.0)
        if not page.get("NextToken"):
            return newest
        token = {"NextToken": page["NextToken"]}
