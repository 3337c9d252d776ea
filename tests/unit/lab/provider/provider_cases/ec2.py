"""EC2: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from provider_cases.case import Case, named

CASES = [
    Case(
        "vpc",
        "aws:ec2/vpc:Vpc",
        lambda w: named("vpc", cidrBlock="10.0.0.0/16", enableDnsHostnames=True),
        lambda w: named("vpc", cidrBlock="10.0.0.0/16", enableDnsHostnames=False),
    ),
    Case(
        "subnet",
        "aws:ec2/subnet:Subnet",
        lambda w: named(
            "subnet-a",
            vpcId=w["vpc"].id,
            cidrBlock="10.0.1.0/24",
            availabilityZone="us-east-1a",
            mapPublicIpOnLaunch=True,
        ),
        lambda w: named(
            "subnet-a",
            vpcId=w["vpc"].id,
            cidrBlock="10.0.1.0/24",
            availabilityZone="us-east-1a",
            mapPublicIpOnLaunch=False,
        ),
    ),
    Case(
        "subnet-b",
        "aws:ec2/subnet:Subnet",
        lambda w: named(
            "subnet-b",
            vpcId=w["vpc"].id,
            cidrBlock="10.0.2.0/24",
            availabilityZone="us-east-1b",
        ),
    ),
    Case(
        "internet-gateway",
        "aws:ec2/internetGateway:InternetGateway",
        lambda w: named("igw", vpcId=w["vpc"].id),
    ),
    Case("eip", "aws:ec2/eip:Eip", lambda w: named("eip", domain="vpc")),
    Case(
        "nat",
        "aws:ec2/natGateway:NatGateway",
        lambda w: named("nat", allocationId=w["eip"].id, subnetId=w["subnet"].id),
    ),
    Case("table", "aws:ec2/routeTable:RouteTable", lambda w: named("table", vpcId=w["vpc"].id)),
    Case(
        "route",
        "aws:ec2/route:Route",
        lambda w: {
            "routeTableId": w["table"].id,
            "destinationCidrBlock": "0.0.0.0/0",
            "gatewayId": w["internet-gateway"].id,
        },
        lambda w: {
            "routeTableId": w["table"].id,
            "destinationCidrBlock": "0.0.0.0/0",
            "natGatewayId": w["nat"].id,
        },
    ),
    Case(
        "association",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        lambda w: {"routeTableId": w["table"].id, "subnetId": w["subnet"].id},
    ),
    Case(
        "group",
        "aws:ec2/securityGroup:SecurityGroup",
        lambda w: named(
            "group",
            vpcId=w["vpc"].id,
            name="securitygroup-one",
            description="one",
            ingress=[
                {"protocol": "tcp", "fromPort": 80, "toPort": 80, "cidrBlocks": ["0.0.0.0/0"]}
            ],
        ),
        lambda w: named(
            "group",
            vpcId=w["vpc"].id,
            name="securitygroup-one",
            description="one",
            ingress=[{"protocol": "tcp", "fromPort": 81, "toPort": 81, "self": True}],
        ),
    ),
    Case(
        "default-group",
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        lambda w: named("default-group", vpcId=w["vpc"].id),
        stays=True,
    ),
    Case(
        "ingress",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        lambda w: named(
            "ingress",
            securityGroupId=w["group"].id,
            ipProtocol="tcp",
            fromPort=443,
            toPort=443,
            cidrIpv4="10.1.0.0/16",
            description="peer",
        ),
    ),
    Case(
        "egress",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        lambda w: named(
            "egress",
            securityGroupId=w["group"].id,
            ipProtocol="-1",
            referencedSecurityGroupId=w["default-group"].id,
        ),
    ),
    Case(
        "gateway-endpoint",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        lambda w: named(
            "gateway-endpoint",
            vpcId=w["vpc"].id,
            serviceName="com.amazonaws.us-east-1.s3",
            vpcEndpointType="Gateway",
            routeTableIds=[w["table"].id],
        ),
    ),
    Case(
        "interface-endpoint",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        lambda w: named(
            "interface-endpoint",
            vpcId=w["vpc"].id,
            serviceName="com.amazonaws.us-east-1.sqs",
            vpcEndpointType="Interface",
            subnetIds=[w["subnet"].id],
            securityGroupIds=[w["group"].id],
            privateDnsEnabled=True,
        ),
    ),
    Case(
        "vpc-west",
        "aws:ec2/vpc:Vpc",
        lambda w: named("vpc-west", cidrBlock="10.1.0.0/16"),
        region="us-west-2",
    ),
    Case(
        "peering",
        "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
        lambda w: named(
            "peering", vpcId=w["vpc"].id, peerVpcId=w["vpc-west"].id, peerRegion="us-west-2"
        ),
    ),
    Case(
        "accepter",
        "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
        lambda w: named("accepter", vpcPeeringConnectionId=w["peering"].id, autoAccept=True),
        region="us-west-2",
        stays=True,
    ),
    Case(
        "peering-options",
        "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions",
        lambda w: {
            "vpcPeeringConnectionId": w["accepter"].id,
            "accepter": {"allowRemoteVpcDnsResolution": True},
        },
        lambda w: {
            "vpcPeeringConnectionId": w["accepter"].id,
            "accepter": {"allowRemoteVpcDnsResolution": False},
        },
        region="us-west-2",
        stays=True,
    ),
    Case(
        "flow-log",
        "aws:ec2/flowLog:FlowLog",
        lambda w: named(
            "flow-log",
            vpcId=w["vpc"].id,
            trafficType="ALL",
            logDestinationType="cloud-watch-logs",
            logDestination=w["log-group"].outputs["arn"],
            iamRoleArn=w["role"].outputs["arn"],
            maxAggregationInterval=60,
        ),
    ),
]
