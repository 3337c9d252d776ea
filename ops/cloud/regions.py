"""What stands in both regions now: health, who writes, and how far the other one is behind."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.clients import Clients
from tapstack.well_known import HEALTH_PATH

TIMEOUT_SECONDS = 5
LAG_WINDOW = timedelta(minutes=10)
"""How old the newest figure of the replication lag may be."""


@dataclass(frozen=True)
class RegionStatus:
    """One region as a client and AWS's APIs see it."""

    region: str
    role: str
    health: str
    """``200 healthy``, or why not"""
    database: str
    """``writer`` or ``reader``, with the cluster's status; or why it isn't known"""
    replication_lag: str
    """Of a reader, ``12 ms``; or why it isn't known"""

    def as_dict(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return asdict(self)


def regions(
    outputs: Mapping[str, Any], clients: Clients, lab_endpoint: str | None
) -> list[RegionStatus]:
    """Both regions, primary first."""
    roles = ("primary", "secondary")
    found = []
    for role, region in zip(roles, clients.regions, strict=True):
        answer = health(outputs.get(f"app.{role}.load_balancer_dns_name"), lab_endpoint)
        part = database(outputs, role, clients, region)
        lag = (
            replication_lag(outputs[f"data.{role}.cluster_identifier"], clients, region)
            if part.startswith("reader")
            else ""
        )
        found.append(RegionStatus(region, role, answer, part, lag))
    return found


def health(host: str | None, lab_endpoint: str | None) -> str:
    """What ``/health`` behind a load balancer answers; the lab routes by the Host header."""
    if not host:
        return "not deployed"
    request = urllib.request.Request(  # noqa: S310 - an http address of our own
        f"{lab_endpoint or f'http://{host}'}{HEALTH_PATH}", headers={"Host": host}
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


def replication_lag(cluster: str, clients: Clients, region: str) -> str:
    """How far a reader of the global database is behind the writer: the newest minute's maximum of
    ``AuroraGlobalDBReplicationLag``, which is published where the reader is."""
    now = datetime.now(UTC)
    try:
        points = clients.get("cloudwatch", region).get_metric_statistics(
            Namespace="AWS/RDS",
            MetricName="AuroraGlobalDBReplicationLag",
            Dimensions=[{"Name": "DBClusterIdentifier", "Value": cluster}],
            StartTime=now - LAG_WINDOW,
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
    except (ClientError, BotoCoreError) as error:
        return f"unknown ({' '.join(str(error).split())})"
    if not points:
        return f"not reported for {LAG_WINDOW.seconds // 60} min"
    return f"{max(points, key=lambda point: point['Timestamp'])['Maximum']:.0f} ms"
