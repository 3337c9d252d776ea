"""EC2 and Elastic Load Balancing as the lab mends them: read back whole, refused in AWS's order."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from aws_resources import document
from emulator_world import ACCOUNT, EAST, WEST, World, refused

NUMBERS = itertools.count(1)


def cidr() -> str:
    """A VPC's address range that no other test has."""
    return f"10.{next(NUMBERS)}.0.0/16"


def tags(kind: str) -> list[dict[str, Any]]:
    """``TagSpecifications`` of a resource."""
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": kind}]}]


@pytest.mark.parametrize(
    ("call", "parameter", "code"),
    [
        ("describe_addresses", "AllocationIds", "InvalidAllocationID.NotFound"),
        ("describe_internet_gateways", "InternetGatewayIds", "InvalidInternetGatewayID.NotFound"),
        ("describe_nat_gateways", "NatGatewayIds", "NatGatewayNotFound"),
        ("describe_security_groups", "GroupIds", "InvalidGroup.NotFound"),
        ("describe_subnets", "SubnetIds", "InvalidSubnetID.NotFound"),
        ("describe_vpc_endpoints", "VpcEndpointIds", "InvalidVpcEndpointId.NotFound"),
        ("describe_vpcs", "VpcIds", "InvalidVpcID.NotFound"),
        (
            "describe_vpc_peering_connections",
            "VpcPeeringConnectionIds",
            "InvalidVpcPeeringConnectionID.NotFound",
        ),
        (
            "describe_network_interfaces",
            "NetworkInterfaceIds",
            "InvalidNetworkInterfaceID.NotFound",
        ),
    ],
)
def test_an_unknown_id_is_refused(world: World, call: str, parameter: str, code: str) -> None:
    """N1: what was deleted by hand is distinguished from what is not there yet."""
    unknown = f"sg-{'0' * 17}" if parameter == "GroupIds" else "gone-1"
    refused(code, getattr(world.aws("ec2"), call), **{parameter: [unknown]})


def test_items_are_found_by_tags_and_fields(world: World) -> None:
    """Filters: a tag's value, a tag's key, a plain field; an unknown tag finds nothing."""
    ec2 = world.aws("ec2")
    vpc, subnets = world.network(cidr=cidr())
    ec2.create_tags(Resources=[subnets[0]], Tags=[{"Key": "Tier", "Value": "private"}])

    def found(**wanted: list[str]) -> list[str]:
        filters = [
            {"Name": name.replace("__", ":").replace("_", "-"), "Values": values}
            for name, values in ({"vpc_id": [vpc]} | wanted).items()
        ]
        return [item["SubnetId"] for item in ec2.describe_subnets(Filters=filters)["Subnets"]]

    assert found() == subnets
    assert found(tag__Tier=["private"]) == found(tag_key=["Tier"]) == subnets[:1]
    assert found(tag__Tier=["public"]) == found(tag_key=["Other"]) == []
    assert found(availability_zone=[f"{EAST}b"]) == subnets[1:]


def test_a_flow_log_reads_back_with_its_defaults_and_its_group(world: World) -> None:
    """AWS names the group of a destination given by ARN, and has a format and interval always."""
    ec2 = world.aws("ec2")
    vpc, _ = world.network(cidr=cidr())
    group = f"arn:aws:logs:{EAST}:{ACCOUNT}:log-group:/flows"
    common = {"ResourceIds": [vpc], "ResourceType": "VPC", "TrafficType": "ALL"}
    made = ec2.create_flow_logs(
        **common,
        LogDestinationType="cloud-watch-logs",
        LogDestination=f"{group}:*",
        DeliverLogsPermissionArn=f"arn:aws:iam::{ACCOUNT}:role/flow",
        TagSpecifications=tags("vpc-flow-log"),
    )["FlowLogIds"]
    to_bucket = ec2.create_flow_logs(
        **common,
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::flows",
        LogFormat="${srcaddr}",
        MaxAggregationInterval=60,
    )["FlowLogIds"]
    named = ec2.describe_flow_logs(FlowLogIds=made)["FlowLogs"][0]
    assert (named["LogGroupName"], named["MaxAggregationInterval"]) == ("/flows", 600)
    assert named["LogFormat"].startswith("${version}")
    assert named["Tags"] == [{"Key": "Name", "Value": "vpc-flow-log"}]
    bucket = ec2.describe_flow_logs(FlowLogIds=to_bucket)["FlowLogs"][0]
    assert (bucket["LogFormat"], bucket["MaxAggregationInterval"]) == ("${srcaddr}", 60)
    assert "LogGroupName" not in bucket


def test_nat_gateways_hold_an_address_as_long_as_they_live(world: World) -> None:
    """An Elastic IP in use isn't released; a private NAT gateway has none."""
    ec2 = world.aws("ec2")
    vpc, subnets = world.network(cidr=cidr())
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    attachment = {"InternetGatewayId": gateway, "VpcId": vpc}
    ec2.attach_internet_gateway(**attachment)
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tags("elastic-ip"))
    address = address["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)["NatGateway"]
    private = ec2.create_nat_gateway(SubnetId=subnets[1], ConnectivityType="private")["NatGateway"]
    assert "AllocationId" not in private["NatGatewayAddresses"][0]
    held = nat["NatGatewayAddresses"][0]
    assert (held["AllocationId"], held["IsPrimary"]) == (address, True)
    described = ec2.describe_addresses(AllocationIds=[address])["Addresses"][0]
    assert described["NetworkInterfaceId"] == held["NetworkInterfaceId"]
    assert described["Tags"] == [{"Key": "Name", "Value": "elastic-ip"}]
    own = ec2.describe_network_interfaces(NetworkInterfaceIds=[held["NetworkInterfaceId"]])
    own = own["NetworkInterfaces"]
    assert [(item["InterfaceType"], item["SubnetId"]) for item in own] == [
        ("nat_gateway", subnets[0])
    ]
    refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=address)
    refused("DependencyViolation", ec2.detach_internet_gateway, **attachment)
    refused("DependencyViolation", ec2.delete_internet_gateway, InternetGatewayId=gateway)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc)
    for name in (nat["NatGatewayId"], private["NatGatewayId"]):
        ec2.delete_nat_gateway(NatGatewayId=name)
    states = ec2.describe_nat_gateways(NatGatewayIds=[nat["NatGatewayId"]])["NatGateways"]
    assert [(item["State"], item["NatGatewayAddresses"]) for item in states] == [("deleted", [])]
    ec2.release_address(AllocationId=address)
    ec2.detach_internet_gateway(**attachment)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    for name in subnets:
        ec2.delete_subnet(SubnetId=name)
    ec2.delete_vpc(VpcId=vpc)


def test_an_interface_endpoint_changes_and_keeps_what_uses_it(world: World) -> None:
    """Groups come and go, the policy is reset, private DNS is on by default; subnet,
    group and VPC stay while the endpoint is there; nothing is made in a VPC that isn't."""
    ec2 = world.aws("ec2")
    vpc, subnets = world.network(cidr=cidr())
    groups = [
        ec2.create_security_group(GroupName=f"g{n}", Description="d", VpcId=vpc)["GroupId"]
        for n in range(2)
    ]
    where = {"VpcId": vpc, "ServiceName": f"com.amazonaws.{EAST}.sqs"}
    name = ec2.create_vpc_endpoint(
        **where,
        VpcEndpointType="Interface",
        SubnetIds=subnets[:1],
        SecurityGroupIds=groups[:1],
        TagSpecifications=tags("vpc-endpoint"),
    )["VpcEndpoint"]["VpcEndpointId"]

    def described() -> dict[str, Any]:
        return ec2.describe_vpc_endpoints(VpcEndpointIds=[name])["VpcEndpoints"][0]

    def held() -> list[str]:
        return [group["GroupId"] for group in described()["Groups"]]

    assert described()["PrivateDnsEnabled"]
    assert len(described()["DnsEntries"]) == 2
    policy = document({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"})
    change = {"VpcEndpointId": name}
    ec2.modify_vpc_endpoint(
        **change, AddSecurityGroupIds=groups, PolicyDocument=policy, PrivateDnsEnabled=False
    )
    assert held() == groups
    assert described()["PolicyDocument"] == policy
    assert len(described()["DnsEntries"]) == 1
    ec2.modify_vpc_endpoint(**change, RemoveSecurityGroupIds=groups[:1], ResetPolicy=True)
    assert held() == groups[1:]
    assert '"Allow"' in described()["PolicyDocument"]

    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnets[0])
    refused("DependencyViolation", ec2.delete_security_group, GroupId=groups[1])
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[name])
    ec2.delete_security_group(GroupId=groups[1])
    refused("InvalidVpcID.NotFound", ec2.create_subnet, VpcId="vpc-no", CidrBlock="10.0.0.0/24")
    refused("InvalidVpcID.NotFound", ec2.create_vpc_endpoint, **where | {"VpcId": "vpc-no"})


def test_a_group_that_a_rule_names_and_a_table_in_use_stay(world: World) -> None:
    """Deletion goes in AWS's order; a deleted subnet leaves its route table."""
    ec2 = world.aws("ec2")
    vpc, subnets = world.network(cidr=cidr())
    named, naming = (
        ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"]
        for name in ("named", "naming")
    )
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 5432,
        "ToPort": 5432,
        "UserIdGroupPairs": [{"GroupId": named}],
    }
    made = ec2.authorize_security_group_ingress(
        GroupId=naming, IpPermissions=[rule], TagSpecifications=tags("security-group-rule")
    )["SecurityGroupRules"][0]
    found = ec2.describe_security_group_rules(SecurityGroupRuleIds=[made["SecurityGroupRuleId"]])
    assert found["SecurityGroupRules"][0]["Tags"] == tags("security-group-rule")[0]["Tags"]
    arn = ec2.describe_security_groups(GroupIds=[named])["SecurityGroups"][0]["SecurityGroupArn"]
    assert arn == f"arn:aws:ec2:{EAST}:{ACCOUNT}:security-group/{named}"
    refused("DependencyViolation", ec2.delete_security_group, GroupId=named)
    ec2.delete_security_group(GroupId=naming)
    ec2.delete_security_group(GroupId=named)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[0])
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=table)
    ec2.delete_subnet(SubnetId=subnets[0])
    ec2.delete_route_table(RouteTableId=table)
    interface = ec2.create_network_interface(SubnetId=subnets[1])["NetworkInterface"]
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnets[1])
    ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    ec2.delete_subnet(SubnetId=subnets[1])


def test_each_side_of_an_active_peering_sets_its_own_options(world: World) -> None:
    """Trap 5: options wait for the acceptance, and for the side's own region."""
    here, there = world.aws("ec2"), world.aws("ec2", WEST)
    requester, _ = world.network(cidr=cidr())
    accepter, _ = world.network(WEST, cidr())
    made = here.create_vpc_peering_connection(VpcId=requester, PeerVpcId=accepter, PeerRegion=WEST)
    name = {"VpcPeeringConnectionId": made["VpcPeeringConnection"]["VpcPeeringConnectionId"]}
    resolution = {"AllowDnsResolutionFromRemoteVpc": True}
    own = {"RequesterPeeringConnectionOptions": resolution}
    change = here.modify_vpc_peering_connection_options
    refused("InvalidVpcPeeringConnectionID.NotFound", change, VpcPeeringConnectionId="pcx-0", **own)
    refused("OperationNotPermitted", change, **name, **own)
    there.accept_vpc_peering_connection(**name)
    foreign = {"AccepterPeeringConnectionOptions": resolution}
    assert WEST in refused("OperationNotPermitted", change, **name, **foreign)
    change(**name, **own)
    found = here.describe_vpc_peering_connections(VpcPeeringConnectionIds=list(name.values()))[
        "VpcPeeringConnections"
    ][0]
    sides = [found[side]["PeeringOptions"] for side in ("RequesterVpcInfo", "AccepterVpcInfo")]
    assert [side["AllowDnsResolutionFromRemoteVpc"] for side in sides] == [True, False]
    refused("DependencyViolation", here.delete_vpc, VpcId=requester)


def balanced(world: World, name: str, **settings: Any) -> dict[str, Any]:
    """A load balancer in a network of its own."""
    _, subnets = world.network(cidr=cidr())
    made = world.aws("elbv2").create_load_balancer(Name=name, Subnets=subnets, **settings)
    return made["LoadBalancers"][0]


def test_load_balancers_have_their_names_zones_and_protection(world: World) -> None:
    """AWS's limits of names, its groups, its zone ids; protection, and what goes with it."""
    elb = world.aws("elbv2")
    for name in ("a" * 33, "-a", "a_b"):
        refused("ValidationError", elb.create_load_balancer, Name=name, Subnets=[])
        refused("ValidationError", elb.create_target_group, Name=name, TargetType="lambda")
    refused("InvalidSecurityGroup", elb.create_load_balancer, Name="a", SecurityGroups=["sg-no"])
    balancer = balanced(world, "zoned", Scheme="internal")
    assert balancer["CanonicalHostedZoneId"] == "Z35SXDOTRQ7X7K"
    zones = [zone["ZoneName"] for zone in balancer["AvailabilityZones"]]
    assert zones == [f"{EAST}a", f"{EAST}b"]
    arn = {"LoadBalancerArn": balancer["LoadBalancerArn"]}
    ec2 = world.aws("ec2")
    refused(
        "DependencyViolation",
        ec2.delete_subnet,
        SubnetId=balancer["AvailabilityZones"][0]["SubnetId"],
    )
    protection = {"Key": "deletion_protection.enabled", "Value": "true"}
    elb.modify_load_balancer_attributes(**arn, Attributes=[protection])
    refused("OperationNotPermitted", elb.delete_load_balancer, **arn)
    elb.modify_load_balancer_attributes(**arn, Attributes=[protection | {"Value": "false"}])
    elb.delete_load_balancer(**arn)
    refused("LoadBalancerNotFound", elb.describe_load_balancers, LoadBalancerArns=[*arn.values()])


FIXED = {
    "Type": "fixed-response",
    "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"},
}


def test_listeners_and_rules_read_back_whole_and_hold_their_groups(world: World) -> None:
    """One listener a port, one rule a priority; both forms of forwarding and of conditions; a
    target group in use stays; a load balancer takes its listeners and rules along."""
    elb = world.aws("elbv2")
    balancer, other = balanced(world, "listening"), balanced(world, "listening-too")
    groups = [
        elb.create_target_group(Name=f"group-{n}", TargetType="lambda")["TargetGroups"][0]
        for n in range(2)
    ]
    first, second = (group["TargetGroupArn"] for group in groups)
    assert not groups[0]["HealthCheckEnabled"]
    assert "Port" not in groups[0]
    listen = {"LoadBalancerArn": balancer["LoadBalancerArn"], "Port": 80, "Protocol": "HTTP"}
    forward = {"Type": "forward", "TargetGroupArn": first}
    lost = [{"Type": "forward", "TargetGroupArn": f"{first}0"}]
    refused("TargetGroupNotFound", elb.create_listener, **listen, DefaultActions=lost)
    listener = elb.create_listener(**listen, DefaultActions=[forward])["Listeners"][0]
    refused("DuplicateListener", elb.create_listener, **listen, DefaultActions=[FIXED])
    elb.create_listener(
        **listen | {"LoadBalancerArn": other["LoadBalancerArn"]}, DefaultActions=[FIXED]
    )
    acm = world.aws("acm")
    certificate = acm.request_certificate(DomainName="*.standby.net")["CertificateArn"]
    https = {
        "LoadBalancerArn": balancer["LoadBalancerArn"], "Port": 443, "Protocol": "HTTPS",
        "DefaultActions": [FIXED],
    }  # fmt: skip
    refused("ValidationError", elb.create_listener, **https)
    elsewhere = [{"CertificateArn": certificate.replace("us-east-1", "us-west-2")}]
    refused("CertificateNotFound", elb.create_listener, **https, Certificates=elsewhere)
    given = [{"CertificateArn": certificate}]
    secured = elb.create_listener(**https, Certificates=given)["Listeners"][0]
    assert secured["SslPolicy"] == "ELBSecurityPolicy-2016-08"
    assert secured["Certificates"] == given
    refused("ResourceInUseException", acm.delete_certificate, CertificateArn=certificate)
    described = acm.describe_certificate(CertificateArn=certificate)["Certificate"]
    assert described["InUseBy"] == [balancer["LoadBalancerArn"]]
    action = listener["DefaultActions"][0]
    assert action["ForwardConfig"]["TargetGroups"] == [{"TargetGroupArn": first, "Weight": 1}]
    arn = {"ListenerArn": listener["ListenerArn"]}
    weighted = {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [
                {"TargetGroupArn": first, "Weight": 9},
                {"TargetGroupArn": second},
            ]
        },
    }
    rule = elb.create_rule(
        **arn,
        Priority=10,
        Conditions=[
            {"Field": "path-pattern", "Values": ["/a*"]},
            {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}},
        ],
        Actions=[weighted],
    )["Rules"][0]
    assert rule["Conditions"][0]["PathPatternConfig"] == {"Values": ["/a*"]}
    weights = [group["Weight"] for group in rule["Actions"][0]["ForwardConfig"]["TargetGroups"]]
    assert weights == [9, 1]
    taken = {"Priority": 10, "Conditions": rule["Conditions"], "Actions": [FIXED]}
    refused("PriorityInUse", elb.create_rule, **arn, **taken)
    elb.create_rule(**arn, **taken | {"Priority": 2})
    elb.modify_rule(
        RuleArn=rule["RuleArn"], Conditions=[{"Field": "host-header", "Values": ["a.b"]}]
    )
    elb.modify_listener(**arn, DefaultActions=[forward | {"TargetGroupArn": second}])
    rules = elb.describe_rules(**arn)["Rules"]
    assert [rule["Priority"] for rule in rules] == ["2", "10", "default"]
    assert rules[1]["Conditions"][0]["HostHeaderConfig"] == {"Values": ["a.b"]}
    assert rules[2]["Actions"][0]["TargetGroupArn"] == second
    elb.set_rule_priorities(RulePriorities=[{"RuleArn": rule["RuleArn"], "Priority": 1}])
    assert elb.describe_rules(**arn)["Rules"][0]["RuleArn"] == rule["RuleArn"]
    elb.modify_listener(**arn, Port=8080)
    for group in (first, second):
        refused("ResourceInUse", elb.delete_target_group, TargetGroupArn=group)
        used = elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]
        assert used["LoadBalancerArns"] == [balancer["LoadBalancerArn"]]
    elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    assert elb.describe_rules(**arn)["Rules"] == []
    for group in (first, second):
        elb.delete_target_group(TargetGroupArn=group)
    left = elb.describe_listeners(LoadBalancerArn=other["LoadBalancerArn"])["Listeners"]
    assert len(left) == 1


def test_a_function_must_let_load_balancers_call_it(world: World) -> None:
    """Trap 13: registration is refused without the permission; a target is ``unused`` without a
    load balancer, ``initial`` until its first check, ``unavailable`` without checks."""
    elb, functions = world.aws("elbv2"), world.aws("lambda")
    group = elb.create_target_group(
        Name="functions", TargetType="lambda", HealthCheckEnabled=True, HealthCheckPath="/health"
    )["TargetGroups"][0]
    assert (group["HealthCheckEnabled"], group["HealthCheckIntervalSeconds"]) == (True, 35)
    group = group["TargetGroupArn"]
    function = world.function("balanced-target")
    register = {"TargetGroupArn": group, "Targets": [{"Id": function}]}
    refused(
        "InvalidTarget",
        elb.register_targets,
        TargetGroupArn=group,
        Targets=[{"Id": f"{function}-not"}],
    )
    refused("AccessDenied", elb.register_targets, **register)
    functions.add_permission(
        FunctionName="balanced-target",
        StatementId="alb",
        Action="lambda:InvokeFunction",
        Principal="elasticloadbalancing.amazonaws.com",
        SourceArn=group,
    )
    elb.register_targets(**register)

    def health() -> dict[str, Any]:
        return elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"][0]

    assert health()["TargetHealth"]["State"] == "unused"
    assert "Port" not in health()["Target"]
    elb.create_listener(
        LoadBalancerArn=balanced(world, "probing")["LoadBalancerArn"],
        Port=80,
        Protocol="HTTP",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    assert health()["TargetHealth"]["Reason"] == "Elb.InitialHealthChecking"
    elb.modify_target_group(TargetGroupArn=group, HealthCheckEnabled=False)
    assert health()["TargetHealth"]["State"] == "unavailable"
    refused("TargetGroupNotFound", elb.describe_target_health, TargetGroupArn=f"{group}0")


def test_a_target_group_of_addresses_keeps_its_port(world: World) -> None:
    """Only Lambda groups have no protocol, port and VPC."""
    elb = world.aws("elbv2")
    vpc, _ = world.network(cidr=cidr())
    group = elb.create_target_group(
        Name="addresses", TargetType="ip", Protocol="HTTP", Port=80, VpcId=vpc
    )["TargetGroups"][0]
    assert (group["Port"], group["VpcId"]) == (80, vpc)
    arn = group["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": "10.0.0.9"}])
    health = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"][0]
    assert health["Target"]["Id"] == "10.0.0.9"
