"""Which IAM action an operation is, and on which resource: what IAM's decision is asked for.

Source: Service Authorization Reference. An operation is its service's action of the same name, but
for S3 and a few others. The resource is that of the parameter which names it; where none does (a
creation whose id is AWS's own, a list) it is empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

PREFIXES = {
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
    "s3control": "s3",
    "service-quotas": "servicequotas",
}
"""IAM's prefix of a service, where it isn't botocore's name."""

OTHERWISE: dict[tuple[str, str], str] = {
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("s3", "HeadBucket"): "s3:ListBucket",
    ("s3", "ListObjects"): "s3:ListBucket",
    ("s3", "ListObjectsV2"): "s3:ListBucket",
    ("s3", "ListObjectVersions"): "s3:ListBucketVersions",
    ("s3", "HeadObject"): "s3:GetObject",
    ("s3", "DeleteObjects"): "s3:DeleteObject",
    ("s3", "DeleteBucketTagging"): "s3:PutBucketTagging",
    ("s3", "DeleteBucketEncryption"): "s3:PutEncryptionConfiguration",
    ("s3", "DeleteBucketLifecycle"): "s3:PutLifecycleConfiguration",
    ("s3", "DeleteBucketReplication"): "s3:PutReplicationConfiguration",
    ("s3", "DeleteBucketOwnershipControls"): "s3:PutBucketOwnershipControls",
    ("s3", "DeletePublicAccessBlock"): "s3:PutBucketPublicAccessBlock",
    ("s3", "GetObjectLockConfiguration"): "s3:GetBucketObjectLockConfiguration",
}
S3_NAMES = {
    "BucketEncryption": "EncryptionConfiguration",
    "BucketLifecycleConfiguration": "LifecycleConfiguration",
    "BucketReplication": "ReplicationConfiguration",
    "BucketAccelerateConfiguration": "AccelerateConfiguration",
    "BucketCors": "BucketCORS",
    "PublicAccessBlock": "BucketPublicAccessBlock",
}
"""What S3's Get and Put operations are called as actions."""

NAMED: dict[str, tuple[tuple[str, str], ...]] = {
    "backup": (
        ("RecoveryPointArn", "{}"),
        ("BackupVaultName", "backup-vault:{}"),
        ("RestoreTestingPlanName", "restore-testing-plan:{}"),
    ),
    "cloudwatch": (
        ("AlarmName", "alarm:{}"),
        ("AlarmNames", "alarm:{}"),
        ("DashboardName", "=arn:aws:cloudwatch::{account}:dashboard/{}"),
        ("DashboardNames", "=arn:aws:cloudwatch::{account}:dashboard/{}"),
    ),
    "dynamodb": (("TableName", "table/{}"),),
    "iam": (("RoleName", "=arn:aws:iam::{account}:role/{}"),
            ("PolicyName", "=arn:aws:iam::{account}:policy/{}")),
    "kms": (("AliasName", "{}"),),
    "lambda": (("FunctionName", "function:{}"), ("UUID", "event-source-mapping:{}")),
    "logs": (("logGroupName", "log-group:{}"),),
    "rds": (
        ("DBInstanceIdentifier", "db:{}"),
        ("DBClusterIdentifier", "cluster:{}"),
        ("DBClusterParameterGroupName", "cluster-pg:{}"),
        ("DBSubnetGroupName", "subgrp:{}"),
        ("GlobalClusterIdentifier", "=arn:aws:rds::{account}:global-cluster:{}"),
    ),
    "route53": (
        ("HostedZoneId", "=arn:aws:route53:::hostedzone/{}"),
        ("HealthCheckId", "=arn:aws:route53:::healthcheck/{}"),
    ),
    "s3": (("Bucket", "=arn:aws:s3:::{}"),),
    "s3control": (("JobId", "job/{}"),),
    "scheduler": (("Name", "schedule/default/{}"),),
    # AWS ends a secret's ARN with six characters of its own.
    "secretsmanager": (("SecretId", "secret:{}-Lab123"), ("Name", "secret:{}-Lab123")),
    "sns": (("Name", "{}"),),
    "sqs": (("QueueUrl", "{}"), ("QueueName", "{}")),
    "ssm": (("Name", "parameter{}"),),
}  # fmt: skip
"""Service → parameters that name a resource, in the order that counts, and the end of its ARN
(after ``=`` the whole of it)."""

PASSED_TO = {
    "backup": "backup.amazonaws.com",
    "ec2": "vpc-flow-logs.amazonaws.com",
    "events": "events.amazonaws.com",
    "lambda": "lambda.amazonaws.com",
    "rds": "monitoring.rds.amazonaws.com",
    "s3": "s3.amazonaws.com",
    "s3control": "batchoperations.s3.amazonaws.com",
    "scheduler": "scheduler.amazonaws.com",
}
"""Service → whom a role is handed to that a call of it names."""

_ROLE = re.compile(r"arn:aws:iam::\d{12}:role/\S+")


def action_of(service: str, operation: str) -> str:
    """The IAM action that an operation needs: ``rds:CreateDBCluster``."""
    if found := OTHERWISE.get((service, operation)):
        return found
    if service == "s3":
        for verb in ("Get", "Put"):
            if operation.startswith(verb):
                name = operation.removeprefix(verb)
                return f"s3:{verb}{S3_NAMES.get(name, name)}"
    return f"{PREFIXES.get(service, service)}:{operation}"


def resource_of(service: str, region: str, account: str, parameters: Mapping[str, Any]) -> str:
    """The ARN that the call is about; empty where its parameters don't name it."""
    for parameter, template in NAMED.get(service, ()):
        value = parameters.get(parameter)
        value = value[0] if isinstance(value, list) and value else value
        if not isinstance(value, str):
            continue
        if value.startswith("arn:"):
            return value
        name = value.rpartition("/")[2] if service in ("sqs", "route53") else value
        arn = template.removeprefix("=").format(name, account=account)
        if service == "s3" and isinstance(parameters.get("Key"), str):
            arn += f"/{parameters['Key']}"
        elif service == "s3" and "Delete" in parameters:
            arn += "/*"  # DeleteObjects: many of the bucket's
        whole = template.startswith("=")
        return (
            arn if whole else f"arn:aws:{PREFIXES.get(service, service)}:{region}:{account}:{arn}"
        )
    if service == "events" and isinstance(rule := parameters.get("Rule"), str):
        bus = str(parameters.get("EventBusName") or "default").rpartition("/")[2]
        path = rule if bus == "default" else f"{bus}/{rule}"
        return f"arn:aws:events:{region}:{account}:rule/{path}"
    arns = [one for one in parameters.values() if isinstance(one, str) and one.startswith("arn:")]
    # A role that is handed over is asked about by itself.
    return next((arn for arn in arns if not _ROLE.fullmatch(arn)), "")


def roles_in(parameters: Mapping[str, Any]) -> list[str]:
    """The roles that a call hands to a service."""
    return [value for value in _texts(parameters) if _ROLE.fullmatch(value)]


def ids_in(parameters: Mapping[str, Any]) -> list[str]:
    """EC2's ids that a call names: ``vpc-0123456789abcdef0``."""
    return [value for value in _texts(parameters) if re.fullmatch(r"[a-z]+-[0-9a-f]{8,17}", value)]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
