"""Before the data layer is destroyed: takes the demoted member out of a swapped global database.

After a failover the writer is the cluster that the program calls secondary, and Pulumi deletes
that one first. AWS refuses to delete a writer while other members exist (tf-aws #26236), so the
demoted member becomes a standalone cluster beforehand; the destroy then deletes both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.clients import Clients
from ops.errors import OperatorError
from ops.waiting import announced
from tapstack.naming import physical_name
from tapstack.settings import Settings

WAIT_SECONDS = 1800
POLL_SECONDS = 2
HOPELESS = frozenset(
    {
        "cloning-failed",
        "inaccessible-encryption-credentials",
        "inaccessible-encryption-credentials-recoverable",
        "migration-failed",
        "stopped",
        "stopping",
    }
)
"""States that no waiting makes ``available`` (Aurora user guide, "DB cluster status")."""


def detach_demoted(
    clients: Clients,
    settings: Settings,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> str | None:
    """Detaches what a role swap demoted and waits until it stands alone.

    Answers one line on what it did, or None where nothing was to be done: no global database, or
    the roles as the program declares them. Raises :class:`OperatorError`.
    """
    name = physical_name("aurora-global", "", settings.primary_region, settings.suffix)
    try:
        found = _describe(clients, name)
        writer = _writer(found)
        if writer is None or _region(writer) == settings.primary_region:
            return None
        demoted = [arn for arn in _members(found) if arn != writer]
        for arn in demoted:
            # In the removed cluster's own region (Aurora user guide, "Removing a cluster from an
            # Amazon Aurora global database").
            clients.get("rds", _region(arn)).remove_from_global_cluster(
                GlobalClusterIdentifier=name, DbClusterIdentifier=arn
            )
        until = clock() + WAIT_SECONDS
        with announced(f"data: {name} to let its demoted cluster go"):
            while _members(_describe(clients, name)) - {writer} or not all(
                _available(clients, name, arn) for arn in demoted
            ):
                if clock() > until:
                    raise OperatorError(_failed(name, f"still detaching after {WAIT_SECONDS} s"))
                sleep(POLL_SECONDS)
    except (ClientError, BotoCoreError) as error:
        raise OperatorError(_failed(name, " ".join(str(error).split()))) from None
    if not demoted:
        return None
    regions = ", ".join(_region(arn) for arn in demoted)
    return f"roles were swapped: detached the demoted cluster in {regions} from {name}"


def _failed(name: str, why: str) -> str:
    return (
        f"data: can't detach the demoted cluster from {name}: {why}; run ./inv destroy-all again "
        "when that is settled"
    )


def _describe(clients: Clients, name: str) -> dict[str, Any] | None:
    """The global cluster, asked of the standby region, which outlives the primary's loss; where it
    doesn't answer either, of the primary."""
    primary, standby = clients.regions
    try:
        return _described(clients.get("rds", standby), name)
    except BotoCoreError:
        return _described(clients.get("rds", primary), name)


def _described(rds: Any, name: str) -> dict[str, Any] | None:
    try:
        return rds.describe_global_clusters(GlobalClusterIdentifier=name)["GlobalClusters"][0]
    except rds.exceptions.GlobalClusterNotFoundFault:
        return None


def _members(found: dict[str, Any] | None) -> set[str]:
    return {member["DBClusterArn"] for member in (found or {}).get("GlobalClusterMembers", [])}


def _writer(found: dict[str, Any] | None) -> str | None:
    """Membership and IsWriter are the truth about who writes."""
    members = (found or {}).get("GlobalClusterMembers", [])
    return next((member["DBClusterArn"] for member in members if member["IsWriter"]), None)


def _available(clients: Clients, name: str, arn: str) -> bool:
    """Whether the cluster stands alone; raises when it can't any more."""
    rds = clients.get("rds", _region(arn))
    (cluster,) = rds.describe_db_clusters(DBClusterIdentifier=arn)["DBClusters"]
    if cluster["Status"] in HOPELESS:
        raise OperatorError(_failed(name, f"{arn} is {cluster['Status']}"))
    return cluster["Status"] == "available"


def _region(arn: str) -> str:
    return arn.split(":")[3]
