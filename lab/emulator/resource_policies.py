"""What stands in the emulator's stores beside a resource: its own policy, and its key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.emulator.buckets import owner_of

AWS_KEYS = "alias/aws/"
"""Keys that AWS manages let everybody of the account use them through their service."""
ENCRYPTION_KEY = "x-amz-server-side-encryption-aws-kms-key-id"


def policy_of(arn: str) -> Any:
    """The policy of a resource by its ARN; empty without one, or without such a resource."""
    from ministack.core.responses import request_scope
    from ministack.services import eventbridge, lambda_svc, secretsmanager, sns, sqs

    _, _, service, region, account, name = arn.split(":", 5)
    if service == "s3":
        bucket = name.partition("/")[0]
        owner = owner_of(bucket)
        return bucket_policy(bucket, owner[0]) if owner else {}
    with request_scope(account, region or "us-east-1"):
        match service:
            case "sqs":
                return _attributes(sqs._queue_by_arn(arn)).get("Policy") or {}
            case "sns":
                return _attributes(sns._topics.get(arn)).get("Policy") or {}
            case "events":
                return eventbridge._event_bus_policies.get(name.partition("/")[2]) or {}
            case "lambda":
                return (lambda_svc._functions.get(name.split(":")[1]) or {}).get("policy") or {}
            case "secretsmanager":
                return secretsmanager._resource_policies.get(arn) or {}
            case "kms":
                return (key_record(arn, region) or {}).get("Policy") or {}
    return {}


def bucket_policy(bucket: str, account: str) -> Any:
    """A bucket's policy document; empty without one."""
    from ministack.core.responses import request_scope
    from ministack.services import s3

    with request_scope(account, "us-east-1"):
        policy = s3._bucket_policies.get(bucket) or {}
    return policy.decode() if isinstance(policy, bytes) else policy


def key_arn(name: str, region: str) -> str:
    """The ARN of a key by id, ARN or alias; empty when there is none, or it is AWS's own."""
    from ministack.services import kms

    if not name or AWS_KEYS in name:
        return ""
    wanted = name.rpartition("/")[2]
    for (_, where, alias_arn), key_id in list(kms._aliases._data.items()):
        if where == region and name in (alias_arn, alias_arn.rpartition(":")[2]):
            wanted = key_id
    for account, where, key_id in list(kms._keys._data):
        if where == region and key_id == wanted:
            return f"arn:aws:kms:{region}:{account}:key/{key_id}"
    return ""


def key_record(arn: str, region: str) -> Mapping[str, Any] | None:
    """The emulator's record of a key by its ARN."""
    from ministack.services import kms

    return kms._keys._data.get((arn.split(":")[4], region, arn.rpartition("/")[2]))


def secret_of(name: str, region: str, account: str) -> Mapping[str, Any]:
    """A secret's record by name or ARN; empty when there is none."""
    from ministack.services import secretsmanager

    found = (
        record
        for (owner, where, _), record in list(secretsmanager._secrets._data.items())
        if (owner, where) == (account, region) and name in (record["ARN"], record["Name"])
    )
    return next(found, {})


def encrypted_under(arn: str, region: str) -> str:
    """The ARN of the key under which a secret, a topic's or a queue's messages, an object or a
    bucket's new objects are kept; empty for none of the account's own."""
    from ministack.core.responses import request_scope
    from ministack.services import sns, sqs

    _, _, service, _, account, name = arn.split(":", 5)
    with request_scope(account or "000000000000", region):
        match service:
            case "secretsmanager":
                return key_arn(str(secret_of(arn, region, account).get("KmsKeyId") or ""), region)
            case "sns":
                held = _attributes(sns._topics.get(arn))
                return key_arn(str(held.get("KmsMasterKeyId") or ""), region)
            case "sqs":
                held = _attributes(sqs._queue_by_arn(arn))
                return key_arn(str(held.get("KmsMasterKeyId") or ""), region)
            case _:
                return _of_objects(*name.partition("/")[::2])


def _of_objects(bucket: str, key: str) -> str:
    """Of an object that is there; of new ones where the bucket has none of that key."""
    from ministack.core.responses import request_scope
    from ministack.services import s3

    owner = owner_of(bucket)
    if owner is None:
        return ""
    account, region = owner
    with request_scope(account, "us-east-1"):
        held = (s3._buckets.get(bucket) or {"objects": {}})["objects"].get(key)
        if held is None:
            headers, error = s3._resolve_sse_write_headers({}, bucket)
            headers = {} if error else dict(headers or {})
        else:
            headers = held.get("preserved_headers") or {}
    return key_arn(str(headers.get(ENCRYPTION_KEY) or ""), region)


def members_of(global_cluster: str, account: str) -> list[str]:
    """ARNs of a global database's clusters."""
    from ministack.services import rds

    held = rds._global_clusters._data.get((account, global_cluster)) or {}
    return [str(member["DBClusterArn"]) for member in held.get("GlobalClusterMembers") or ()]


def partition_key(table: str, region: str, account: str) -> str:
    """The name of a table's partition key; empty when there is no such table."""
    from ministack.services import dynamodb

    held = dynamodb._tables._data.get((account, region, table)) or {}
    keys = (key for key in held.get("KeySchema") or () if key["KeyType"] == "HASH")
    return next((str(key["AttributeName"]) for key in keys), "")


def _attributes(record: Any) -> Mapping[str, Any]:
    return (record or {}).get("attributes") or {}
