"""Functions of pulumi-aws that programs invoke."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from typing import Any

from lab.provider.aws import Aws
from pulumi_protocol.values import secret

Arguments = Mapping[str, Any]
Answer = dict[str, Any]

PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def get_caller_identity(aws: Aws, args: Arguments) -> Answer:
    """Answers ``aws.get_caller_identity``."""
    found = aws.call("sts", "GetCallerIdentity")
    account = found["Account"]
    return {"id": account, "accountId": account, "arn": found["Arn"], "userId": found["UserId"]}


def get_random_password(aws: Aws, args: Arguments) -> Answer:
    """Answers ``aws.secretsmanager.get_random_password``: a new one at each call, as AWS does."""
    excluded = set(args.get("excludeCharacters") or "")
    groups = [
        ("excludeLowercase", string.ascii_lowercase),
        ("excludeUppercase", string.ascii_uppercase),
        ("excludeNumbers", string.digits),
        ("excludePunctuation", PUNCTUATION),
        ("", " " if args.get("includeSpace") else ""),
    ]
    alphabets = [
        kept
        for flag, alphabet in groups
        if not args.get(flag) and (kept := [char for char in alphabet if char not in excluded])
    ]
    everything = [char for alphabet in alphabets for char in alphabet]
    length = int(args.get("passwordLength") or 32)
    if not everything:
        raise ValueError("get_random_password: every character is excluded")
    need = alphabets if args.get("requireEachIncludedType", True) else []
    chosen = [secrets.choice(alphabet) for alphabet in need]
    chosen += [secrets.choice(everything) for _ in range(length - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return {**args, "id": aws.region, "randomPassword": secret("".join(chosen[:length]))}


def get_secret_versions(aws: Aws, args: Arguments) -> Answer:
    """Answers ``aws.secretsmanager.get_secret_versions``: ids and labels, no values."""
    asked = {"SecretId": args["secretId"], "IncludeDeprecated": bool(args.get("includeDeprecated"))}
    found = aws.call("secretsmanager", "ListSecretVersionIds", asked)
    return {
        **args,
        "id": args["secretId"],
        "arn": found["ARN"],
        "name": found["Name"],
        "versions": [
            {
                "versionId": one["VersionId"],
                "versionStages": one.get("VersionStages", []),
                "createdTime": str(one.get("CreatedDate", "")),
                "lastAccessedDate": "",
            }
            for one in found["Versions"]
        ],
    }


def get_parameters_by_path(aws: Aws, args: Arguments) -> Answer:
    """Answers ``aws.ssm.get_parameters_by_path``: lists in one order, empty where nothing is."""
    asked = {
        "Path": args["path"],
        "Recursive": bool(args.get("recursive", False)),
        "WithDecryption": bool(args.get("withDecryption", True)),
    }
    found: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        page = aws.call("ssm", "GetParametersByPath", {**asked, **more})
        found += page["Parameters"]
        if not page.get("NextToken"):
            break
        more = {"NextToken": page["NextToken"]}
    return {
        **args,
        "id": args["path"],
        "arns": [one["ARN"] for one in found],
        "names": [one["Name"] for one in found],
        "types": [one["Type"] for one in found],
        "values": secret([one["Value"] for one in found]),
    }


def get_zone(aws: Aws, args: Arguments) -> Answer:
    """Answers ``aws.route53.get_zone``: the hosted zone of an id."""
    found = aws.call("route53", "GetHostedZone", {"Id": args["zoneId"]})
    zone = found["HostedZone"]
    ident = zone["Id"].rpartition("/")[2]
    return {
        **args,
        "id": ident,
        "zoneId": ident,
        "arn": f"arn:aws:route53:::hostedzone/{ident}",
        # pulumi-aws answers the name without the dot that Route 53 ends it with.
        "name": zone["Name"].removesuffix("."),
        "privateZone": bool(zone.get("Config", {}).get("PrivateZone", False)),
        "comment": zone.get("Config", {}).get("Comment", ""),
        "callerReference": zone["CallerReference"],
        "resourceRecordSetCount": zone.get("ResourceRecordSetCount", 0),
        "nameServers": sorted(found.get("DelegationSet", {}).get("NameServers", [])),
        "tags": {},
    }


FUNCTIONS: dict[str, Callable[[Aws, Arguments], Answer]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": get_caller_identity,
    "aws:secretsmanager/getRandomPassword:getRandomPassword": get_random_password,
    "aws:secretsmanager/getSecretVersions:getSecretVersions": get_secret_versions,
    "aws:route53/getZone:getZone": get_zone,
    "aws:ssm/getParametersByPath:getParametersByPath": get_parameters_by_path,
}
"""Every supported function, by token."""
