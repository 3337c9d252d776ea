"""What RDS of the own region says of the own cluster and of the global one; errors are raised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from recovery.observation import GlobalCluster, OwnCluster

CONNECTED = "connected"


class Rds(Protocol):
    """What is used of boto3's RDS client; its retries are off."""

    def describe_db_clusters(self, **arguments: Any) -> Mapping[str, Any]:
        """Clusters of the client's region."""
        ...

    def describe_global_clusters(self, **arguments: Any) -> Mapping[str, Any]:
        """Global clusters, whichever regions their members are in."""
        ...


def own_cluster(client: Rds, identifier: str) -> OwnCluster:
    """Returns the own region's member.

    It writes when RDS names no source that it follows and one of its instances is a writer: a
    secondary's answer names the source.
    """
    found = client.describe_db_clusters(DBClusterIdentifier=identifier)["DBClusters"][0]
    return OwnCluster(str(found["Status"]), len(found.get("DBClusterMembers") or []), writes(found))


def writes(cluster: Mapping[str, Any]) -> bool:
    """Whether a described cluster is the writer."""
    follows = bool(cluster.get("ReplicationSourceIdentifier"))
    members = cluster.get("DBClusterMembers") or []
    return any(member.get("IsClusterWriter") for member in members) and not follows


def global_cluster(client: Rds, identifier: str, own_arn: str) -> GlobalCluster:
    """Returns the global cluster as far as it matters here; ``own_arn`` is the own member's."""
    answer = client.describe_global_clusters(GlobalClusterIdentifier=identifier)
    found = answer["GlobalClusters"][0]
    members = {member["DBClusterArn"]: member for member in found.get("GlobalClusterMembers") or []}
    own = members.pop(own_arn, None)
    state = found.get("FailoverState") or {}
    return GlobalCluster(
        own_member=own is not None,
        own_writer=own is not None and bool(own.get("IsWriter")),
        own_connected=own is not None and own.get("SynchronizationStatus") == CONNECTED,
        peer_connected=bool(members) and all(map(_is_connected, members.values())),
        failover_state=str(state.get("Status") or ""),
    )


def _is_connected(member: Mapping[str, Any]) -> bool:
    return member.get("SynchronizationStatus") == CONNECTED
