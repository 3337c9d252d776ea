"""What a function's call asks for: each action on each resource, with the condition keys.

From the Service Authorization Reference and each service's user guide. A call that names several
things asks for all of them; one that uses a key of the account's through a service asks for that
too (``kms:ViaService``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lab.emulator.buckets import owner_of
from lab.emulator.iam_actions import action_of, resource_of
from lab.emulator.policies import Access
from lab.emulator.resource_policies import encrypted_under, members_of, partition_key, secret_of

Context = dict[str, str | list[str]]

KEY_USES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("secretsmanager", "GetSecretValue"): ("kms:Decrypt",),
    ("secretsmanager", "PutSecretValue"): ("kms:GenerateDataKey", "kms:Decrypt"),
    ("s3", "GetObject"): ("kms:Decrypt",),
    ("s3", "PutObject"): ("kms:GenerateDataKey",),
    ("sns", "Publish"): ("kms:GenerateDataKey", "kms:Decrypt"),
    ("sqs", "SendMessage"): ("kms:GenerateDataKey", "kms:Decrypt"),
    ("sqs", "ReceiveMessage"): ("kms:Decrypt",),
}
"""What a caller needs of the key under which a thing is kept ("Encryption at rest" and "Key
management" of each service's guide)."""
ENCRYPTION_CONTEXT = {
    "secretsmanager": "SecretARN",
    "s3": "aws:s3:arn",
    "sns": "aws:sns:topicArn",
    "sqs": "aws:sqs:arn",
}
_EQUALS = re.compile(r"([#\w.]+)\s*=\s*(:\w+)")


def accesses(
    service: str, operation: str, region: str, account: str, given: Mapping[str, Any]
) -> Iterator[Access]:
    """What a call of ``operation`` with these parameters asks for, its keys' use last."""
    action = action_of(service, operation)
    context: Context = {"aws:RequestedRegion": region, **_keys(service, region, account, given)}
    if service == "events" and operation == "PutEvents":
        for entry in given.get("Entries") or ():
            own = {
                "events:source": str(entry.get("Source", "")),
                "events:detail-type": str(entry.get("DetailType", "")),
            }
            bus = _bus(region, account, str(entry.get("EventBusName") or "default"))
            yield Access(action, bus, context={**context, **own})
        return
    resources = _resources(service, operation, region, account, given)
    for resource in resources:
        yield Access(action, resource, context=context)
    tagged = given.get("Tags") or given.get("CopyTags")
    if (service, operation) == ("rds", "CopyDBClusterSnapshot") and tagged:
        yield Access("rds:AddTagsToResource", resources[-1], context=context)
    for used in KEY_USES.get((service, operation), ()):
        for resource in resources:
            yield from _key_use(used, service, region, account, resource)


def _resources(
    service: str, operation: str, region: str, account: str, given: Mapping[str, Any]
) -> list[str]:
    """ARNs that the call is about; ``*`` where it is about none."""

    match service, operation:
        case "rds", _ if found := _of_rds(operation, region, account, given):
            return found
        case "ssm", "GetParameters" | "DeleteParameters":
            return [_parameter(region, account, name) for name in given["Names"]]
        case "ssm", "GetParametersByPath":
            return [_parameter(region, account, str(given["Path"]).rstrip("/"))]
        case "ssm", _ if "Name" in given:
            return [_parameter(region, account, str(given["Name"]))]
        case "lambda", "Invoke":
            return [_function(region, account, given)]
        case "iam", "SimulatePrincipalPolicy":
            return [str(given["PolicySourceArn"])]
        case "secretsmanager", _ if "SecretId" in given:
            name = str(given["SecretId"])
            unknown = f"arn:aws:secretsmanager:{region}:{account}:secret:"
            unknown = name if name.startswith("arn:") else unknown + name
            return [str(secret_of(name, region, account).get("ARN") or unknown)]
        case "events", "DescribeEventBus":
            return [_bus(region, account, str(given.get("Name") or "default"))]
    return [resource_of(service, region, account, given) or "*"]


def _of_rds(operation: str, region: str, account: str, given: Mapping[str, Any]) -> list[str]:
    """Of RDS, whose calls may name several things; empty where the parameters' first is all."""

    def of(kind: str, name: Any) -> str:
        whole = str(name).startswith("arn:")
        return str(name) if whole else f"arn:aws:rds:{region}:{account}:{kind}:{name}"

    match operation:
        case "FailoverGlobalCluster" | "SwitchoverGlobalCluster":
            name = str(given["GlobalClusterIdentifier"])
            whole = f"arn:aws:rds::{account}:global-cluster:{name}"
            target = of("cluster", given["TargetDbClusterIdentifier"])
            return list(dict.fromkeys([whole, target, *members_of(name, account)]))
        case "CopyDBClusterSnapshot":
            names = ("SourceDBClusterSnapshotIdentifier", "TargetDBClusterSnapshotIdentifier")
            return [of("cluster-snapshot", given[name]) for name in names]
        case "DescribeDBClusterSnapshots":
            if cluster := given.get("DBClusterIdentifier"):
                return [of("cluster", cluster)]
            return [of("cluster-snapshot", given.get("DBClusterSnapshotIdentifier") or "*")]
        case "DescribeDBInstances":
            return [of("db", given.get("DBInstanceIdentifier") or "*")]
        case "DescribeDBClusters" | "DescribeGlobalClusters":
            return ["*"]  # checked for the whole account
    return []


def _parameter(region: str, account: str, name: str) -> str:
    if name.startswith("arn:"):
        return name
    return f"arn:aws:ssm:{region}:{account}:parameter/{name.lstrip('/')}"


def _bus(region: str, account: str, name: str) -> str:
    if name.startswith("arn:"):
        return name
    return f"arn:aws:events:{region}:{account}:event-bus/{name}"


def _function(region: str, account: str, given: Mapping[str, Any]) -> str:
    """The function, its alias or version, by which of AWS's forms it is named (Lambda API
    reference, Invoke, FunctionName)."""
    name, qualifier = str(given["FunctionName"]), given.get("Qualifier")
    name = name.rpartition("function:")[2]
    arn = f"arn:aws:lambda:{region}:{account}:function:{name}"
    return f"{arn}:{qualifier}" if qualifier else arn


def _keys(service: str, region: str, account: str, given: Mapping[str, Any]) -> Context:
    """The service's own condition keys of a call."""
    match service:
        case "cloudwatch" if "Namespace" in given:
            return {"cloudwatch:namespace": str(given["Namespace"])}
        case "s3" if "Prefix" in given:
            return {"s3:prefix": str(given["Prefix"])}
        case "dynamodb" if "TableName" in given:
            name = partition_key(str(given["TableName"]).rpartition("/")[2], region, account)
            values = _leading_keys(name, given)
            return {"dynamodb:LeadingKeys": values} if values else {}
    return {}


def _leading_keys(name: str, given: Mapping[str, Any]) -> list[str]:
    """The partition key's values that a call is about (DynamoDB developer guide, "Using IAM policy
    conditions for fine-grained access control")."""
    item = given.get("Key") or given.get("Item") or {}
    if name in item:
        return [_text(item[name])]
    names = given.get("ExpressionAttributeNames") or {}
    values = given.get("ExpressionAttributeValues") or {}
    return [
        _text(values[value])
        for attribute, value in _EQUALS.findall(str(given.get("KeyConditionExpression") or ""))
        if names.get(attribute, attribute) == name and value in values
    ]


def _text(value: Mapping[str, Any]) -> str:
    return str(next(iter(value.values()), ""))


def _key_use(
    action: str, service: str, region: str, account: str, resource: str
) -> Iterator[Access]:
    if service == "s3":
        # A bucket's key is in the bucket's region, whichever was asked.
        owner = owner_of(resource.rpartition(":")[2].partition("/")[0])
        region = owner[1] if owner else region
    if key := encrypted_under(resource, region):
        yield Access(
            action,
            key,
            context={
                "aws:RequestedRegion": region,
                "kms:CallerAccount": account,
                "kms:ViaService": f"{service}.{region}.amazonaws.com",
                f"kms:EncryptionContext:{ENCRYPTION_CONTEXT[service]}": resource,
            },
        )
