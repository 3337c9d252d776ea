"""The house's own rules (R9): names, tags, providers, and that everything can be destroyed."""

import json
import re
from typing import Any

from ops.policies.graph import Graph, Resource
from ops.policies.rule import Rule

AREA = "house"
TAGS = ("Environment", "Region", "DR-Role", "Project", "EnvironmentSuffix")
NAMED_BY_AWS = ("alias/", "/aws/", "/warm-standby/")
NAMED_OTHERWISE = {
    # Types whose name isn't ours to give, or names another resource.
    "aws:route53/record:Record",
    "aws:route53/zone:Zone",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    # Its name is a function's, which has a house name.
    "aws:lambda/alias:Alias",
    # Letters, digits and underscores only; a selection is named within its plan.
    "aws:backup/restoreTestingPlan:RestoreTestingPlan",
    "aws:backup/restoreTestingSelection:RestoreTestingSelection",
    # AWS names it "default".
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
}


def _own_names(resource: Resource) -> list[str]:
    if resource.type in NAMED_OTHERWISE:
        return []
    if resource.type.startswith("aws:s3/bucket") and resource.type != "aws:s3/bucket:Bucket":
        return []
    kind = resource.type.rpartition(":")[2]
    own = {
        "Bucket": ("bucket",),
        "Cluster": ("clusterIdentifier",),
        "ClusterInstance": ("identifier",),
        "GlobalCluster": ("globalClusterIdentifier",),
    }.get(kind, ("name",))
    names = [resource.get(key) for key in own]
    names.append(_own_tags(resource).get("Name"))
    return [name for name in names if isinstance(name, str)]


def _misnamed(graph: Graph) -> list[Resource]:
    return [
        resource
        for resource in graph.resources
        if resource.type.startswith("aws:")
        and any(not _is_house_name(name) for name in _own_names(resource))
    ]


def _is_house_name(name: str) -> bool:
    if name.startswith(NAMED_BY_AWS):
        return True
    return bool(re.fullmatch(r"[a-z0-9-]+-(us-east-1|us-west-2)-[a-z0-9]+(-[a-z0-9]+)*", name))


def _untagged(graph: Graph) -> list[Resource]:
    found = []
    for resource in graph.resources:
        provider = graph.provider_of(resource)
        if provider is None or "tags" not in resource.properties:
            continue
        tags = {**_default_tags(provider), **_own_tags(resource)}
        if not all(tags.get(key) for key in TAGS):
            found.append(resource)
    return found


def _own_tags(resource: Resource) -> dict[str, Any]:
    tags = resource.get("tags")
    return tags if isinstance(tags, dict) else {}


def _default_tags(provider: Resource) -> dict[str, Any]:
    tags = provider.get("defaultTags") or {}
    if isinstance(tags, str):
        tags = json.loads(tags)
    return tags.get("tags") or {}


def _default_provider(graph: Graph) -> list[Resource]:
    return [
        resource
        for resource in graph.resources
        if resource.type.startswith("aws:")
        and (not resource.provider or "::default_" in resource.provider)
    ]


def _kept(graph: Graph) -> list[Resource]:
    """What would stop a destroy: protection of clusters and load balancers, full buckets."""
    protected = [
        resource
        for resource in graph.of("rds/cluster:Cluster", "lb/loadBalancer:LoadBalancer")
        if resource.get("deletionProtection") or resource.get("enableDeletionProtection")
    ]
    full = [
        resource
        for resource in graph.of("s3/bucket:Bucket", "backup/vault:Vault")
        if not resource.get("forceDestroy")
    ]
    recoverable = [
        secret
        for secret in graph.of("secretsmanager/secret:Secret")
        if secret.get("recoveryWindowInDays") != 0
    ]
    return [*protected, *full, *recoverable]


RULES = (
    Rule("R9.1 physical names", AREA, _misnamed),
    Rule("R9.2 tags", AREA, _untagged),
    Rule(
        "R9.3 destroyable",
        AREA,
        _kept,
        "chosen in the stack file: deletionProtection or secretRecoveryDays",
        lambda item: item.type not in ("aws:s3/bucket:Bucket", "aws:backup/vault:Vault"),
    ),
    Rule("trap 32 explicit providers", AREA, _default_provider),
)
