"""EC2: networks, subnets, gateways, endpoints, peering, flow logs."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider import models, shapes
from lab.provider.aws import Aws, is_not_found
from lab.provider.declaration import Properties, Tagging, op
from lab.provider.identity import Candidate, find_created
from lab.provider.resource import ResourceType
from lab.provider.tags import tags_from_aws
from pulumi_protocol.values import plain_without_nulls

EC2_TAGGING = Tagging(
    tag=op("CreateTags", Resources=["{id}"]),
    untag=op("DeleteTags", Resources=["{id}"]),
    path="Tags",
)


class Ec2Type(ResourceType):
    """What EC2's resources share: tags, and being found again by what they were created with."""

    service = "ec2"
    tagging = EC2_TAGGING
    find_keys: ClassVar[dict[str, str]] = {}
    """Further filters of ``search``: AWS filter name → input."""

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        if self.search is None:
            return super().look_up(aws, inputs)
        props = plain_without_nulls(inputs)
        wanted = props.get("tagsAll") or {}
        if not wanted:
            return None  # without a tag, nothing distinguishes it from another like it
        filters = [{"Name": f"tag:{key}", "Values": [str(wanted[key])]} for key in sorted(wanted)]
        for name, key in self.find_keys.items():
            filters.append({"Name": name, "Values": [str(props[key])]})
        shape = models.input_shape("ec2", self.search.name)
        name = shapes.member(shape, "filters")
        assert name is not None, self.search.name  # noqa: S101 - a describe call takes filters
        answer = aws.call("ec2", self.search.name, {name: filters})
        candidates = (
            Candidate(str(found[self.found_id]), found, tags_from_aws(found.get("Tags") or []))
            for found in answer.get(self.search.result) or []
            if not self.is_gone(found)
        )
        return find_created(self, aws, inputs, candidates)


class Vpc(Ec2Type):
    """A VPC."""

    pulumi_type = "aws:ec2/vpc:Vpc"
    inputs = "cidrBlock enableDnsHostnames enableDnsSupport instanceTenancy"
    creation = op("CreateVpc")
    tag_resource = "vpc"
    id = "Vpc.VpcId"
    reading = op("DescribeVpcs", "Vpcs[0]", VpcIds=["{id}"])
    search, found_id = op("DescribeVpcs", "Vpcs"), "VpcId"
    find_keys: ClassVar = {"cidr": "cidrBlock"}
    updates = (op("ModifyVpcAttribute", one_by_one=True, VpcId="{id}"),)
    deletion = op("DeleteVpc", VpcId="{id}")
    resets: ClassVar = {"enableDnsSupport": True, "enableDnsHostnames": False}
    outputs: ClassVar = {
        "arn": "arn:aws:ec2:{region}:{account}:vpc/{id}",
        "ownerId": "{account}",
        "dhcpOptionsId": "DhcpOptionsId",
        "mainRouteTableId": "mainRouteTableId",
        "defaultRouteTableId": "mainRouteTableId",
        "defaultSecurityGroupId": "defaultSecurityGroupId",
        "defaultNetworkAclId": "defaultNetworkAclId",
    }

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        raw = super().describe(aws, ident, props)
        if raw is None:
            return None
        here = {"Name": "vpc-id", "Values": [ident]}
        tables = aws.call(
            "ec2",
            "DescribeRouteTables",
            {"Filters": [here, {"Name": "association.main", "Values": ["true"]}]},
        )["RouteTables"]
        groups = aws.call(
            "ec2",
            "DescribeSecurityGroups",
            {"Filters": [here, {"Name": "group-name", "Values": ["default"]}]},
        )["SecurityGroups"]
        lists = aws.call(
            "ec2",
            "DescribeNetworkAcls",
            {"Filters": [here, {"Name": "default", "Values": ["true"]}]},
        )["NetworkAcls"]
        for key, found, name in (
            ("mainRouteTableId", tables, "RouteTableId"),
            ("defaultSecurityGroupId", groups, "GroupId"),
            ("defaultNetworkAclId", lists, "NetworkAclId"),
        ):
            raw[key] = found[0][name]
        return raw

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        attribute = {
            "enableDnsHostnames": "EnableDnsHostnames",
            "enableDnsSupport": "EnableDnsSupport",
        }.get(key)
        if attribute is None:
            return super().drift(aws, raw, key, written)
        answer = aws.call(
            "ec2",
            "DescribeVpcAttribute",
            {"VpcId": raw["VpcId"], "Attribute": attribute[:1].lower() + attribute[1:]},
        )
        return answer.get(attribute, {}).get("Value", written)


class Subnet(Ec2Type):
    """A subnet."""

    pulumi_type = "aws:ec2/subnet:Subnet"
    inputs = "vpcId cidrBlock availabilityZone mapPublicIpOnLaunch assignIpv6AddressOnCreation"
    creation = op("CreateSubnet")
    tag_resource = "subnet"
    id = "Subnet.SubnetId"
    reading = op("DescribeSubnets", "Subnets[0]", SubnetIds=["{id}"])
    search, found_id = op("DescribeSubnets", "Subnets"), "SubnetId"
    find_keys: ClassVar = {"vpc-id": "vpcId"}
    updates = (op("ModifySubnetAttribute", one_by_one=True, SubnetId="{id}"),)
    deletion = op("DeleteSubnet", SubnetId="{id}")
    resets: ClassVar = {"mapPublicIpOnLaunch": False, "assignIpv6AddressOnCreation": False}
    identity = ("vpcId", "cidrBlock")
    outputs: ClassVar = {
        "arn": "arn:aws:ec2:{region}:{account}:subnet/{id}",
        "ownerId": "{account}",
        "availabilityZone": "AvailabilityZone",
        "availabilityZoneId": "AvailabilityZoneId",
    }


class InternetGateway(Ec2Type):
    """An internet gateway, attached to its VPC."""

    pulumi_type = "aws:ec2/internetGateway:InternetGateway"
    inputs = "vpcId"
    in_place = "vpcId"
    creation = op("CreateInternetGateway")
    tag_resource = "internet-gateway"
    id = "InternetGateway.InternetGatewayId"
    reading = op("DescribeInternetGateways", "InternetGateways[0]", InternetGatewayIds=["{id}"])
    search, found_id = op("DescribeInternetGateways", "InternetGateways"), "InternetGatewayId"
    deletion = op("DeleteInternetGateway", InternetGatewayId="{id}")
    outputs: ClassVar = {
        "arn": "arn:aws:ec2:{region}:{account}:internet-gateway/{id}",
        "ownerId": "{account}",
    }

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        raw = self.require(aws, ident, props)
        attached = [item["VpcId"] for item in raw.get("Attachments") or []]
        wanted = props.get("vpcId")
        for vpc in attached:
            if vpc != wanted:
                self._detach(aws, ident, vpc)
        if wanted and wanted not in attached:
            aws.call("ec2", "AttachInternetGateway", {"InternetGatewayId": ident, "VpcId": wanted})

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        if "vpcId" in changed:
            self.finish(aws, ident, after)

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        attached = [item["VpcId"] for item in raw.get("Attachments") or []]
        return attached[0] if attached else None

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        raw = self.describe(aws, ident, props) or {}
        for item in raw.get("Attachments") or []:
            self._detach(aws, ident, item["VpcId"])
        super().delete(aws, ident, props)

    @staticmethod
    def _detach(aws: Aws, ident: str, vpc: str) -> None:
        try:
            aws.call("ec2", "DetachInternetGateway", {"InternetGatewayId": ident, "VpcId": vpc})
        except Exception as error:
            if not is_not_found(error) and "NotAttached" not in str(error):
                raise


class Eip(Ec2Type):
    """An elastic address."""

    pulumi_type = "aws:ec2/eip:Eip"
    inputs = "domain"
    creation = op("AllocateAddress")
    tag_resource = "elastic-ip"
    id = "AllocationId"
    reading = op("DescribeAddresses", "Addresses[0]", AllocationIds=["{id}"])
    search, found_id = op("DescribeAddresses", "Addresses"), "AllocationId"
    deletion = op("ReleaseAddress", AllocationId="{id}")
    outputs: ClassVar = {
        "arn": "arn:aws:ec2:{region}:{account}:elastic-ip/{id}",
        "allocationId": "{id}",
        "publicIp": "PublicIp",
        "publicDns": lambda raw: (
            f"ec2-{raw['PublicIp'].replace('.', '-')}.compute.amazonaws.com"
            if raw.get("PublicIp")
            else None
        ),
        "domain": "Domain",
    }


class NatGateway(Ec2Type):
    """A NAT gateway."""

    pulumi_type = "aws:ec2/natGateway:NatGateway"
    inputs = "allocationId subnetId connectivityType privateIp"
    creation = op("CreateNatGateway")
    tag_resource = "natgateway"
    id = "NatGateway.NatGatewayId"
    reading = op("DescribeNatGateways", "NatGateways[0]", NatGatewayIds=["{id}"])
    search, found_id = op("DescribeNatGateways", "NatGateways"), "NatGatewayId"
    find_keys: ClassVar = {"subnet-id": "subnetId"}
    deletion = op("DeleteNatGateway", NatGatewayId="{id}")
    ready = ("State", frozenset({"available"}), frozenset({"failed"}))
    gone_states = frozenset({"deleted"})
    waits_gone = True
    identity = ("allocationId",)
    names: ClassVar = {"allocationId": "AllocationId"}
    outputs: ClassVar = {
        "publicIp": "NatGatewayAddresses[0].PublicIp",
        "privateIp": "NatGatewayAddresses[0].PrivateIp",
        "networkInterfaceId": "NatGatewayAddresses[0].NetworkInterfaceId",
        "associationId": "NatGatewayAddresses[0].AssociationId",
    }

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        path = {"allocationId": "AllocationId", "privateIp": "PrivateIp"}.get(key)
        if path is None:
            return super().drift(aws, raw, key, written)
        return shapes.get(raw, f"NatGatewayAddresses[0].{path}") or written


class VpcEndpoint(Ec2Type):
    """A gateway or interface endpoint."""

    pulumi_type = "aws:ec2/vpcEndpoint:VpcEndpoint"
    inputs = (
        "vpcId serviceName vpcEndpointType routeTableIds subnetIds securityGroupIds "
        "privateDnsEnabled policy ipAddressType dnsOptions"
    )
    names: ClassVar = {"policy": "PolicyDocument"}
    creation = op("CreateVpcEndpoint")
    tag_resource = "vpc-endpoint"
    id = "VpcEndpoint.VpcEndpointId"
    reading = op("DescribeVpcEndpoints", "VpcEndpoints[0]", VpcEndpointIds=["{id}"])
    search, found_id = op("DescribeVpcEndpoints", "VpcEndpoints"), "VpcEndpointId"
    find_keys: ClassVar = {"vpc-id": "vpcId"}
    updates = (
        op(
            "ModifyVpcEndpoint",
            only="privateDnsEnabled policy ipAddressType dnsOptions",
            VpcEndpointId="{id}",
        ),
    )
    in_place = "routeTableIds subnetIds securityGroupIds"
    deletion = op("DeleteVpcEndpoints", VpcEndpointIds=["{id}"])
    # AWS's API reference writes states in capitals, its answers don't.
    ready = ("State", frozenset({"available", "Available"}), frozenset({"failed", "rejected"}))
    gone_states = frozenset({"deleted"})
    waits_gone = True
    identity = ("vpcId", "serviceName")
    outputs: ClassVar = {
        "arn": "arn:aws:ec2:{region}:{account}:vpc-endpoint/{id}",
        "ownerId": "{account}",
        "state": "State",
        "networkInterfaceIds": "NetworkInterfaceIds",
        "dnsEntries": lambda raw: [
            {"dnsName": item.get("DnsName"), "hostedZoneId": item.get("HostedZoneId")}
            for item in raw.get("DnsEntries") or []
        ],
    }

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key == "securityGroupIds":
            found = [item["GroupId"] for item in raw.get("Groups") or []]
            return written if not found or sorted(found) == sorted(written) else found
        return super().drift(aws, raw, key, written)

    def update(
        self, aws: Aws, ident: str, before: Any, after: Any, changed: list[str], state: Any
    ) -> None:
        super().update(aws, ident, before, after, changed, state)
        parameters: Properties = {}
        for key, name in (
            ("routeTableIds", "RouteTableIds"),
            ("subnetIds", "SubnetIds"),
            ("securityGroupIds", "SecurityGroupIds"),
        ):
            if key in changed:
                had, wanted = set(before.get(key) or []), set(after.get(key) or [])
                if wanted - had:
                    parameters[f"Add{name}"] = sorted(wanted - had)
                if had - wanted:
                    parameters[f"Remove{name}"] = sorted(had - wanted)
        if parameters:
            aws.call("ec2", "ModifyVpcEndpoint", {"VpcEndpointId": ident, **parameters})


class FlowLog(Ec2Type):
    """Flow logs of a VPC, a subnet or an interface."""

    pulumi_type = "aws:ec2/flowLog:FlowLog"
    inputs = (
        "trafficType logDestinationType logDestination iamRoleArn logFormat "
        "maxAggregationInterval deliverCrossAccountRole destinationOptions"
    )
    names: ClassVar = {"iamRoleArn": "DeliverLogsPermissionArn"}
    sources: ClassVar = {
        "vpcId": "VPC",
        "subnetId": "Subnet",
        "eniId": "NetworkInterface",
        "transitGatewayId": "TransitGateway",
    }
    creation = op("CreateFlowLogs")
    tag_resource = "vpc-flow-log"
    reading = op("DescribeFlowLogs", "FlowLogs[0]", FlowLogIds=["{id}"])
    search, found_id = op("DescribeFlowLogs", "FlowLogs"), "FlowLogId"
    deletion = op("DeleteFlowLogs", FlowLogIds=["{id}"])
    identity = ("vpcId", "subnetId", "eniId", "logDestination", "trafficType")
    outputs: ClassVar = {"arn": "arn:aws:ec2:{region}:{account}:vpc-flow-log/{id}"}

    @property
    def known(self) -> frozenset[str]:
        return super().known | set(self.sources)

    def create(self, aws: Aws, props: Properties) -> str:
        call = op("CreateFlowLogs")
        parameters = self.parameters(aws, call, None, props)
        for key, kind in self.sources.items():
            if key in props:
                parameters["ResourceIds"], parameters["ResourceType"] = [props[key]], kind
        parameters |= self.tags_of(call, props)
        answer = aws.call("ec2", "CreateFlowLogs", parameters)
        if answer.get("Unsuccessful"):
            raise RuntimeError(f"CreateFlowLogs: {answer['Unsuccessful'][0].get('Error')}")
        return answer["FlowLogIds"][0]
