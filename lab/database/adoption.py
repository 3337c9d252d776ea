"""Brings the topology level with what the emulator knows, after the lab was away."""

from __future__ import annotations

from typing import Any

from lab.api import AwsCaller
from lab.database.topology import AVAILABLE, ENGINE, Topology
from lab.outage import REGIONS


async def adopt(aws: AwsCaller, topology: Topology) -> None:
    """Drops clusters that were deleted and takes up unknown ones (their master user gets a password
    with the next ModifyDBCluster); a role change that was interrupted is over."""
    seen: set[str] = set()
    for region in REGIONS:
        for made in await aws.every("rds", region, "DescribeDBClusters", "DBClusters"):
            if made.get("Engine") == ENGINE:
                seen.add(made["DBClusterArn"])
                _adopt_cluster(topology, region, made)
        for instance in await aws.every("rds", region, "DescribeDBInstances", "DBInstances"):
            _adopt_instance(topology, region, instance)
    topology.clusters = {arn: c for arn, c in topology.clusters.items() if arn in seen}
    described = await aws.every("rds", REGIONS[0], "DescribeGlobalClusters", "GlobalClusters")
    _adopt_globals(topology, {item["GlobalClusterIdentifier"]: item for item in described})
    topology.save()


def _adopt_cluster(topology: Topology, region: str, made: dict[str, Any]) -> None:
    known = topology.clusters.get(made["DBClusterArn"])
    cluster = known or topology.add_cluster(region, made)
    members = {member["DBInstanceIdentifier"] for member in made.get("DBClusterMembers", ())}
    cluster.instances = {n: c for n, c in cluster.instances.items() if n in members}
    cluster.retention_days = made.get("BackupRetentionPeriod", cluster.retention_days)
    cluster.away_until = 0.0


def _adopt_instance(topology: Topology, region: str, instance: dict[str, Any]) -> None:
    cluster = topology.named(region, instance.get("DBClusterIdentifier", ""))
    if cluster is not None:
        cluster.instances.setdefault(instance["DBInstanceIdentifier"], instance["DBInstanceClass"])


def _adopt_globals(topology: Topology, known: dict[str, dict[str, Any]]) -> None:
    for identifier in [name for name in topology.globals if name not in known]:
        del topology.globals[identifier]
    for identifier, item in known.items():
        database = topology.globals.get(identifier) or topology.add_global(item)
        members = {member["DBClusterArn"]: member for member in item["GlobalClusterMembers"]}
        database.members = [arn for arn in members if arn in topology.clusters]
        if database.writer not in database.members:
            database.writer = next(
                (arn for arn in database.members if members[arn].get("IsWriter")), ""
            )
        database.status, database.failover_state = AVAILABLE, {}
        database.endpoint_writer = ""
