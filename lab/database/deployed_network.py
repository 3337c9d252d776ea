"""Reads what was deployed around the database: networks, and where functions and clusters stand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lab.api import ApiRefusal
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
    """The newest snapshot, taken when asked for and something changed since."""

    def __init__(self, lab: LabContext) -> None:
        self._lab = lab
        self._lock = asyncio.Lock()
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

    async def snapshot(self) -> Snapshot:
        """What is deployed; of those that ask at once the first asks the emulator."""
        async with self._lock:
            known = self.valid()
            if known is None:
                known = self._snapshot = await self._take(self._changes)
            return known

    async def reread(self) -> None:
        """Asks the emulator whatever is known."""
        async with self._lock:
            self._snapshot = await self._take(self._changes)

    async def _take(self, change: int) -> Snapshot:
        snapshot = Snapshot(change, {region: await self._network(region) for region in REGIONS})
        for region in REGIONS:
            snapshot.functions.update(await self._functions(region))
            snapshot.clusters.update(await self._clusters(region))
        return snapshot

    async def _network(self, region: str) -> RegionNetwork:
        async def every(operation: str, key: str) -> list[dict[str, Any]]:
            return await self._lab.aws.every("ec2", region, operation, key)

        peerings = await every("DescribeVpcPeeringConnections", "VpcPeeringConnections")
        groups = await every("DescribeSecurityGroups", "SecurityGroups")
        return RegionNetwork(
            subnets={i["SubnetId"]: i for i in await every("DescribeSubnets", "Subnets")},
            route_tables=await every("DescribeRouteTables", "RouteTables"),
            security_groups={i["GroupId"]: i for i in groups},
            peerings={i["VpcPeeringConnectionId"]: i for i in peerings},
        )

    async def _functions(self, region: str) -> dict[tuple[str, str], Interface]:
        found = {}
        for function in await self._lab.aws.every("lambda", region, "ListFunctions", "Functions"):
            placed = function.get("VpcConfig") or {}
            found[region, function["FunctionName"]] = Interface(
                region,
                tuple(placed.get("SubnetIds") or ()),
                tuple(placed.get("SecurityGroupIds") or ()),
            )
        return found

    async def _clusters(self, region: str) -> dict[str, Interface]:
        found = {}
        for cluster in await self._lab.aws.every("rds", region, "DescribeDBClusters", "DBClusters"):
            groups = [item["VpcSecurityGroupId"] for item in cluster.get("VpcSecurityGroups", ())]
            subnets = await self._subnets(region, cluster.get("DBSubnetGroup", ""))
            found[cluster["DBClusterArn"]] = Interface(region, subnets, tuple(groups))
        return found

    async def _subnets(self, region: str, group: str) -> tuple[str, ...]:
        try:
            found = await self._lab.aws.call(
                "rds", region, "DescribeDBSubnetGroups", DBSubnetGroupName=group
            )
        except ApiRefusal:
            return ()  # the default group, which the emulator doesn't have
        groups = found["DBSubnetGroups"]
        return tuple(item["SubnetIdentifier"] for item in groups[0]["Subnets"]) if groups else ()
