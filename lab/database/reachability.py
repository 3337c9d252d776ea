"""Whether a packet gets from a function to the database, by what was deployed: subnets, routes,
peering, security groups. A pure decision over the answers of EC2's describe calls.

Left out: network ACLs (nothing here deploys any but the default, which lets all pass) and ports
of the way back (security groups are stateful).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_network
from typing import Any

Description = Mapping[str, Any]
"""An item of an EC2 describe call, as boto3 gives it."""


@dataclass(frozen=True)
class RegionNetwork:
    """One region's network as EC2 describes it."""

    subnets: Mapping[str, Description] = field(default_factory=dict)
    """subnet id → Subnet"""
    route_tables: Collection[Description] = ()
    security_groups: Mapping[str, Description] = field(default_factory=dict)
    """group id → SecurityGroup"""
    peerings: Mapping[str, Description] = field(default_factory=dict)
    """connection id → VpcPeeringConnection"""


@dataclass(frozen=True)
class Interface:
    """Where a network interface may be: all of ``subnet_ids`` (a function's is in any of them)."""

    region: str
    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]


def obstacle(
    source: Interface, target: Interface, port: int, networks: Mapping[str, RegionNetwork]
) -> str:
    """Why nothing gets from ``source`` to ``target``'s TCP ``port``; empty when it does.

    The way must be open from every subnet of the source to every subnet of the target, for AWS
    places the interfaces.
    """
    if not source.subnet_ids:
        return "the source is in no VPC"
    here, there = networks[source.region], networks[target.region]
    if missing := [s for s in source.subnet_ids if s not in here.subnets] + [
        s for s in target.subnet_ids if s not in there.subnets
    ]:
        return f"subnet {missing[0]} doesn't exist"
    source_vpc = here.subnets[source.subnet_ids[0]]["VpcId"]
    target_vpc = there.subnets[target.subnet_ids[0]]["VpcId"]
    same_vpc = source.region == target.region and source_vpc == target_vpc
    if not same_vpc:
        for subnet_id in source.subnet_ids:
            for other in target.subnet_ids:
                there_and_back = _route_obstacle(
                    here, subnet_id, _cidr(there, other), target_vpc
                ) or _route_obstacle(there, other, _cidr(here, subnet_id), source_vpc)
                if there_and_back:
                    return there_and_back
    return _rule_obstacle(
        "ingress",
        (
            rule
            for group in target.security_group_ids
            for rule in there.security_groups.get(group, {}).get("IpPermissions", ())
        ),
        port,
        [_cidr(here, subnet_id) for subnet_id in source.subnet_ids],
        # A rule may name a group of its own VPC only.
        source.security_group_ids if same_vpc else (),
        f"security group {', '.join(target.security_group_ids) or '(none)'} of {target.region}",
    ) or _rule_obstacle(
        "egress",
        (
            rule
            for group in source.security_group_ids
            for rule in here.security_groups.get(group, {}).get("IpPermissionsEgress", ())
        ),
        port,
        [_cidr(there, subnet_id) for subnet_id in target.subnet_ids],
        target.security_group_ids if same_vpc else (),
        f"security group {', '.join(source.security_group_ids) or '(none)'} of {source.region}",
    )


def _cidr(network: RegionNetwork, subnet_id: str) -> IPv4Network:
    return IPv4Network(network.subnets[subnet_id]["CidrBlock"])


def _route_obstacle(
    network: RegionNetwork, subnet_id: str, destination: IPv4Network, peer_vpc: str
) -> str:
    """Why ``subnet_id``'s route table doesn't lead to ``destination`` in ``peer_vpc``."""
    subnet = network.subnets[subnet_id]
    table = _route_table(network, subnet_id, subnet["VpcId"])
    if table is None:
        return f"subnet {subnet_id} has no route table"
    routes = [
        (ip_network(route["DestinationCidrBlock"]), route)
        for route in table.get("Routes", ())
        if "DestinationCidrBlock" in route
        and destination.subnet_of(IPv4Network(route["DestinationCidrBlock"]))
    ]
    if not routes:
        return f"route table {table['RouteTableId']} has no route to {destination}"
    # The longest prefix wins, as in AWS.
    route = max(routes, key=lambda pair: pair[0].prefixlen)[1]
    connection = route.get("VpcPeeringConnectionId")
    if not connection:
        return f"route table {table['RouteTableId']} leads to {destination} over no peering"
    if route.get("State", "active") != "active":
        return f"the route to {destination} in {table['RouteTableId']} is {route['State']}"
    peering = network.peerings.get(connection)
    status = (peering or {}).get("Status", {}).get("Code", "unknown")
    if peering is None or status != "active":
        return f"peering connection {connection} is {status}"
    ends = {peering.get(side, {}).get("VpcId") for side in ("RequesterVpcInfo", "AccepterVpcInfo")}
    if ends != {subnet["VpcId"], peer_vpc}:
        return f"peering connection {connection} doesn't join {subnet['VpcId']} and {peer_vpc}"
    return ""


def _route_table(network: RegionNetwork, subnet_id: str, vpc_id: str) -> Description | None:
    main: Description | None = None
    for table in network.route_tables:
        for association in table.get("Associations", ()):
            if association.get("SubnetId") == subnet_id:
                return table
            if association.get("Main") and table.get("VpcId") == vpc_id:
                main = table
    return main


def _rule_obstacle(
    direction: str,
    rules: Iterable[Description],
    port: int,
    peers: Collection[IPv4Network],
    peer_groups: Collection[str],
    where: str,
) -> str:
    fitting = [rule for rule in rules if _is_for(rule, port)]
    groups = {pair.get("GroupId") for rule in fitting for pair in rule.get("UserIdGroupPairs", ())}
    if groups & set(peer_groups):
        return ""
    ranges = [
        IPv4Network(entry["CidrIp"], strict=False)
        for rule in fitting
        for entry in rule.get("IpRanges", ())
    ]
    for peer in peers:
        if not any(peer.subnet_of(allowed) for allowed in ranges):
            side = "from" if direction == "ingress" else "to"
            return f"{where} has no {direction} rule for TCP {port} {side} {peer}"
    return ""


def _is_for(rule: Description, port: int) -> bool:
    protocol = str(rule.get("IpProtocol", ""))
    if protocol == "-1":
        return True
    return protocol in {"tcp", "6"} and rule.get("FromPort", 0) <= port <= rule.get("ToPort", 65535)
