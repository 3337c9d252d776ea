"""What stands in both regions now: health, who writes, and how far the other one is behind."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud import metrics, queues, readiness, web
from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from ops.cloud.queues import Events
from ops.cloud.readiness import Readiness
from ops.cloud.roles import ROLES
from tapstack.well_known import HEALTH_PATH

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
    ready: Readiness = Readiness()
    events: Events = Events()

    @property
    def answers(self) -> bool:
        """Whether the application runs."""
        return self.health.startswith("200 ")

    @property
    def is_writer(self) -> bool:
        """Whether this region's cluster writes, as RDS says."""
        return self.database.startswith("writer")

    def as_dict(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {**asdict(self), "writes": self.ready.writes}


def regions(
    outputs: Mapping[str, Any],
    clients: Clients,
    suffix: str,
    lab_endpoint: str | None,
    server_name: str = "",
) -> list[RegionStatus]:
    """Both regions, primary first; one that hangs doesn't keep the other waiting. ``server_name``
    is on the load balancers' certificates, empty without any."""

    def look(role: str, region: str) -> RegionStatus:
        host = outputs.get(f"app.{role}.load_balancer_dns_name")
        part = database(outputs, role, clients, region)
        lag = (
            replication_lag(outputs[f"data.{role}.cluster_identifier"], clients, region)
            if part.startswith("reader")
            else ""
        )
        return RegionStatus(
            region,
            role,
            health(host, lab_endpoint),
            part,
            lag,
            readiness.readiness(host, clients, region, suffix, lab_endpoint, server_name),
            (
                queues.events(clients, region, suffix)
                if outputs.get(f"global.{role}.bus_name")
                else Events(unknown="not deployed")
            ),
        )

    with ThreadPoolExecutor(len(clients.regions)) as pool:
        return list(pool.map(look, ROLES, clients.regions))


def health(host: str | None, lab_endpoint: str | None) -> str:
    """What ``/health`` behind a load balancer answers."""
    if not host:
        return "not deployed"
    answer = web.get(host, HEALTH_PATH, lab_endpoint)
    if answer.status == 0:
        return f"no answer ({answer.detail})"
    found = answer.body.get("status")
    return f"{answer.status} {found}" if found else f"answers {answer.status}"


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
        return f"unknown ({reason(error)})"
    cluster = answer["GlobalClusters"][0]
    for member in cluster["GlobalClusterMembers"]:
        if member["DBClusterArn"].rpartition(":")[2] == name:
            return f"{'writer' if member['IsWriter'] else 'reader'}, {cluster['Status']}"
    return "detached from the global cluster"


def replication_lag(cluster: str, clients: Clients, region: str) -> str:
    """How far a reader of the global database is behind the writer."""
    try:
        found = lag_ms(cluster, clients, region)
    except (ClientError, BotoCoreError) as error:
        return f"unknown ({reason(error)})"
    if found is None:
        return f"not reported for {LAG_WINDOW.seconds // 60} min"
    return f"{found:.0f} ms"


def lag_ms(cluster: str, clients: Clients, region: str) -> float | None:
    """The newest minute's maximum of ``AuroraGlobalDBReplicationLag``, which is published where the
    reader is; None where nothing is reported."""
    points = metrics.newest(
        clients.get("cloudwatch", region),
        ("AWS/RDS", "AuroraGlobalDBReplicationLag", "Maximum"),
        {"DBClusterIdentifier": cluster},
        LAG_WINDOW,
    )
    return points[-1] if points else None
