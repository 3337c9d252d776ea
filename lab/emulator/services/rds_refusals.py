"""RDS: what AWS refuses of clusters, instances and members of a global database, by the emulator's
records. What depends on servers (role changes) is refused by the database part.

All of it is to be called in the request's scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.api import ApiRefusal

SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 99
"""Characters of an Aurora PostgreSQL master password (Aurora User Guide, "Settings for Aurora DB
clusters")."""


def is_burstable(instance_class: str) -> bool:
    """Whether a global database refuses the class (terraform-provider-aws issue 27736)."""
    return instance_class.startswith("db.t")


def global_of(cluster: Mapping[str, Any]) -> Mapping[str, Any]:
    """The global cluster a cluster is a member of, by the membership; empty outside one."""
    from ministack.services import rds

    return next(
        (
            record
            for record in rds._global_clusters._data.values()
            for member in record["GlobalClusterMembers"]
            if member["DBClusterArn"] == cluster.get("DBClusterArn")
        ),
        {},
    )


def writer_of(cluster: Mapping[str, Any]) -> str:
    """ARN of the writer of the cluster's global cluster; empty outside one."""
    return _writer(global_of(cluster))


def readers_of(cluster: Mapping[str, Any]) -> list[str]:
    """ARNs of the secondaries, when the cluster is the writer."""
    if not cluster or writer_of(cluster) != cluster["DBClusterArn"]:
        return []
    members = global_of(cluster)["GlobalClusterMembers"]
    return [member["DBClusterArn"] for member in members if not member["IsWriter"]]


def check_secondary(given: Mapping[str, Any], region: str) -> None:
    """CreateDBCluster: a cluster that joins a global database copies its writer, which must have
    an instance; credentials come with the copy, a key of its own region must be given."""
    from ministack.services import rds

    record = rds._global_clusters.get(given.get("GlobalClusterIdentifier", "")) or {}
    if not record.get("GlobalClusterMembers"):
        return
    for name, what in (
        ("MasterUsername", "user name"),
        ("MasterUserPassword", "password"),
        ("DatabaseName", "database name"),
    ):
        if given.get(name):
            raise ApiRefusal(
                "InvalidParameterCombination",
                f"Cannot specify {what} for cross region replication cluster",
            )
    if not (writer_arn := _writer(record)):
        return
    writer = next((c for c in rds._clusters._data.values() if c["DBClusterArn"] == writer_arn), {})
    if not writer.get("DBClusterMembers"):
        raise ApiRefusal(
            "InvalidDBClusterStateFault",
            "Source cluster is in a state which is not valid for physical replication",
        )
    key = str(given.get("KmsKeyId", ""))
    if writer.get("StorageEncrypted") and not key:
        raise ApiRefusal(
            "InvalidParameterCombination",
            f"Source cluster {writer_arn} is encrypted; pass a valid KMS key of {region}",
        )
    if key.startswith("arn:") and key.split(":")[3] != region:
        raise ApiRefusal(
            "KMSKeyNotAccessibleFault",
            f"The specified KMS key [{key}] does not exist, is not enabled or you do not have "
            "permissions to access it.",
        )


def check_password(given: Mapping[str, Any]) -> None:
    """CreateDBCluster, ModifyDBCluster: 8 to 99 printable characters, some of them excepted."""
    password = given.get("MasterUserPassword")
    if password is None:
        return
    said = "The parameter MasterUserPassword is not a valid password"
    if len(password) < SHORTEST_PASSWORD:
        reason = f" because it is shorter than {SHORTEST_PASSWORD} characters."
    elif len(password) > LONGEST_PASSWORD:
        reason = f" because it is longer than {LONGEST_PASSWORD} characters."
    elif not all("!" <= character <= "~" and character not in '/@"' for character in password):
        reason = ". Only printable ASCII characters besides '/', '@', '\"', ' ' may be used."
    else:
        return
    raise ApiRefusal("InvalidParameterValue", said + reason)


def check_delete_cluster(given: Mapping[str, Any]) -> None:
    """DeleteDBCluster: instances first, the primary of a global database last, and out of it."""
    from ministack.services import rds

    cluster = rds._clusters.get(given["DBClusterIdentifier"]) or {}
    if not cluster:
        return
    if cluster.get("DBClusterMembers"):
        raise ApiRefusal(
            "InvalidDBClusterStateFault",
            "Cluster cannot be deleted, it still contains DB instances in non-deleting state.",
        )
    if readers_of(cluster):
        raise ApiRefusal(
            "InvalidGlobalClusterStateFault",
            "Unable to delete cluster that is a primary member of global cluster while there are "
            "other global cluster members",
        )
    if global_of(cluster):
        raise ApiRefusal(
            "InvalidDBClusterStateFault",
            "This cluster is a part of a global cluster, please remove it from globalcluster first",
        )


def check_class(given: Mapping[str, Any]) -> None:
    """CreateDBInstance, ModifyDBInstance: no burstable class in a global database; a serverless
    instance needs its cluster's capacity."""
    from ministack.services import rds

    name = str(given.get("DBInstanceClass", ""))
    instance = rds._instances.get(given["DBInstanceIdentifier"]) or {}
    cluster_name = given.get("DBClusterIdentifier") or instance.get("DBClusterIdentifier", "")
    cluster = rds._clusters.get(cluster_name) or {}
    if is_burstable(name) and global_of(cluster):
        raise ApiRefusal(
            "InvalidParameterCombination",
            f"The requested instance class is not supported by global databases: {name}",
        )
    if name == "db.serverless" and cluster and not cluster.get("ServerlessV2ScalingConfiguration"):
        raise ApiRefusal(
            "InvalidParameterCombination",
            "Set the Serverless v2 scaling configuration on the parent DB cluster before creating "
            "a Serverless v2 DB instance.",
        )


def check_delete_instance(given: Mapping[str, Any]) -> None:
    """DeleteDBInstance: the primary's last instance stays while a secondary replicates from it."""
    from ministack.services import rds

    instance = rds._instances.get(given["DBInstanceIdentifier"]) or {}
    cluster = rds._clusters.get(instance.get("DBClusterIdentifier", "")) or {}
    if len(cluster.get("DBClusterMembers", [])) == 1 and readers_of(cluster):
        raise ApiRefusal(
            "InvalidDBClusterStateFault",
            "Cannot delete the last instance of the master cluster. Delete the replica "
            "cluster before deleting the last master cluster instance.",
        )


def _writer(record: Mapping[str, Any]) -> str:
    members = record.get("GlobalClusterMembers", [])
    return next((m["DBClusterArn"] for m in members if m["IsWriter"]), "")
