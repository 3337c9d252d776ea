"""What RDS answers about clusters, instances and global databases, by the topology."""

from __future__ import annotations

from typing import Any

from lab.database.topology import AVAILABLE, Cluster, Topology


def amend(topology: Topology, region: str, result: dict[str, Any], now: float = 0.0) -> None:
    """Shows roles, endpoints, ports and states as the topology has them at lab time ``now``."""
    for key, amend_item in (
        ("DBCluster", _amend_cluster),
        ("DBInstance", _amend_instance),
        ("GlobalCluster", _amend_global),
    ):
        if isinstance(result.get(key), dict):
            amend_item(topology, region, result[key])
        for item in result.get(f"{key}s") or ():
            amend_item(topology, region, item)
    for item in [result.get("DBCluster"), *(result.get("DBClusters") or ())]:
        cluster = topology.clusters.get((item or {}).get("DBClusterArn", ""))
        if item and cluster and cluster.away_until > now:
            item["Status"] = "failing-over"
    for item in [result.get("DBInstance"), *(result.get("DBInstances") or ())]:
        name = (item or {}).get("DBInstanceIdentifier", "")
        cluster = topology.cluster_of_instance(region, name)
        if item and cluster and cluster.rebooting.get(name, 0.0) > now:
            item["DBInstanceStatus"] = "rebooting"


def _amend_cluster(topology: Topology, _region: str, item: dict[str, Any]) -> None:
    cluster = topology.clusters.get(item.get("DBClusterArn", ""))
    if cluster is None:
        return
    item["Endpoint"] = cluster.cluster_endpoint
    item["Port"] = cluster.port
    writer = topology.writer_of(cluster)
    if writer is not None:
        # Inactive, and left out of AWS's answer (terraform-provider-aws issue 14219).
        del item["Endpoint"]
        item["ReplicationSourceIdentifier"] = writer.arn
        item.pop("ReadReplicaIdentifiers", None)
    elif database := topology.global_of(cluster.arn):
        item.pop("ReplicationSourceIdentifier", None)
        readers = [arn for arn in database.members if arn != cluster.arn]
        item["ReadReplicaIdentifiers"] = readers
    if item.get("Status") == AVAILABLE and not _serves(cluster):
        item["Status"] = "creating"


def _amend_instance(topology: Topology, region: str, item: dict[str, Any]) -> None:
    name = item.get("DBInstanceIdentifier", "")
    cluster = topology.cluster_of_instance(region, name)
    if cluster is None:
        return
    item["Endpoint"]["Port"] = cluster.port
    if item.get("DBInstanceStatus") == AVAILABLE and not _serves(cluster):
        item["DBInstanceStatus"] = "creating"


def _serves(cluster: Cluster) -> bool:
    # A server that was there and is away (an outage) doesn't make RDS's status "creating".
    return cluster.provisioned


def _amend_global(topology: Topology, _region: str, item: dict[str, Any]) -> None:
    database = topology.globals.get(item.get("GlobalClusterIdentifier", ""))
    if database is None:
        return
    if item.get("Status") != "deleting":
        item["Status"] = database.status
    item.pop("FailoverState", None)
    if database.failover_state:
        item["FailoverState"] = dict(database.failover_state)
    readers = [arn for arn in database.members if arn != database.writer]
    for member in item.get("GlobalClusterMembers") or ():
        arn = member["DBClusterArn"]
        member["IsWriter"] = arn == database.writer
        member["Readers"] = readers if member["IsWriter"] else []
        cluster = topology.clusters.get(arn)
        behind = cluster is not None and (cluster.is_stale or cluster.is_unfenced)
        member["SynchronizationStatus"] = "pending-resync" if behind else "connected"
