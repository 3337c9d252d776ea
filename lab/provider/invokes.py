"""Functions of pulumi-aws that programs invoke."""

from __future__ import annotations

import hashlib
import json
import secrets
import string
from collections.abc import Callable, Mapping
from typing import Any

from lab.provider import wire
from lab.provider.aws import Aws

Arguments = Mapping[str, Any]
Answer = dict[str, Any]

PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def get_availability_zones(aws: Aws, args: Arguments) -> Answer:
    """``aws.get_availability_zones``: the region's zones, in the order of their names."""
    filters = [
        {"Name": item["name"], "Values": list(item["values"])} for item in args.get("filters", [])
    ]
    found = aws.call("ec2", "DescribeAvailabilityZones", {"Filters": filters} if filters else {})
    zones = sorted(found["AvailabilityZones"], key=lambda zone: zone["ZoneName"])
    wanted = args.get("state")
    excluded = {*args.get("excludeNames", []), *args.get("excludeZoneIds", [])}
    zones = [
        zone
        for zone in zones
        if (not wanted or zone.get("State", "available") == wanted)
        and not excluded & {zone["ZoneName"], zone.get("ZoneId")}
    ]
    return {
        **args,
        "id": aws.region,
        "region": aws.region,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone.get("ZoneId", "") for zone in zones],
        "groupNames": sorted({zone.get("GroupName", aws.region) for zone in zones}),
    }


def get_caller_identity(aws: Aws, args: Arguments) -> Answer:
    """``aws.get_caller_identity``."""
    found = aws.call("sts", "GetCallerIdentity")
    account = found["Account"]
    return {"id": account, "accountId": account, "arn": found["Arn"], "userId": found["UserId"]}


def get_region(aws: Aws, args: Arguments) -> Answer:
    """``aws.get_region``: the provider's own region."""
    region = args.get("region") or args.get("name") or aws.region
    return {
        "id": region,
        "region": region,
        "name": region,
        "description": region,
        "endpoint": f"ec2.{region}.amazonaws.com",
    }


def get_partition(aws: Aws, args: Arguments) -> Answer:
    """``aws.get_partition``: the lab's regions are of the standard partition."""
    return {
        "id": "aws",
        "partition": "aws",
        "dnsSuffix": "amazonaws.com",
        "reverseDnsPrefix": "com.amazonaws",
    }


def get_random_password(aws: Aws, args: Arguments) -> Answer:
    """``aws.secretsmanager.get_random_password``: a new one at each call, as AWS makes it."""
    excluded = set(args.get("excludeCharacters") or "")
    groups = [
        ("excludeLowercase", string.ascii_lowercase),
        ("excludeUppercase", string.ascii_uppercase),
        ("excludeNumbers", string.digits),
        ("excludePunctuation", PUNCTUATION),
    ]
    alphabets = [
        [char for char in alphabet if char not in excluded]
        for flag, alphabet in groups
        if not args.get(flag)
    ]
    if args.get("includeSpace"):
        alphabets.append([" "])
    alphabets = [alphabet for alphabet in alphabets if alphabet]
    everything = [char for alphabet in alphabets for char in alphabet]
    length = int(args.get("passwordLength") or 32)
    if not everything:
        raise ValueError("get_random_password: every character is excluded")
    need = alphabets if args.get("requireEachIncludedType", True) else []
    chosen = [secrets.choice(alphabet) for alphabet in need]
    chosen += [secrets.choice(everything) for _ in range(length - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return {**args, "id": aws.region, "randomPassword": wire.secret("".join(chosen[:length]))}


def get_secret_version(aws: Aws, args: Arguments) -> Answer:
    """``aws.secretsmanager.get_secret_version``: the value arrives as a secret."""
    parameters = {"SecretId": args["secretId"]}
    if args.get("versionId"):
        parameters["VersionId"] = args["versionId"]
    else:
        parameters["VersionStage"] = args.get("versionStage") or "AWSCURRENT"
    found = aws.call("secretsmanager", "GetSecretValue", parameters)
    return {
        **args,
        "region": aws.region,
        "arn": found["ARN"],
        "id": f"{args['secretId']}|{parameters.get('VersionId') or parameters['VersionStage']}",
        "versionId": found["VersionId"],
        "versionStages": found.get("VersionStages", []),
        "createdDate": found["CreatedDate"].isoformat() if found.get("CreatedDate") else "",
        "secretString": wire.secret(found.get("SecretString", "")),
        "secretBinary": wire.secret(""),
    }


def get_policy_document(aws: Aws, args: Arguments) -> Answer:
    """``aws.iam.get_policy_document``: statements as the JSON document of a policy."""
    statements = [_statement(item) for item in args.get("statements", [])]
    document: Answer = {"Version": args.get("version") or "2012-10-17"}
    if args.get("policyId"):
        document["Id"] = args["policyId"]
    merged: list[Answer] = []
    for source in args.get("sourcePolicyDocuments", []):
        merged += _listed(json.loads(source).get("Statement", []))
    merged += statements
    for override in args.get("overridePolicyDocuments", []):
        for statement in _listed(json.loads(override).get("Statement", [])):
            sid = statement.get("Sid")
            merged = [item for item in merged if not sid or item.get("Sid") != sid] + [statement]
    document["Statement"] = merged
    text = json.dumps(document, indent=2)
    return {
        **args,
        "id": hashlib.sha256(text.encode()).hexdigest()[:16],
        "json": text,
        "minifiedJson": json.dumps(document, separators=(",", ":")),
    }


def _statement(item: Arguments) -> Answer:
    made: Answer = {}
    if item.get("sid"):
        made["Sid"] = item["sid"]
    made["Effect"] = item.get("effect") or "Allow"
    for key, name in (
        ("actions", "Action"),
        ("notActions", "NotAction"),
        ("resources", "Resource"),
        ("notResources", "NotResource"),
    ):
        if item.get(key):
            made[name] = _single(item[key])
    for key, name in (("principals", "Principal"), ("notPrincipals", "NotPrincipal")):
        principals: Answer = {}
        for principal in item.get(key, []):
            if principal["type"] == "*":
                made[name] = "*"
                break
            principals[principal["type"]] = _single(principal["identifiers"])
        if principals and name not in made:
            made[name] = principals
    for condition in item.get("conditions", []):
        tests = made.setdefault("Condition", {}).setdefault(condition["test"], {})
        tests[condition["variable"]] = _single(condition["values"])
    return made


def _single(values: list[str]) -> Any:
    return values[0] if len(values) == 1 else list(values)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


FUNCTIONS: dict[str, Callable[[Aws, Arguments], Answer]] = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": get_availability_zones,
    "aws:index/getCallerIdentity:getCallerIdentity": get_caller_identity,
    "aws:index/getRegion:getRegion": get_region,
    "aws:index/getPartition:getPartition": get_partition,
    "aws:secretsmanager/getRandomPassword:getRandomPassword": get_random_password,
    "aws:secretsmanager/getSecretVersion:getSecretVersion": get_secret_version,
    "aws:iam/getPolicyDocument:getPolicyDocument": get_policy_document,
}
"""Every supported function, by token."""
