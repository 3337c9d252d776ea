"""Reads what was deployed around the database: networks, and where functions and clusters stand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from lab.context import LabContext
from lab.database.reachability import Interface, RegionNetwork, obstacle
from lab.database.topology import Cluster
from lab.outage import REGIONS


@dataclass(frozen=True)
class Snapshot:
    """Both regions at one moment."""

    change: int
    """The number of the last change it surely knows of."""
    networks: dict[str, RegionNetwork]
    functions: dict[tuple[str, str], Interface] = field(default_factory=dict)
    """(region, function name) → its interface; without subnets when it is in no VPC"""
    clusters: dict[str, Interface] = field(default_factory=dict)
    """cluster ARN → its interface"""

    def obstacle(self, region: str, function: str | None, cluster: Cluster) -> str:
        """Why ``function`` of ``region`` doesn't reach ``cluster``; empty when it does.

        Without a function: a client that stands where the region's functions stand; where there
        is none yet, one with every group and subnet of the region.
        """
        target = self.clusters.get(cluster.arn)
        if target is None:
            return f"cluster {cluster.identifier} isn't deployed"
        if not target.subnet_ids and function is None:
            return ""  # a cluster in no subnet group: nothing was deployed that could decide
        if function is not None:
            source = self.functions.get((region, function))
            if source is None:
                return f"function {function} isn't deployed in {region}"
            return obstacle(source, target, cluster.port, self.networks)
        standing = [
            source
            for (where, _), source in self.functions.items()
            if where == region and source.subnet_ids
        ] or list(self._anywhere(region))
        found = [obstacle(source, target, cluster.port, self.networks) for source in standing]
        return "" if "" in found else next(iter(found), f"{region} has no network")

    def _anywhere(self, region: str) -> Iterator[Interface]:
        network = self.networks[region]
        vpcs = {subnet["VpcId"] for subnet in network.subnets.values()}
        for vpc in sorted(vpcs):
            subnets = [i for i, subnet in network.subnets.items() if subnet["VpcId"] == vpc]
            groups = [
                i for i, group in network.security_groups.items() if group.get("VpcId") == vpc
            ]
            for subnet in subnets:
                yield Interface(region, (subnet,), tuple(groups))


class DeployedNetwork:
    """The newest snapshot, taken when asked for and something changed since. Thread-safe."""

    def __init__(self, lab: LabContext) -> None:
        self._lab = lab
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._changes = 0
        self._changed_at = 0.0

    def changed(self) -> None:
        """Something that decides about ways was changed."""
        self._changes += 1
        self._changed_at = time.monotonic()

    def is_settled(self, seconds: float) -> bool:
        """Whether nothing was changed for so long."""
        return time.monotonic() - self._changed_at >= seconds

    def valid(self) -> Snapshot | None:
        """The newest snapshot, if nothing was changed since."""
        known = self._snapshot
        return known if known is not None and known.change == self._changes else None

    def snapshot(self) -> Snapshot:
        """What is deployed; blocks for the emulator's answers when it must ask."""
        with self._lock:
            known = self.valid()
            if known is None:
                known = self._snapshot = self._take(self._changes)
            return known

    def reread(self) -> None:
        """Ask the emulator whatever is known."""
        with self._lock:
            self._snapshot = self._take(self._changes)

    def _take(self, change: int) -> Snapshot:
        networks = {region: self._network(region) for region in REGIONS}
        snapshot = Snapshot(change, networks)
        for region in REGIONS:
            snapshot.functions.update(self._functions(region))
            snapshot.clusters.update(self._clusters(region))
        return snapshot

    def _network(self, region: str) -> RegionNetwork:
        client = self._lab.client("ec2", region)
        return RegionNetwork(
            subnets={i["SubnetId"]: i for i in _all(client, "describe_subnets", "Subnets")},
            route_tables=_all(client, "describe_route_tables", "RouteTables"),
            security_groups={
                i["GroupId"]: i for i in _all(client, "describe_security_groups", "SecurityGroups")
            },
            peerings={
                i["VpcPeeringConnectionId"]: i
                for i in _all(client, "describe_vpc_peering_connections", "VpcPeeringConnections")
            },
        )

    def _functions(self, region: str) -> Iterator[tuple[tuple[str, str], Interface]]:
        for function in _all(self._lab.client("lambda", region), "list_functions", "Functions"):
            placed = function.get("VpcConfig") or {}
            yield (
                (region, function["FunctionName"]),
                Interface(
                    region,
                    tuple(placed.get("SubnetIds") or ()),
                    tuple(placed.get("SecurityGroupIds") or ()),
                ),
            )

    def _clusters(self, region: str) -> Iterator[tuple[str, Interface]]:
        client = self._lab.client("rds", region)
        for cluster in _all(client, "describe_db_clusters", "DBClusters"):
            groups = [item["VpcSecurityGroupId"] for item in cluster.get("VpcSecurityGroups", ())]
            yield (
                cluster["DBClusterArn"],
                Interface(
                    region, _subnets(client, cluster.get("DBSubnetGroup", "")), tuple(groups)
                ),
            )


def _subnets(client: Any, group: str) -> tuple[str, ...]:
    try:
        found = client.describe_db_subnet_groups(DBSubnetGroupName=group)["DBSubnetGroups"]
    except ClientError:
        return ()  # the default group, which the emulator doesn't have
    return tuple(item["SubnetIdentifier"] for item in found[0]["Subnets"]) if found else ()


def _all(client: Any, operation: str, key: str) -> list[dict[str, Any]]:
    if client.can_paginate(operation):
        pages = client.get_paginator(operation).paginate()
        return [item for page in pages for item in page.get(key, ())]
    return list(getattr(client, operation)().get(key, ()))
