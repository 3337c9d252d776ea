"""What one environment has in AWS, asked of AWS's APIs and not of any engine's state.

Environments are distinguished by the tags ``Project`` and ``EnvironmentSuffix``. The tagging
API lists most of it in each region; what it doesn't list (IAM, Route 53's health checks, global
clusters, what is waiting to be deleted) is asked of its own service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.clients import Clients
from ops.errors import OperatorError
from ops.printing import make_console, print_json, rows_table
from ops.waiting import announced
from tapstack.naming import physical_name
from tapstack.well_known import PROJECT, SUFFIX_TAG


@dataclass(frozen=True, order=True)
class Found:
    """One thing that carries the environment's tags."""

    region: str
    """``global`` for IAM and Route 53"""
    service: str
    arn: str

    def as_dict(self) -> dict[str, str]:
        """As ``--json`` prints it."""
        return {"region": self.region, "service": self.service, "arn": self.arn}


def belongs(tags: Mapping[str, str], suffix: str) -> bool:
    """Whether these are the tags of this environment."""
    return tags.get("Project") == PROJECT and tags.get(SUFFIX_TAG) == suffix


def environment_filters(suffix: str) -> list[dict[str, Any]]:
    """The same, as EC2's API filters by it."""
    return [
        {"Name": "tag:Project", "Values": [PROJECT]},
        {"Name": f"tag:{SUFFIX_TAG}", "Values": [suffix]},
    ]


def take(clients: Clients, suffix: str) -> list[Found]:
    """Everything that carries the environment's tags, sorted, each once."""
    asked: list[Callable[[], Iterator[Found]]] = [
        *(_bind(_tagged, clients, suffix, region) for region in clients.regions),
        *(_bind(_ec2, clients, suffix, region) for region in clients.regions),
        *(_bind(_database, clients, suffix, region) for region in clients.regions),
        _bind(_iam, clients, suffix, clients.regions[0]),
        _bind(_route53, clients, suffix, clients.regions[0]),
    ]
    with ThreadPoolExecutor(max_workers=len(asked)) as threads:
        answers = [threads.submit(lambda ask=ask: list(ask())) for ask in asked]
    try:
        listed = [thing for answer in answers for thing in answer.result()]
    except (ClientError, BotoCoreError) as error:
        raise OperatorError(
            f"the inventory is incomplete: {' '.join(str(error).split())}; check credentials and "
            "network, then run ./inv inventory again"
        ) from None
    # Two APIs may write the account of one thing differently; its last part is the thing.
    each = {(thing.region, thing.service, thing.arn.split(":", 5)[-1]): thing for thing in listed}
    return sorted(each.values())


def _bind(
    ask: Callable[[Clients, str, str], Iterator[Found]], clients: Clients, suffix: str, region: str
) -> Callable[[], Iterator[Found]]:
    return lambda: ask(clients, suffix, region)


def _tagged(clients: Clients, suffix: str, region: str) -> Iterator[Found]:
    tagging = clients.get("resourcegroupstaggingapi", region)
    filters = [
        {"Key": "Project", "Values": [PROJECT]},
        {"Key": SUFFIX_TAG, "Values": [suffix]},
    ]
    for page in tagging.get_paginator("get_resources").paginate(TagFilters=filters):
        for entry in page["ResourceTagMappingList"]:
            arn = entry["ResourceARN"]
            tags = _tags(entry.get("Tags", []))
            # The API still lists things for a while after they are gone; what AWS itself
            # calls deleted has no tags left.
            if belongs(tags, suffix) and not _waits_for_deletion(clients, arn, region):
                yield _of_arn(arn, region)


def _waits_for_deletion(clients: Clients, arn: str, region: str) -> bool:
    """A key that nobody can use any more stays for its waiting period, and costs nothing."""
    if arn.split(":")[2] != "kms":
        return False
    state = clients.get("kms", region).describe_key(KeyId=arn)["KeyMetadata"]["KeyState"]
    return state in ("PendingDeletion", "PendingReplicaDeletion")


def _ec2(clients: Clients, suffix: str, region: str) -> Iterator[Found]:
    """EC2 by its own API: everything it can tag, and it is never out of date."""
    ec2 = clients.get("ec2", region)
    filters = environment_filters(suffix)
    for operation, key, id_key, kind in _EC2_CALLS:
        for page in ec2.get_paginator(operation).paginate(Filters=filters):
            for entry in page[key]:
                if _state(entry) in _GONE:
                    continue
                arn = f"arn:aws:ec2:{region}:{entry.get('OwnerId', '')}:{kind}/{entry[id_key]}"
                yield Found(region, "ec2", arn)


_GONE = ("deleted", "deleting", "rejected", "expired", "failed")
_EC2_CALLS = (
    ("describe_vpcs", "Vpcs", "VpcId", "vpc"),
    ("describe_subnets", "Subnets", "SubnetId", "subnet"),
    ("describe_route_tables", "RouteTables", "RouteTableId", "route-table"),
    ("describe_internet_gateways", "InternetGateways", "InternetGatewayId", "internet-gateway"),
    ("describe_nat_gateways", "NatGateways", "NatGatewayId", "natgateway"),
    ("describe_security_groups", "SecurityGroups", "GroupId", "security-group"),
    (
        "describe_vpc_peering_connections",
        "VpcPeeringConnections",
        "VpcPeeringConnectionId",
        "vpc-peering-connection",
    ),
)


def _database(clients: Clients, suffix: str, region: str) -> Iterator[Found]:
    rds = clients.get("rds", region)
    described = (
        ("describe_global_clusters", "GlobalClusters", "GlobalClusterArn"),
        ("describe_db_clusters", "DBClusters", "DBClusterArn"),
        ("describe_db_instances", "DBInstances", "DBInstanceArn"),
        ("describe_db_cluster_snapshots", "DBClusterSnapshots", "DBClusterSnapshotArn"),
    )
    for operation, key, arn_key in described:
        for page in rds.get_paginator(operation).paginate():
            for entry in page[key]:
                if belongs(_tags(entry.get("TagList", [])), suffix):
                    yield _of_arn(entry[arn_key], region)
    yield from _retained_backups(clients, suffix, region)


def _retained_backups(clients: Clients, suffix: str, region: str) -> Iterator[Found]:
    """What RDS keeps of a cluster that is gone; it has no tags, but the cluster's name."""
    name = physical_name("aurora-cluster", "", region, suffix)
    rds = clients.get("rds", region)
    pages = rds.get_paginator("describe_db_cluster_automated_backups").paginate(
        DBClusterIdentifier=name
    )
    for page in pages:
        for entry in page["DBClusterAutomatedBackups"]:
            if entry.get("Status") == "retained":
                yield _of_arn(entry["DBClusterAutomatedBackupArn"], region)


def _iam(clients: Clients, suffix: str, region: str) -> Iterator[Found]:
    iam = clients.get("iam", region)
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            # Roles that AWS makes for its own services are neither ours nor readable by all.
            if role["Path"].startswith("/aws-service-role/"):
                continue
            answer = iam.list_role_tags(RoleName=role["RoleName"])
            if belongs(_tags(answer["Tags"]), suffix):
                yield Found("global", "iam", role["Arn"])
    for page in iam.get_paginator("list_policies").paginate(Scope="Local"):
        for policy in page["Policies"]:
            answer = iam.list_policy_tags(PolicyArn=policy["Arn"])
            if belongs(_tags(answer["Tags"]), suffix):
                yield Found("global", "iam", policy["Arn"])


def _route53(clients: Clients, suffix: str, region: str) -> Iterator[Found]:
    route53 = clients.get("route53", region)
    listed = (
        ("list_health_checks", "HealthChecks", "healthcheck"),
        ("list_hosted_zones", "HostedZones", "hostedzone"),
    )
    for operation, key, kind in listed:
        for page in route53.get_paginator(operation).paginate():
            for entry in page[key]:
                identity = entry["Id"].rpartition("/")[2]
                answer = route53.list_tags_for_resource(ResourceType=kind, ResourceId=identity)
                if belongs(_tags(answer["ResourceTagSet"]["Tags"]), suffix):
                    yield Found("global", "route53", f"arn:aws:route53:::{kind}/{identity}")


def show(clients: Clients, suffix: str, as_json: bool) -> None:
    """Prints everything that carries the environment's tags."""
    with announced("the APIs of both regions to list what they have"):
        found = take(clients, suffix)
    if as_json:
        print_json([thing.as_dict() for thing in found])
        return
    console = make_console()
    console.print(
        rows_table(("region", "service", "arn"), ((x.region, x.service, x.arn) for x in found))
    )
    console.print(f"{len(found)} resources of {suffix}")


def _state(entry: Mapping[str, Any]) -> str:
    status = entry.get("Status")
    return status.get("Code", "") if isinstance(status, Mapping) else str(entry.get("State", ""))


def _of_arn(arn: str, region: str) -> Found:
    parts = arn.split(":")
    service = parts[2] if len(parts) > 2 else ""
    return Found("global" if service in ("iam", "route53") else region, service, arn)


def _tags(entries: list[dict[str, Any]]) -> dict[str, str]:
    return {entry["Key"]: entry["Value"] for entry in entries}
