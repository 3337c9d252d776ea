"""The network program: both VPCs, routes, peering, security groups, endpoints, flow logs."""

import json
from typing import Any

import pytest
from harness import ACCOUNT, SUFFIX, Deployment, Registered, program, run_program

from tapstack.endpoint_services import INTERFACE_SERVICES
from tapstack.errors import SettingsError

REGIONS = ("us-east-1", "us-west-2")
VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
ROUTE = "aws:ec2/route:Route"
TABLE = "aws:ec2/routeTable:RouteTable"
NAT = "aws:ec2/natGateway:NatGateway"
ADDRESS = "aws:ec2/eip:Eip"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ACCEPTER = "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter"

CERTIFICATES = {
    region: f"arn:aws:acm:{region}:123456789012:certificate/11111111-2222" for region in REGIONS
}


@pytest.fixture(scope="module")
def network() -> Deployment:
    """The program with its default configuration."""
    return program("network")


@pytest.fixture(scope="module")
def without_nat() -> Deployment:
    """No NAT gateway; interface endpoints in two zones."""
    return run_program(
        "network",
        config={
            "network:natGateways": 0,
            "network:vpcEndpoints": True,
            "network:endpointZones": 2,
        },
    )


@pytest.fixture(scope="module")
def varied() -> Deployment:
    """Everything that costs or opens more, at once: one run serves many tests."""
    return run_program(
        "network",
        config={
            "network:natGateways": 3,
            "network:vpcEndpoints": True,
            "network:flowLogRetentionDays": 365,
            "TapStack:primaryZones": ["us-east-1b", "us-east-1d", "us-east-1f"],
            "app:certificateArns": CERTIFICATES,
            "data:instanceClass": "db.serverless",
            "data:minCapacity": "2",
        },
    )


def named(resources: list[Registered], part: str) -> list[Registered]:
    """Those whose logical name contains a part."""
    return [resource for resource in resources if part in resource.name]


def test_each_region_has_its_vpc_with_dns(network: Deployment) -> None:
    """R7.1: 10.0.0.0/16 and 10.1.0.0/16; endpoints and the peer need both kinds of DNS."""
    cidrs = {network.region_of(vpc): vpc.inputs["cidrBlock"] for vpc in network.created(VPC)}
    assert cidrs == {"us-east-1": "10.0.0.0/16", "us-west-2": "10.1.0.0/16"}
    for vpc in network.created(VPC):
        assert vpc.inputs["enableDnsSupport"] is True
        assert vpc.inputs["enableDnsHostnames"] is True


@pytest.mark.parametrize("region", REGIONS)
def test_three_tiers_over_three_zones(network: Deployment, region: str) -> None:
    """R7.1: public, private and database subnets in each zone; none gives public addresses."""
    for tier in ("public", "private", "database"):
        subnets = named(network.created(SUBNET, region), f"subnet-{tier}-")
        zones = [subnet.inputs["availabilityZone"] for subnet in subnets]
        assert zones == [f"{region}{letter}" for letter in "abc"]
        assert not any(subnet.inputs["mapPublicIpOnLaunch"] for subnet in subnets)


def test_zones_are_pinned_by_configuration(varied: Deployment) -> None:
    """R7.1: the zones of the settings, not whatever AWS lists first today."""
    zones = ["us-east-1b", "us-east-1d", "us-east-1f"]
    subnets = named(varied.created(SUBNET, "us-east-1"), "subnet-private-")
    assert [subnet.inputs["availabilityZone"] for subnet in subnets] == zones
    assert varied.exports["primary"]["availability_zones"] == zones


@pytest.mark.parametrize("region", REGIONS)
def test_the_default_security_group_is_closed(network: Deployment, region: str) -> None:
    """HIPAA vpc-default-security-group-closed."""
    group = network.one("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", region=region)
    assert group.inputs["ingress"] == []
    assert group.inputs["egress"] == []


@pytest.mark.parametrize(("fixture", "count"), [("network", 1), ("varied", 3)])
def test_nat_gateways_are_as_many_as_configured(
    fixture: str, count: int, request: pytest.FixtureRequest
) -> None:
    """R7.3: one shared by three zones, or one a zone so that no zone depends on another."""
    network: Deployment = request.getfixturevalue(fixture)
    for region in REGIONS:
        gateways = network.created(NAT, region)
        assert len(gateways) == count
        assert len(network.created("aws:ec2/eip:Eip", region)) == count
        internet = network.one("aws:ec2/internetGateway:InternetGateway", region=region)
        for gateway in gateways:
            assert network.reaches(gateway, internet)
        routes = [r for r in network.created(ROUTE, region) if "natGatewayId" in r.inputs]
        assert len(routes) == 3
        assert len({route.inputs["routeTableId"] for route in routes}) == 3
        assert len({route.inputs["natGatewayId"] for route in routes}) == count


def test_without_nat_no_private_table_leads_out(without_nat: Deployment) -> None:
    """R7.3: 0 means none: no gateway, no address, no default route of a private table."""
    assert without_nat.created(NAT) == []
    assert without_nat.created("aws:ec2/eip:Eip") == []
    defaults = [
        route
        for route in without_nat.created(ROUTE)
        if route.inputs["destinationCidrBlock"] == "0.0.0.0/0"
    ]
    assert {route.name for route in defaults} == {
        f"route-public-internet-{region}" for region in REGIONS
    }


@pytest.mark.parametrize("region", REGIONS)
def test_the_database_table_has_no_default_route(network: Deployment, region: str) -> None:
    """R7.1: databases reach the peer, and nothing else outside their VPC."""
    table = network.one(TABLE, f"route-table-database-{region}")
    routes = [r for r in network.created(ROUTE) if r.inputs["routeTableId"] == table.id]
    assert len(routes) == 1
    assert "vpcPeeringConnectionId" in routes[0].inputs
    associations = named(
        network.created("aws:ec2/routeTableAssociation:RouteTableAssociation", region), "database"
    )
    assert len(associations) == 3
    assert {entry.inputs["routeTableId"] for entry in associations} == {table.id}


def test_the_peering_is_accepted_by_the_peers_provider(network: Deployment) -> None:
    """Trap 21: no auto-accept across regions; the accepter acts in us-west-2."""
    request = network.one("aws:ec2/vpcPeeringConnection:VpcPeeringConnection")
    assert network.region_of(request) == "us-east-1"
    assert request.inputs["autoAccept"] is False
    assert request.inputs["peerRegion"] == "us-west-2"
    accepter = network.one(ACCEPTER)
    assert network.region_of(accepter) == "us-west-2"
    assert accepter.inputs["autoAccept"] is True
    assert accepter.inputs["vpcPeeringConnectionId"] == request.id
    assert network.exports["peering_connection_id"] == request.id


def test_dns_options_are_set_once_a_side_after_acceptance(network: Deployment) -> None:
    """Trap 21: one options resource on each side, after the accepter, and nothing inline."""
    accepter = network.one(ACCEPTER)
    options = network.created("aws:ec2/peeringConnectionOptions:PeeringConnectionOptions")
    assert sorted(network.region_of(entry) for entry in options) == list(REGIONS)
    sides = {network.region_of(entry): entry for entry in options}
    dns = {"allowRemoteVpcDnsResolution": True}
    assert sides["us-east-1"].inputs["requester"] == dns
    assert "accepter" not in sides["us-east-1"].inputs
    assert sides["us-west-2"].inputs["accepter"] == dns
    assert "requester" not in sides["us-west-2"].inputs
    for entry in options:
        assert network.reaches(entry, accepter)
    for holder in (
        accepter,
        network.one("aws:ec2/vpcPeeringConnection:VpcPeeringConnection"),
    ):
        assert "requester" not in holder.inputs
        assert "accepter" not in holder.inputs


@pytest.mark.parametrize(
    ("region", "peer"), [("us-east-1", "10.1.0.0/16"), ("us-west-2", "10.0.0.0/16")]
)
def test_every_table_leads_to_the_peer_after_acceptance(
    network: Deployment, region: str, peer: str
) -> None:
    """R7.2, trap 21: private, public and database tables of both sides depend on the accepter."""
    accepter = network.one(ACCEPTER)
    routes = [
        route
        for route in network.created(ROUTE, region)
        if "vpcPeeringConnectionId" in route.inputs
    ]
    tables = {table.id for table in network.created(TABLE, region)}
    assert {route.inputs["routeTableId"] for route in routes} == tables
    assert len(tables) == 5
    for route in routes:
        assert route.inputs["destinationCidrBlock"] == peer
        assert network.reaches(route, accepter)


def rules(network: Deployment, kind: str, region: str) -> dict[str, dict[str, Any]]:
    """Rules of one kind by logical name, without the region."""
    return {
        rule.name.removesuffix(f"-{region}"): rule.inputs for rule in network.created(kind, region)
    }


@pytest.mark.parametrize("region", REGIONS)
def test_load_balancers_take_http_from_the_internet(network: Deployment, region: str) -> None:
    """R2.2: 80 from 0.0.0.0/0; 443 stays closed without certificates; nothing goes out."""
    group = network.one(GROUP, f"securitygroup-load-balancer-{region}")
    into = [r for r in network.created(INGRESS) if r.inputs["securityGroupId"] == group.id]
    assert [(r.inputs["fromPort"], r.inputs["toPort"], r.inputs["cidrIpv4"]) for r in into] == [
        (80, 80, "0.0.0.0/0")
    ]
    assert [r for r in network.created(EGRESS) if r.inputs["securityGroupId"] == group.id] == []


def test_certificates_open_443(varied: Deployment) -> None:
    """R2.2: with certificates configured the load balancer serves HTTPS as well."""
    for region in REGIONS:
        rule = rules(varied, INGRESS, region)["load-balancer-from-internet-https"]
        assert (rule["fromPort"], rule["cidrIpv4"]) == (443, "0.0.0.0/0")


@pytest.mark.parametrize(
    ("region", "peer_subnets"),
    [
        ("us-east-1", {"10.1.0.0/20", "10.1.16.0/20", "10.1.32.0/20"}),
        ("us-west-2", {"10.0.0.0/20", "10.0.16.0/20", "10.0.32.0/20"}),
    ],
)
def test_databases_take_both_regions_functions(
    network: Deployment, region: str, peer_subnets: set[str]
) -> None:
    """R7.3, trap 21: the writer moves, so the peer's functions come too, by CIDR across regions."""
    database = network.one(GROUP, f"securitygroup-database-{region}")
    function = network.one(GROUP, f"securitygroup-function-{region}")
    into = [
        r.inputs for r in network.created(INGRESS) if r.inputs["securityGroupId"] == database.id
    ]
    assert {(rule["fromPort"], rule["toPort"]) for rule in into} == {(5432, 5432)}
    assert [rule["referencedSecurityGroupId"] for rule in into if "cidrIpv4" not in rule] == [
        function.id
    ]
    assert {rule["cidrIpv4"] for rule in into if "cidrIpv4" in rule} == peer_subnets


def test_functions_reach_databases_and_apis_only(network: Deployment) -> None:
    """R9.3: 5432 to both regions' databases, 443 to AWS's APIs, nothing else, nothing in."""
    for region, peer in (("us-east-1", "10.1."), ("us-west-2", "10.0.")):
        function = network.one(GROUP, f"securitygroup-function-{region}")
        out = [
            r.inputs for r in network.created(EGRESS) if r.inputs["securityGroupId"] == function.id
        ]
        ports = sorted(rule["fromPort"] for rule in out)
        assert ports == [443, 5432, 5432, 5432, 5432]
        for rule in out:
            if rule["fromPort"] == 5432 and "cidrIpv4" in rule:
                assert rule["cidrIpv4"].startswith(peer)
        assert not [
            r for r in network.created(INGRESS) if r.inputs["securityGroupId"] == function.id
        ]


@pytest.mark.parametrize("region", REGIONS)
def test_without_nat_functions_reach_endpoints_only(without_nat: Deployment, region: str) -> None:
    """R7.3, trap 20: what has no NAT reaches the endpoints and S3, and no address beyond."""
    out = rules(without_nat, EGRESS, region)
    assert "function-to-aws-apis" not in out
    endpoints = without_nat.one(GROUP, f"securitygroup-endpoints-{region}")
    assert out["function-to-endpoints"]["referencedSecurityGroupId"] == endpoints.id
    assert out["function-to-s3"]["prefixListId"].startswith("pl-")
    assert all(rule.get("cidrIpv4") != "0.0.0.0/0" for rule in out.values())


def test_every_rule_is_described(network: Deployment) -> None:
    """R7.3: an auditor reads why each rule is there."""
    for rule in [*network.created(INGRESS), *network.created(EGRESS)]:
        assert len(rule.inputs["description"]) > 10, rule.name
    for group in network.created(GROUP):
        assert len(group.inputs["description"]) > 10
        assert "ingress" not in group.inputs
        assert "egress" not in group.inputs


@pytest.mark.parametrize("region", REGIONS)
def test_s3_has_its_gateway_always(network: Deployment, region: str) -> None:
    """R7.3: the gateway endpoint is free, so private subnets have it in every configuration."""
    (gateway,) = network.created(ENDPOINT, region)
    assert gateway.inputs["vpcEndpointType"] == "Gateway"
    assert gateway.inputs["serviceName"] == f"com.amazonaws.{region}.s3"
    private = {table.id for table in network.created(TABLE, region) if "private" in table.name}
    assert set(gateway.inputs["routeTableIds"]) == private


@pytest.mark.parametrize("region", REGIONS)
def test_interface_endpoints_are_those_that_functions_call(
    without_nat: Deployment, region: str
) -> None:
    """R7.3, trap 20: one endpoint for each listed service, in the zones asked for."""
    interfaces = [
        entry
        for entry in without_nat.created(ENDPOINT, region)
        if entry.inputs["vpcEndpointType"] == "Interface"
    ]
    assert {entry.inputs["serviceName"] for entry in interfaces} == {
        f"com.amazonaws.{region}.{service}" for service in INTERFACE_SERVICES
    }
    group = without_nat.one(GROUP, f"securitygroup-endpoints-{region}")
    for entry in interfaces:
        assert entry.inputs["privateDnsEnabled"] is True
        assert entry.inputs["securityGroupIds"] == [group.id]
        assert len(entry.inputs["subnetIds"]) == 2


@pytest.mark.parametrize("region", REGIONS)
def test_an_endpoint_leads_to_what_is_ours_alone(without_nat: Deployment, region: str) -> None:
    """Trap 52: AWS's default policy is a way out for patient data: somebody's own keys, somebody's
    own bucket. Each endpoint serves this account's credentials, on this environment's things."""
    for endpoint in without_nat.created(ENDPOINT, region):
        (statement,) = json.loads(endpoint.inputs["policy"])["Statement"]
        assert statement["Effect"] == "Allow"
        assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}
        assert not [action for action in statement["Action"] if "*" in action]
        service = endpoint.inputs["serviceName"].rpartition(".")[2]
        assert {action.partition(":")[0] for action in statement["Action"]} == {service}
        (resource,) = statement["Resource"]
        assert SUFFIX in resource
        assert resource.startswith(f"arn:aws:{service}:")
    texts = "".join(e.inputs["policy"] for e in without_nat.created(ENDPOINT, region))
    for needed in ("events:PutEvents", "secretsmanager:GetSecretValue", "s3:PutObject"):
        assert needed in texts


def test_endpoints_beside_nat_need_no_rule_of_their_own(varied: Deployment) -> None:
    """R7.3: with NAT as well, the functions' 443 to anywhere covers the endpoints."""
    for region in REGIONS:
        assert "function-to-endpoints" not in rules(varied, EGRESS, region)
        assert "endpoints-from-function" in rules(varied, INGRESS, region)


@pytest.mark.parametrize("region", REGIONS)
def test_flow_logs_are_encrypted_and_expire(varied: Deployment, region: str) -> None:
    """HIPAA vpc-flow-logs-enabled: all traffic, our key, retention as configured."""
    network = varied
    log = network.one("aws:ec2/flowLog:FlowLog", region=region)
    assert log.inputs["trafficType"] == "ALL"
    group = network.one("aws:cloudwatch/logGroup:LogGroup", region=region)
    assert log.inputs["logDestination"] == group.outputs["arn"]
    assert group.inputs["retentionInDays"] == 365
    key = network.one("aws:kms/key:Key", region=region)
    assert group.inputs["kmsKeyId"] == key.outputs["arn"]
    assert key.inputs["enableKeyRotation"] is True
    attachment = network.one("aws:iam/rolePolicyAttachment:RolePolicyAttachment", region=region)
    assert network.reaches(log, attachment)


@pytest.mark.parametrize("region", REGIONS)
def test_the_logs_key_serves_this_log_group_only(network: Deployment, region: str) -> None:
    """R9.3: the key's policy names the one log group that may use it."""
    key = network.one("aws:kms/key:Key", region=region)
    group = network.one("aws:cloudwatch/logGroup:LogGroup", region=region)
    statements = json.loads(key.inputs["policy"])["Statement"]
    service = next(s for s in statements if s["Sid"] == "LogsServiceEncrypts")
    assert service["Principal"] == {"Service": f"logs.{region}.amazonaws.com"}
    assert service["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"] == [
        group.outputs["arn"]
    ]


@pytest.mark.parametrize("region", REGIONS)
def test_the_flow_logs_role_writes_to_its_group_only(network: Deployment, region: str) -> None:
    """R9.3: least privilege; only the Describe call, which knows no resource, has ``*``."""
    policy = network.one("aws:iam/policy:Policy", region=region)
    group = network.one("aws:cloudwatch/logGroup:LogGroup", region=region)
    writes, describes = json.loads(policy.inputs["policy"])["Statement"]
    assert writes["Resource"] == [group.outputs["arn"], f"{group.outputs['arn']}:*"]
    assert describes["Action"] == "logs:DescribeLogGroups"
    role = network.one("aws:iam/role:Role", region=region)
    (trusted,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert trusted["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert trusted["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_advice_is_given_as_a_warning(varied: Deployment) -> None:
    """R1.3: every layer says what works against AWS's advice."""
    assert any("AWS advises at least 8" in text for text in varied.warnings())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"network:natGateways": 2}, r"network:natGateways must be 0 or 1 or 3 \(got 2\)"),
        ({"network:natGateways": 0}, "functions could reach no AWS API"),
        ({"network:standbyCidr": "10.0.0.0/16"}, "overlap: peered VPCs need addresses"),
        ({"network:primaryCidr": "10.0.0.0/20"}, "must be a private /16"),
        ({"network:primaryCidr": "8.8.0.0/16"}, "must be a private /16"),
        ({"network:primaryCidr": "127.0.0.0/16"}, "must be a private /16"),
        ({"network:primaryCidr": "169.254.0.0/16"}, "must be a private /16"),
        ({"network:primaryCidr": "ten"}, "must be a network such as"),
        ({"network:endpointZones": 4}, "must be 1 or 2 or 3"),
        ({"network:flowLogRetentionDays": 2}, "network:flowLogRetentionDays must be 1 or 3"),
    ],
)
def test_bad_configuration_is_refused_before_any_resource(
    config: dict[str, Any], message: str
) -> None:
    """R7: one line says which key, why, and what it got."""
    with pytest.raises(SettingsError, match=message) as raised:
        run_program("network", config=config)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("fixture", "count"), [("network", 1), ("without_nat", 0)])
def test_what_third_parties_see_is_an_output(
    request: pytest.FixtureRequest, fixture: str, count: int
) -> None:
    """Issue 23, item 9: both regions' addresses, or none where nothing leaves."""
    deployment: Deployment = request.getfixturevalue(fixture)
    for side, region in (("primary", "us-east-1"), ("secondary", "us-west-2")):
        addresses = deployment.exports[side]["egress_addresses"]
        made = [one.outputs["publicIp"] for one in deployment.created(ADDRESS, region)]
        assert addresses == made
        assert len(addresses) == count
