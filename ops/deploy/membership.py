"""Who is a member of the global database: asked of AWS, since a deployment's state only remembers.

A member may have been lost with its region, detached or deleted. AWS lets no cluster that exists
join, so a missing one is made anew (trap 43).
"""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.clients import Clients
from tapstack.naming import physical_name
from tapstack.settings import Settings

NOBODY = "GlobalClusterNotFoundFault"


def missing_members(clients: Clients, settings: Settings) -> tuple[str, ...]:
    """The regions that the global database has no member in; none where it doesn't exist yet, or
    where neither region answers."""
    name = physical_name("aurora-global", "", settings.primary_region, settings.suffix)
    # The standby outlives the primary's loss.
    for region in reversed(clients.regions):
        try:
            found = clients.get("rds", region).describe_global_clusters(
                GlobalClusterIdentifier=name
            )["GlobalClusters"]
        except ClientError as error:
            if error.response["Error"]["Code"] == NOBODY:
                return ()
            continue
        except BotoCoreError:
            continue
        members = {
            member["DBClusterArn"].split(":")[3]
            for cluster in found
            for member in cluster["GlobalClusterMembers"]
        }
        return tuple(one for one in clients.regions if one not in members)
    return ()
