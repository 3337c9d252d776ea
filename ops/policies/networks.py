"""HIPAA conformance pack: networks."""

from ops.policies.graph import Graph, Resource
from ops.policies.rule import Rule

AREA = "network"
ANYWHERE = ("0.0.0.0/0", "::/0")
AUTHORIZED_PORTS = (80, 443)
COMMON_PORTS = (20, 21, 3389, 3306, 4333)


def _unlogged(graph: Graph) -> list[Resource]:
    return [
        vpc
        for vpc in graph.of("ec2/vpc:Vpc")
        if not any(
            log.get("trafficType") == "ALL"
            for log in graph.attached("ec2/flowLog:FlowLog", "vpcId", vpc)
        )
    ]


def _open_default_group(graph: Graph) -> list[Resource]:
    type_ = "ec2/defaultSecurityGroup:DefaultSecurityGroup"
    return [
        vpc
        for vpc in graph.of("ec2/vpc:Vpc")
        if not any(
            not group.get("ingress") and not group.get("egress")
            for group in graph.attached(type_, "vpcId", vpc)
        )
    ]


def _from_anywhere(graph: Graph) -> list[Resource]:
    return [
        rule
        for rule in graph.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        if rule.get("cidrIpv4") in ANYWHERE or rule.get("cidrIpv6") in ANYWHERE
    ]


def _lets_in(rule: Resource, port: int) -> bool:
    low, high = rule.get("fromPort", 0), rule.get("toPort", 65535)
    return rule.get("ipProtocol") == "-1" or int(low) <= port <= int(high)


def _other_ports(graph: Graph) -> list[Resource]:
    return [
        rule
        for rule in _from_anywhere(graph)
        if not any(rule.get("fromPort") == rule.get("toPort") == port for port in AUTHORIZED_PORTS)
    ]


def _open_ssh(graph: Graph) -> list[Resource]:
    return [rule for rule in _from_anywhere(graph) if _lets_in(rule, 22)]


def _common_ports(graph: Graph) -> list[Resource]:
    return [
        rule for rule in _from_anywhere(graph) if any(_lets_in(rule, port) for port in COMMON_PORTS)
    ]


def _public_addresses(graph: Graph) -> list[Resource]:
    return [subnet for subnet in graph.of("ec2/subnet:Subnet") if subnet.get("mapPublicIpOnLaunch")]


def _routes_to_internet(graph: Graph) -> list[Resource]:
    return [
        route
        for route in graph.of("ec2/route:Route")
        if route.get("destinationCidrBlock") in ANYWHERE
        and (route.get("gatewayId") or route.references.get("gatewayId"))
    ]


def _stray_gateways(graph: Graph) -> list[Resource]:
    vpcs = graph.of("ec2/vpc:Vpc")
    return [
        gateway
        for gateway in graph.of("ec2/internetGateway:InternetGateway")
        if not any(graph.names(gateway, "vpcId", vpc) for vpc in vpcs)
    ]


RULES = (
    Rule("vpc-flow-logs-enabled", AREA, _unlogged),
    Rule("vpc-default-security-group-closed", AREA, _open_default_group),
    Rule("vpc-sg-open-only-to-authorized-ports", AREA, _other_ports),
    Rule("restricted-ssh", AREA, _open_ssh),
    Rule("restricted-common-ports", AREA, _common_ports),
    Rule("subnet-auto-assign-public-ip-disabled", AREA, _public_addresses),
    Rule(
        "no-unrestricted-route-to-igw",
        AREA,
        _routes_to_internet,
        "internet-facing load balancers and NAT gateways need it, in the public subnets' tables "
        "only; functions and databases have none",
    ),
    Rule("internet-gateway-authorized-vpc-only", AREA, _stray_gateways),
)
