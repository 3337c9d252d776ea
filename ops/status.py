"""What stands in both regions now: layers, health, who writes."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.aws import Clients

TIMEOUT_SECONDS = 5


@dataclass(frozen=True)
class RegionStatus:
    """One region as a client and AWS's APIs see it."""

    region: str
    role: str
    health: str
    """``200 healthy``, or why not"""
    database: str
    """``writer`` or ``reader``, with the cluster's status; or why it isn't known"""

    def as_dict(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return asdict(self)


def regions(
    outputs: Mapping[str, Any], clients: Clients, lab_endpoint: str | None
) -> list[RegionStatus]:
    """Both regions, primary first."""
    roles = ("primary", "secondary")
    return [
        RegionStatus(
            region,
            role,
            health(outputs.get(f"app.{role}.load_balancer_dns_name"), lab_endpoint),
            database(outputs, role, clients, region),
        )
        for role, region in zip(roles, clients.regions, strict=True)
    ]


def health(host: str | None, lab_endpoint: str | None) -> str:
    """What ``/health`` behind a load balancer answers; the lab routes by the Host header."""
    if not host:
        return "not deployed"
    request = urllib.request.Request(  # noqa: S310 - an http address of our own
        f"{lab_endpoint or f'http://{host}'}/health", headers={"Host": host}
    )
    handlers = [urllib.request.ProxyHandler({})] if lab_endpoint else []
    try:
        with urllib.request.build_opener(*handlers).open(
            request, timeout=TIMEOUT_SECONDS
        ) as answer:
            return f"{answer.status} {json.load(answer)['status']}"
    except urllib.error.HTTPError as error:
        return f"answers {error.code}"
    except (OSError, ValueError, KeyError) as error:
        return f"no answer ({' '.join(str(error).split()) or type(error).__name__})"


def database(outputs: Mapping[str, Any], role: str, clients: Clients, region: str) -> str:
    """Whether this region's cluster writes: membership and IsWriter of the global cluster, asked
    in the region itself, because the other one may be gone (trap 9)."""
    wanted = outputs.get("data.global_cluster_id")
    name = outputs.get(f"data.{role}.cluster_identifier")
    if not wanted or not name:
        return "not deployed"
    try:
        answer = clients.get("rds", region).describe_global_clusters(GlobalClusterIdentifier=wanted)
    except (ClientError, BotoCoreError) as error:
        return f"unknown ({' '.join(str(error).split())})"
    cluster = answer["GlobalClusters"][0]
    for member in cluster["GlobalClusterMembers"]:
        if member["DBClusterArn"].rpartition(":")[2] == name:
            return f"{'writer' if member['IsWriter'] else 'reader'}, {cluster['Status']}"
    return "detached from the global cluster"
