"""The network interfaces that services keep in subnets, derived from what is deployed.

On AWS they are why a subnet, a security group or a VPC can't be deleted while something uses it.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Interface:
    """An interface: its subnet and groups, and AWS's description of its owner."""

    owner: str
    subnet_id: str
    group_ids: tuple[str, ...]
    description: str
    kind: str = "interface"

    @property
    def interface_id(self) -> str:
        """eni-…, always the same for the same owner and subnet."""
        digest = hashlib.sha256(f"{self.owner}/{self.subnet_id}".encode()).hexdigest()
        return f"eni-{digest[:17]}"

    def private_ip(self, cidr: str) -> str:
        """An address in the subnet's CIDR, after the five that AWS reserves."""
        network = ipaddress.ip_network(cidr)
        digest = int(hashlib.sha256(f"{self.owner}/{self.subnet_id}".encode()).hexdigest()[:8], 16)
        return str(network[4 + digest % max(1, network.num_addresses - 6)])


def service_interfaces(account: str, region: str) -> Iterator[Interface]:
    """Interfaces of NAT gateways, interface endpoints, load balancers, functions and databases."""
    from ministack.services import alb, ec2, lambda_svc, rds

    for nat in ec2._nat_gateways.values_scoped(account, region):
        if nat["State"] not in ("deleted", "deleting"):
            description = f"Interface for NAT Gateway {nat['NatGatewayId']}"
            yield Interface(nat["NatGatewayId"], nat["SubnetId"], (), description, "nat_gateway")
    for endpoint in ec2._vpc_endpoints.values_scoped(account, region):
        for subnet in endpoint.get("SubnetIds", []):
            groups = tuple(endpoint.get("SecurityGroupIds", []))
            name = endpoint["VpcEndpointId"]
            yield Interface(name, subnet, groups, f"VPC Endpoint Interface {name}", "vpc_endpoint")
    for balancer in alb._lbs.values_scoped(account, region):
        path = balancer["LoadBalancerArn"].partition("loadbalancer/")[2]
        for subnet in balancer["Subnets"]:
            groups = tuple(balancer["SecurityGroups"])
            yield Interface(balancer["LoadBalancerArn"], subnet, groups, f"ELB {path}")
    for function in lambda_svc._functions.values_scoped(account, region):
        config = function["config"]
        network = config.get("VpcConfig") or {}
        for subnet in network.get("SubnetIds") or []:
            groups = tuple(network.get("SecurityGroupIds") or [])
            # Functions with the same subnet and groups share an interface.
            yield Interface(
                f"lambda/{','.join(sorted(groups))}",
                subnet,
                groups,
                f"AWS Lambda VPC ENI-{config['FunctionName']}",
                "lambda",
            )
    subnets_of_groups = {
        group["DBSubnetGroupName"]: [item["SubnetIdentifier"] for item in group.get("Subnets", [])]
        for group in rds._subnet_groups.values_scoped(account, region)
    }
    for cluster in rds._clusters.values_scoped(account, region):
        groups = tuple(
            item["VpcSecurityGroupId"] for item in cluster.get("VpcSecurityGroups") or []
        )
        for subnet in subnets_of_groups.get(_group_name(cluster), []):
            yield Interface(cluster["DBClusterArn"], subnet, groups, "RDSNetworkInterface")


def _group_name(cluster: dict[str, Any]) -> str:
    group = cluster.get("DBSubnetGroup") or cluster.get("DBSubnetGroupName") or ""
    return group.get("DBSubnetGroupName", "") if isinstance(group, dict) else str(group)
