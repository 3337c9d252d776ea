"""The network layer, read back from the lab's APIs in both regions."""

from __future__ import annotations

from typing import Any

import pytest
from deployed_lab import Lab

SIDES = (("primary", "us-east-1", "10.0.0.0/16"), ("secondary", "us-west-2", "10.1.0.0/16"))
each_side = pytest.mark.parametrize(("side", "region", "cidr"), SIDES)


def network(lab: Lab, side: str, field: str) -> Any:
    """One field of the network's contract."""
    return lab.outputs[f"network.{side}.{field}"]


def tags_of(entry: dict[str, Any]) -> dict[str, str]:
    """EC2's tags."""
    return {tag["Key"]: tag["Value"] for tag in entry.get("Tags", [])}


@each_side
def test_the_vpc_is_as_required(deployed: Lab, side: str, region: str, cidr: str) -> None:
    """R7.1, R9.1, R9.2: address, DNS, name and tags, as EC2 answers."""
    ec2 = deployed.client("ec2", region)
    vpc_id = network(deployed, side, "vpc_id")
    (vpc,) = ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
    assert vpc["CidrBlock"] == cidr
    tags = tags_of(vpc)
    assert tags["Name"] == f"vpc-{region}-lab"
    assert {key: tags[key] for key in ("Environment", "Region", "DR-Role", "Project")} == {
        "Environment": "lab", "Region": region, "DR-Role": side, "Project": "warm-standby",
    }  # fmt: skip
    for attribute, key in (
        ("enableDnsSupport", "EnableDnsSupport"),
        ("enableDnsHostnames", "EnableDnsHostnames"),
    ):
        answer = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute)
        assert answer[key]["Value"] is True


@each_side
def test_three_tiers_over_three_zones(deployed: Lab, side: str, region: str, cidr: str) -> None:
    """R7.1: nine subnets, three a tier, one a zone, none giving public addresses."""
    ec2 = deployed.client("ec2", region)
    for tier in ("public", "private", "database"):
        ids = network(deployed, side, f"{tier}_subnet_ids")
        subnets = ec2.describe_subnets(SubnetIds=ids)["Subnets"]
        zones = sorted(subnet["AvailabilityZone"] for subnet in subnets)
        assert zones == [f"{region}{letter}" for letter in "abc"]
        assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets)
        assert {subnet["VpcId"] for subnet in subnets} == {network(deployed, side, "vpc_id")}


def routes_of(lab: Lab, region: str, tables: list[str]) -> list[dict[str, dict[str, Any]]]:
    """Each table's routes by destination."""
    found = lab.client("ec2", region).describe_route_tables(RouteTableIds=tables)["RouteTables"]
    return [
        {route.get("DestinationCidrBlock", "prefix list"): route for route in table["Routes"]}
        for table in found
    ]


@each_side
def test_every_table_leads_to_the_peer(deployed: Lab, side: str, region: str, cidr: str) -> None:
    """R7.2: private and public tables of both sides lead over the accepted peering."""
    peer = next(other for name, _, other in SIDES if name != side)
    peering = deployed.outputs["network.peering_connection_id"]
    tables = [
        *network(deployed, side, "public_route_table_ids"),
        *network(deployed, side, "private_route_table_ids"),
    ]
    for routes in routes_of(deployed, region, tables):
        assert routes[peer]["VpcPeeringConnectionId"] == peering
    for routes in routes_of(deployed, region, network(deployed, side, "public_route_table_ids")):
        assert routes["0.0.0.0/0"]["GatewayId"].startswith("igw-")
    for routes in routes_of(deployed, region, network(deployed, side, "private_route_table_ids")):
        assert routes["0.0.0.0/0"]["NatGatewayId"].startswith("nat-")


@each_side
def test_database_subnets_have_no_way_out(deployed: Lab, side: str, region: str, cidr: str) -> None:
    """R7.1: their own table has the local and the peer's addresses, and nothing else."""
    ec2 = deployed.client("ec2", region)
    subnets = set(network(deployed, side, "database_subnet_ids"))
    tables = [
        table
        for table in ec2.describe_route_tables()["RouteTables"]
        if subnets & {entry.get("SubnetId") for entry in table["Associations"]}
    ]
    assert len(tables) == 1
    associated = {entry.get("SubnetId") for entry in tables[0]["Associations"]}
    assert associated == subnets
    destinations = {route.get("DestinationCidrBlock") for route in tables[0]["Routes"]}
    assert destinations == {"10.0.0.0/16", "10.1.0.0/16"}


@each_side
def test_the_peering_is_active_on_this_side(
    deployed: Lab, side: str, region: str, cidr: str
) -> None:
    """R7.2, trap 21: accepted, with the DNS resolution of each side on."""
    peering = deployed.outputs["network.peering_connection_id"]
    ec2 = deployed.client("ec2", region)
    (found,) = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])[
        "VpcPeeringConnections"
    ]
    assert found["Status"]["Code"] == "active"
    key = "RequesterVpcInfo" if side == "primary" else "AccepterVpcInfo"
    assert found[key]["VpcId"] == network(deployed, side, "vpc_id")
    assert found[key]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"] is True


def rules_of(lab: Lab, region: str, group: str, *, egress: bool) -> list[dict[str, Any]]:
    """A security group's rules of one direction."""
    found = lab.client("ec2", region).describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [group]}]
    )["SecurityGroupRules"]
    return [rule for rule in found if rule["IsEgress"] is egress]


@each_side
def test_security_groups_open_what_they_must(
    deployed: Lab, side: str, region: str, cidr: str
) -> None:
    """R2.2, R7.3: 80 from the internet to load balancers; 5432 to databases from this region's
    functions and the peer's function subnets; the default group is closed."""
    balancer = rules_of(
        deployed, region, network(deployed, side, "load_balancer_security_group_id"), egress=False
    )
    assert [(rule["FromPort"], rule["ToPort"], rule["CidrIpv4"]) for rule in balancer] == [
        (80, 80, "0.0.0.0/0")
    ]
    database = rules_of(
        deployed, region, network(deployed, side, "database_security_group_id"), egress=False
    )
    assert {(rule["FromPort"], rule["ToPort"]) for rule in database} == {(5432, 5432)}
    sources = {rule.get("CidrIpv4") for rule in database if rule.get("CidrIpv4")}
    peer = "10.1" if side == "primary" else "10.0"
    assert sources == {f"{peer}.{third}.0/20" for third in (0, 16, 32)}
    groups = [
        rule["ReferencedGroupInfo"]["GroupId"] for rule in database if not rule.get("CidrIpv4")
    ]
    assert groups == [network(deployed, side, "function_security_group_id")]
    ec2 = deployed.client("ec2", region)
    (default,) = ec2.describe_security_groups(
        Filters=[
            {"Name": "vpc-id", "Values": [network(deployed, side, "vpc_id")]},
            {"Name": "group-name", "Values": ["default"]},
        ]
    )["SecurityGroups"]
    assert default["IpPermissions"] == []
    assert default["IpPermissionsEgress"] == []


@each_side
def test_s3_is_reached_without_leaving_aws(
    deployed: Lab, side: str, region: str, cidr: str
) -> None:
    """R7.3: the gateway endpoint stands in every private table."""
    ec2 = deployed.client("ec2", region)
    (endpoint,) = ec2.describe_vpc_endpoints(
        Filters=[{"Name": "vpc-id", "Values": [network(deployed, side, "vpc_id")]}]
    )["VpcEndpoints"]
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert endpoint["ServiceName"] == f"com.amazonaws.{region}.s3"
    private = network(deployed, side, "private_route_table_ids")
    assert sorted(endpoint["RouteTableIds"]) == sorted(private)


@each_side
def test_flow_logs_watch_the_vpc(deployed: Lab, side: str, region: str, cidr: str) -> None:
    """HIPAA vpc-flow-logs-enabled: into an encrypted group that expires."""
    ec2 = deployed.client("ec2", region)
    vpc = network(deployed, side, "vpc_id")
    (log,) = ec2.describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [vpc]}])["FlowLogs"]
    assert log["TrafficType"] == "ALL"
    name = f"log-group-flow-logs-{region}-lab"
    groups = deployed.client("logs", region).describe_log_groups(logGroupNamePrefix=name)
    (group,) = groups["logGroups"]
    assert group["retentionInDays"] == 90
    assert ":key/" in group["kmsKeyId"]
