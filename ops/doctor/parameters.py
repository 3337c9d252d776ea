"""Whether the clusters run with their own parameters: audit and heartbeat are loaded by them.

A library is loaded at a start of the server, and a major upgrade leaves members with AWS's default
group: nobody notices that nothing is audited any more (trap 53).
"""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import ClientError

from ops.cloud.clients import Clients
from ops.doctor.finding import Finding, advice, ok
from tapstack.naming import physical_name
from tapstack.settings import Settings

ABSENT = "DBClusterNotFoundFault"
IN_SYNC = "in-sync"


def examine(clients: Clients, settings: Settings, region: str) -> Iterator[Finding]:
    """One finding of a region whose cluster is deployed. boto3's errors are raised."""
    what = f"database parameters of {region}"
    cluster = physical_name("aurora-cluster", "", region, settings.suffix)
    major = settings.data.engine_version.split(".")[0]
    wanted = physical_name("aurora-parameters", major, region, settings.suffix)
    try:
        answer = clients.get("rds", region).describe_db_clusters(DBClusterIdentifier=cluster)
    except ClientError as error:
        if error.response["Error"]["Code"] == ABSENT:
            return
        raise
    found = answer["DBClusters"][0]
    group = found.get("DBClusterParameterGroup", "")
    if group != wanted:
        yield advice(
            what,
            f"{cluster} uses {group}: neither pgaudit nor pg_cron is loaded",
            f"aws rds modify-db-cluster --region {region} --db-cluster-identifier {cluster} "
            f"--db-cluster-parameter-group-name {wanted} --apply-immediately, then reboot",
        )
        return
    waiting = [
        member["DBInstanceIdentifier"]
        for member in found["DBClusterMembers"]
        if member.get("DBClusterParameterGroupStatus", IN_SYNC) != IN_SYNC
    ]
    if waiting:
        yield advice(
            what,
            f"{', '.join(waiting)} must be rebooted before {wanted} holds",
            f"the reading region first, one after the other: aws rds reboot-db-instance "
            f"--region {region} --db-instance-identifier {waiting[0]}",
        )
    else:
        yield ok(what, wanted)
