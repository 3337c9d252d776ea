"""EC2: networks, subnets, gateways, endpoints, peering, flow logs."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider import shapes, wire
from lab.provider.aws import Aws, is_not_found
from lab.provider.resource import Properties, ResourceType, Tagging, op, tags_from_aws

EC2_TAGGING = Tagging(
    tag=op("CreateTags", Resources=["{id}"]),
    untag=op("DeleteTags", Resources=["{id}"]),
    path="Tags",
)

FINDING_TAGS = ("Name", "EnvironmentSuffix")
"""What nameless resources are found by again after an interruption."""


class Ec2Type(ResourceType):
    """What EC2's resources share: tags, and being found again by them."""

    service = "ec2"
    tagging = EC2_TAGGING
    find_keys: ClassVar[dict[str, str]] = {}
    """Further filters of ``find``: AWS filter name → input."""

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = wire.plain(inputs)
        if self.find is None:
            return super().look_up(aws, inputs)
        tags = props.get("tagsAll") or props.get("tags") or {}
        filters = [
            {"Name": f"tag:{key}", "Values": [tags[key]]} for key in FINDING_TAGS if key in tags
        ]
        if not filters:
            return None  # without a tag of its own, nothing tells it from another
        for name, key in self.find_keys.items():
            filters.append({"Name": name, "Values": [str(props[key])]})
        parameter = "Filter" if "Flow" in self.find.name else "Filters"
        if self.find.name == "DescribeNatGateways":
            parameter = "Filter"
        answer = aws.call("ec2", self.find.name, {parameter: filters})
        for found in answer.get(self.find.result) or []:
            state = shapes.get(found, self.ready[0]) if self.ready else None
            carried = tags_from_aws(found.get("Tags") or [])
            if state not in self.gone_states and all(
                carried.get(key) == tags[key] for key in FINDING_TAGS if key in tags
            ):
                return str(found[self.found_id])
        return None


class Vpc(Ec2Type):
    """A VPC."""

    pulumi_type = "aws:ec2/vpc:Vpc"
    inputs = "cidrBlock enableDnsHostnames enableDnsSupport instanceTenancy"
    create = op("CreateVpc")
    tag_resource = "vpc"
    id = "Vpc.VpcId"
    read = op("DescribeVpcs", "Vpcs[0]", VpcIds=["{id}"])
    find, found_id = op("DescribeVpcs", "Vpcs"), "VpcId"
    find_keys: ClassVar = {"cidr": "cidrBlock"}
    updates = (op("ModifyVpcAttribute", one_by_one=True, VpcId="{id}"),)
    remove = op("DeleteVpc", VpcId="{id}")
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
    create = op("CreateSubnet")
    tag_resource = "subnet"
    id = "Subnet.SubnetId"
    read = op("DescribeSubnets", "Subnets[0]", SubnetIds=["{id}"])
    find, found_id = op("DescribeSubnets", "Subnets"), "SubnetId"
    find_keys: ClassVar = {"vpc-id": "vpcId"}
    updates = (op("ModifySubnetAttribute", one_by_one=True, SubnetId="{id}"),)
    remove = op("DeleteSubnet", SubnetId="{id}")
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
    create = op("CreateInternetGateway")
    tag_resource = "internet-gateway"
    id = "InternetGateway.InternetGatewayId"
    read = op("DescribeInternetGateways", "InternetGateways[0]", InternetGatewayIds=["{id}"])
    find, found_id = op("DescribeInternetGateways", "InternetGateways"), "InternetGatewayId"
    remove = op("DeleteInternetGateway", InternetGatewayId="{id}")
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

    def do_update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        if "vpcId" in changed:
            self.finish(aws, ident, after)

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        attached = [item["VpcId"] for item in raw.get("Attachments") or []]
        return attached[0] if attached else None

    def do_delete(self, aws: Aws, ident: str, props: Properties) -> None:
        raw = self.describe(aws, ident, props) or {}
        for item in raw.get("Attachments") or []:
            self._detach(aws, ident, item["VpcId"])
        super().do_delete(aws, ident, props)

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
    create = op("AllocateAddress")
    tag_resource = "elastic-ip"
    id = "AllocationId"
    read = op("DescribeAddresses", "Addresses[0]", AllocationIds=["{id}"])
    find, found_id = op("DescribeAddresses", "Addresses"), "AllocationId"
    remove = op("ReleaseAddress", AllocationId="{id}")
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
    create = op("CreateNatGateway")
    tag_resource = "natgateway"
    id = "NatGateway.NatGatewayId"
    read = op("DescribeNatGateways", "NatGateways[0]", NatGatewayIds=["{id}"])
    find, found_id = op("DescribeNatGateways", "NatGateways"), "NatGatewayId"
    find_keys: ClassVar = {"subnet-id": "subnetId"}
    remove = op("DeleteNatGateway", NatGatewayId="{id}")
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
    create = op("CreateVpcEndpoint")
    tag_resource = "vpc-endpoint"
    id = "VpcEndpoint.VpcEndpointId"
    read = op("DescribeVpcEndpoints", "VpcEndpoints[0]", VpcEndpointIds=["{id}"])
    find, found_id = op("DescribeVpcEndpoints", "VpcEndpoints"), "VpcEndpointId"
    find_keys: ClassVar = {"vpc-id": "vpcId"}
    updates = (
        op(
            "ModifyVpcEndpoint",
            only="privateDnsEnabled policy ipAddressType dnsOptions",
            VpcEndpointId="{id}",
        ),
    )
    in_place = "routeTableIds subnetIds securityGroupIds"
    remove = op("DeleteVpcEndpoints", VpcEndpointIds=["{id}"])
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

    def do_update(
        self, aws: Aws, ident: str, before: Any, after: Any, changed: list[str], state: Any
    ) -> None:
        super().do_update(aws, ident, before, after, changed, state)
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
    create = op("CreateFlowLogs")
    tag_resource = "vpc-flow-log"
    read = op("DescribeFlowLogs", "FlowLogs[0]", FlowLogIds=["{id}"])
    find, found_id = op("DescribeFlowLogs", "FlowLogs"), "FlowLogId"
    remove = op("DeleteFlowLogs", FlowLogIds=["{id}"])
    identity = ("vpcId", "subnetId", "eniId", "logDestination", "trafficType")
    outputs: ClassVar = {"arn": "arn:aws:ec2:{region}:{account}:vpc-flow-log/{id}"}

    @property
    def known(self) -> frozenset[str]:
        return super().known | set(self.sources)

    def do_create(self, aws: Aws, props: Properties) -> str:
        create = self.create
        assert create is not None  # noqa: S101 - declared above
        parameters = self.parameters(aws, create, None, props)
        for key, kind in self.sources.items():
            if key in props:
                parameters["ResourceIds"], parameters["ResourceType"] = [props[key]], kind
        self.add_tags(aws, create, parameters, props.get("tagsAll") or {})
        answer = aws.call("ec2", "CreateFlowLogs", parameters)
        if answer.get("Unsuccessful"):
            raise RuntimeError(f"CreateFlowLogs: {answer['Unsuccessful'][0].get('Error')}")
        return answer["FlowLogIds"][0]


class VpcPeeringConnection(Ec2Type):
    """The requester's side of a peering."""

    pulumi_type = "aws:ec2/vpcPeeringConnection:VpcPeeringConnection"
    inputs = "vpcId peerVpcId peerRegion peerOwnerId"
    settings = "autoAccept"
    create = op("CreateVpcPeeringConnection")
    tag_resource = "vpc-peering-connection"
    id = "VpcPeeringConnection.VpcPeeringConnectionId"
    read = op(
        "DescribeVpcPeeringConnections",
        "VpcPeeringConnections[0]",
        names={
            "vpcId": "RequesterVpcInfo.VpcId",
            "peerVpcId": "AccepterVpcInfo.VpcId",
            "peerRegion": "AccepterVpcInfo.Region",
            "peerOwnerId": "AccepterVpcInfo.OwnerId",
        },
        VpcPeeringConnectionIds=["{id}"],
    )
    find = op("DescribeVpcPeeringConnections", "VpcPeeringConnections")
    found_id = "VpcPeeringConnectionId"
    find_keys: ClassVar = {"requester-vpc-info.vpc-id": "vpcId"}
    remove = op("DeleteVpcPeeringConnection", VpcPeeringConnectionId="{id}")
    ready = (
        "Status.Code",
        frozenset({"pending-acceptance", "active"}),
        frozenset({"failed", "rejected", "expired"}),
    )
    gone_states = frozenset({"deleted", "failed", "rejected", "expired", "deleting"})
    waits_gone = True
    identity = ("vpcId", "peerVpcId")
    outputs: ClassVar = {"acceptStatus": "Status.Code", "peerOwnerId": "AccepterVpcInfo.OwnerId"}

    def validate(self, aws: Aws, props: Properties) -> list[tuple[str, str]]:
        if props.get("autoAccept") and props.get("peerRegion"):
            return [("autoAccept", "AWS accepts no peering by itself across regions")]
        return []

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        super().finish(aws, ident, props)
        if props.get("autoAccept"):
            aws.call("ec2", "AcceptVpcPeeringConnection", {"VpcPeeringConnectionId": ident})


class VpcPeeringConnectionAccepter(Ec2Type):
    """The accepter's side of a peering. Deleting it leaves the peering to the requester."""

    pulumi_type = "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter"
    settings = "autoAccept"
    inputs = "vpcPeeringConnectionId"
    create = op("AcceptVpcPeeringConnection")
    id = "{vpcPeeringConnectionId}"
    identity = ("vpcPeeringConnectionId",)
    read = op(
        "DescribeVpcPeeringConnections",
        "VpcPeeringConnections[0]",
        VpcPeeringConnectionIds=["{id}"],
    )
    gone_states = VpcPeeringConnection.gone_states
    ready = ("Status.Code", frozenset({"active", "pending-acceptance"}), frozenset({"failed"}))
    outputs: ClassVar = {
        "acceptStatus": "Status.Code",
        "vpcId": "AccepterVpcInfo.VpcId",
        "peerVpcId": "RequesterVpcInfo.VpcId",
        "peerRegion": "RequesterVpcInfo.Region",
        "peerOwnerId": "RequesterVpcInfo.OwnerId",
    }

    def do_create(self, aws: Aws, props: Properties) -> str:
        ident = props["vpcPeeringConnectionId"]
        # The request may reach the accepter's region a moment later.
        aws.until(f"peering {ident} arriving", 60, lambda: self.describe(aws, ident, props))
        return ident

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        raw = self.require(aws, ident, props)
        if props.get("autoAccept") and shapes.get(raw, "Status.Code") == "pending-acceptance":
            aws.call("ec2", "AcceptVpcPeeringConnection", {"VpcPeeringConnectionId": ident})
            aws.until(
                f"peering {ident} becoming active",
                60,
                lambda: (
                    True
                    if shapes.get(self.describe(aws, ident, props) or {}, "Status.Code") == "active"
                    else None
                ),
            )
        self.retag(aws, ident, {}, props, {})

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        ident = wire.plain(inputs).get("vpcPeeringConnectionId")
        raw = self.describe(aws, ident, {}) if ident else None
        # Only an accepted peering shows that this resource was made.
        return ident if raw and shapes.get(raw, "Status.Code") == "active" else None

    def do_update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        if "autoAccept" in changed:
            self.finish(aws, ident, after)

    def do_delete(self, aws: Aws, ident: str, props: Properties) -> None:
        """Nothing: AWS knows no un-accepting; the requester deletes the peering."""


class PeeringConnectionOptions(Ec2Type):
    """DNS resolution over a peering, one side's."""

    pulumi_type = "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions"
    tagging = None
    inputs = "vpcPeeringConnectionId accepter requester"
    in_place = "accepter requester"
    names: ClassVar = {
        "accepter": "AccepterPeeringConnectionOptions",
        "requester": "RequesterPeeringConnectionOptions",
        "accepter.allowRemoteVpcDnsResolution": "AllowDnsResolutionFromRemoteVpc",
        "requester.allowRemoteVpcDnsResolution": "AllowDnsResolutionFromRemoteVpc",
    }
    create = op(
        "ModifyVpcPeeringConnectionOptions", VpcPeeringConnectionId="{vpcPeeringConnectionId}"
    )
    updates = (
        op(
            "ModifyVpcPeeringConnectionOptions",
            only="accepter requester",
            VpcPeeringConnectionId="{id}",
        ),
    )
    id = "{vpcPeeringConnectionId}"
    identity = ("vpcPeeringConnectionId",)
    read = op(
        "DescribeVpcPeeringConnections",
        "VpcPeeringConnections[0]",
        names={
            "accepter": "AccepterVpcInfo.PeeringOptions",
            "requester": "RequesterVpcInfo.PeeringOptions",
        },
        VpcPeeringConnectionIds=["{id}"],
    )
    gone_states = VpcPeeringConnection.gone_states
    ready = ("Status.Code", frozenset({"active"}), frozenset({"failed"}))
    resets: ClassVar = {
        "accepter": {"allowRemoteVpcDnsResolution": False},
        "requester": {"allowRemoteVpcDnsResolution": False},
    }
