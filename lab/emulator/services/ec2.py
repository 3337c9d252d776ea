"""EC2 and VPC: what was given is read back, tags and filters work."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.network_interfaces import Interface, service_interfaces
from lab.emulator.scope import account_of, scope

LISTED = {
    "DescribeAddresses": (
        "Addresses",
        "AllocationId",
        "AllocationIds",
        "InvalidAllocationID.NotFound",
    ),
    "DescribeFlowLogs": ("FlowLogs", "FlowLogId", "FlowLogIds", ""),
    "DescribeInternetGateways": (
        "InternetGateways",
        "InternetGatewayId",
        "InternetGatewayIds",
        "InvalidInternetGatewayID.NotFound",
    ),
    "DescribeNatGateways": ("NatGateways", "NatGatewayId", "NatGatewayIds", "NatGatewayNotFound"),
    "DescribeNetworkInterfaces": (
        "NetworkInterfaces",
        "NetworkInterfaceId",
        "NetworkInterfaceIds",
        "InvalidNetworkInterfaceID.NotFound",
    ),
    "DescribeRouteTables": (
        "RouteTables",
        "RouteTableId",
        "RouteTableIds",
        "InvalidRouteTableID.NotFound",
    ),
    "DescribeSecurityGroupRules": (
        "SecurityGroupRules",
        "SecurityGroupRuleId",
        "SecurityGroupRuleIds",
        "InvalidSecurityGroupRuleId.NotFound",
    ),
    "DescribeSecurityGroups": ("SecurityGroups", "GroupId", "GroupIds", "InvalidGroup.NotFound"),
    "DescribeSubnets": ("Subnets", "SubnetId", "SubnetIds", "InvalidSubnetID.NotFound"),
    "DescribeVpcEndpoints": (
        "VpcEndpoints",
        "VpcEndpointId",
        "VpcEndpointIds",
        "InvalidVpcEndpointId.NotFound",
    ),
    "DescribeVpcPeeringConnections": (
        "VpcPeeringConnections",
        "VpcPeeringConnectionId",
        "VpcPeeringConnectionIds",
        "InvalidVpcPeeringConnectionID.NotFound",
    ),
    "DescribeVpcs": ("Vpcs", "VpcId", "VpcIds", "InvalidVpcID.NotFound"),
}
"""Operation → its list, the items' id, the parameter of ids, AWS's code for an unknown id."""

FLOW_LOG_FIELDS = (
    "DeliverLogsPermissionArn",
    "DeliverCrossAccountRole",
    "LogGroupName",
    "LogDestination",
    "LogFormat",
    "MaxAggregationInterval",
    "DestinationOptions",
)
DEFAULT_FLOW_LOG_FORMAT = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} "
    "${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}"
)


def install(mending: Mending) -> None:
    """Mends EC2. What is listed and tagged runs outside of the endpoints' and peerings' mends."""
    mends = Ec2(mending)
    mend = mending.mend
    mend("ec2", "CreateFlowLogs DescribeFlowLogs", mends.flow_logs)
    mend("ec2", "CreateNatGateway DescribeNatGateways DeleteNatGateway", mends.nat_gateways)
    mend("ec2", "DescribeAddresses ReleaseAddress", mends.addresses)
    mend("ec2", "DescribeNetworkInterfaces", mends.interfaces)
    mend("ec2", "DescribeSecurityGroups", mends.groups)
    mend("ec2", " ".join(LISTED), mends.listed)
    mend(
        "ec2",
        "AllocateAddress CreateFlowLogs CreateNatGateway CreateVpcEndpoint "
        "AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress",
        mends.tags,
    )


class Ec2:
    """The hooks."""

    def __init__(self, mending: Mending) -> None:
        self.memory = mending.store("ec2")

    async def tags(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Tags given at creation stay."""
        from ministack.services import ec2

        response = await call_next(request)
        given = [
            {"Key": tag["Key"], "Value": tag.get("Value", "")}
            for specification in request.parameters.get("TagSpecifications") or []
            for tag in specification.get("Tags") or []
        ]
        if response.ok and given:
            with scope(request):
                for name in _created(response.result):
                    ec2._tags[name] = [dict(tag) for tag in given]
        return response

    async def listed(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Tags on every item; filters by tag and by plain fields; unknown ids refused."""
        from ministack.services import ec2

        name, key, ids, unknown = LISTED[request.operation]
        response = await call_next(request)
        if not response.ok:
            return response
        items = response.result.setdefault(name, [])
        with scope(request):
            for item in items:
                if tags := ec2._tags.get(item.get(key, "")):
                    item["Tags"] = [dict(tag) for tag in tags]
        wanted = request.parameters.get(ids) or []
        missing = [name for name in wanted if name not in {item.get(key) for item in items}]
        if missing and unknown:
            raise ApiRefusal(unknown, f"The ID '{missing[0]}' does not exist")
        response.result[name] = [
            item for item in items if _passes(item, request.parameters.get("Filters") or [])
        ]
        return response

    async def flow_logs(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A flow log's role, destination, format and interval."""
        response = await call_next(request)
        if not response.ok:
            return response
        if request.operation == "CreateFlowLogs":
            given = request.parameters
            kept = {name: given[name] for name in FLOW_LOG_FIELDS if name in given}
            for name in response.result["FlowLogIds"]:
                self.memory[name] = kept
            return response
        for log in response.result["FlowLogs"]:
            log.update({"MaxAggregationInterval": 600, "LogFormat": DEFAULT_FLOW_LOG_FORMAT})
            log.update(self.memory.get(log["FlowLogId"], {}))
            log["DeliverLogsStatus"] = "SUCCESS"
            destination = log.get("LogDestination", "")
            if log["LogDestinationType"] == "cloud-watch-logs" and ":log-group:" in destination:
                log["LogGroupName"] = destination.partition(":log-group:")[2].removesuffix(":*")
        return response

    async def nat_gateways(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A NAT gateway's addresses; its Elastic IP is in use as long as it lives."""
        from ministack.services import ec2

        response = await call_next(request)
        if not response.ok:
            return response
        with scope(request):
            if request.operation == "DeleteNatGateway":
                nat = ec2._nat_gateways[request.parameters["NatGatewayId"]]
                if address := ec2._addresses.get(nat["AllocationId"]):
                    address["AssociationId"] = address["NetworkInterfaceId"] = None
                return response
            created = response.result.get("NatGateway")
            gateways = [created] if created else response.result.get("NatGateways", [])
            for gateway in gateways:
                nat = ec2._nat_gateways[gateway["NatGatewayId"]]
                subnet = ec2._subnets.get(nat["SubnetId"])
                own = Interface(nat["NatGatewayId"], nat["SubnetId"], (), "")
                address = ec2._addresses.get(nat["AllocationId"] or "") or {}
                if nat["State"] == "deleted" or subnet is None:
                    gateway["NatGatewayAddresses"] = []
                    continue
                if address and not address["AssociationId"]:
                    address["AssociationId"] = f"eipassoc-{own.interface_id[4:]}"
                    address["NetworkInterfaceId"] = own.interface_id
                    address["PrivateIpAddress"] = own.private_ip(subnet["CidrBlock"])
                entry = {
                    "NetworkInterfaceId": own.interface_id,
                    "PrivateIp": own.private_ip(subnet["CidrBlock"]),
                    "IsPrimary": True,
                    "Status": "succeeded",
                }
                if address:
                    entry |= {
                        name: address[name]
                        for name in ("AllocationId", "PublicIp", "AssociationId")
                    }
                gateway["NatGatewayAddresses"] = [entry]
        return response

    async def addresses(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """An Elastic IP's association; one in use isn't released."""
        from ministack.services import ec2

        if request.operation == "ReleaseAddress":
            with scope(request):
                address = ec2._addresses.get(request.parameters.get("AllocationId", "")) or {}
            if address.get("AssociationId"):
                raise ApiRefusal(
                    "InvalidIPAddress.InUse",
                    f"Address {address['PublicIp']} is in use and can't be released.",
                )
            return await call_next(request)
        response = await call_next(request)
        if response.ok:
            with scope(request):
                for item in response.result["Addresses"]:
                    address = ec2._addresses[item["AllocationId"]]
                    item["NetworkBorderGroup"] = request.region
                    item["PublicIpv4Pool"] = "amazon"
                    for name in ("AssociationId", "NetworkInterfaceId", "PrivateIpAddress"):
                        if address.get(name):
                            item[name] = address[name]
        return response

    async def interfaces(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """The interfaces of services stand among the others."""
        from ministack.services import ec2

        response = await call_next(request)
        if not response.ok:
            return response
        account = account_of(request)
        wanted = request.parameters.get("NetworkInterfaceIds") or []
        seen = {item["NetworkInterfaceId"] for item in response.result["NetworkInterfaces"]}
        with scope(request):
            for own in service_interfaces(account, request.region):
                subnet = ec2._subnets.get(own.subnet_id)
                if subnet is None or own.interface_id in seen:
                    continue
                if wanted and own.interface_id not in wanted:
                    continue
                seen.add(own.interface_id)
                response.result["NetworkInterfaces"].append(
                    {
                        "NetworkInterfaceId": own.interface_id,
                        "SubnetId": own.subnet_id,
                        "VpcId": subnet["VpcId"],
                        "AvailabilityZone": subnet["AvailabilityZone"],
                        "Description": own.description,
                        "Groups": [{"GroupId": group} for group in own.group_ids],
                        "InterfaceType": own.kind,
                        "OwnerId": account,
                        "PrivateIpAddress": own.private_ip(subnet["CidrBlock"]),
                        "RequesterManaged": True,
                        "Status": "in-use",
                    }
                )
        return response

    async def groups(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A security group's ARN."""
        response = await call_next(request)
        if response.ok:
            for group in response.result["SecurityGroups"]:
                group["SecurityGroupArn"] = (
                    f"arn:aws:ec2:{request.region}:{group['OwnerId']}:security-group/"
                    f"{group['GroupId']}"
                )
        return response


def _created(result: dict[str, Any]) -> Iterable[str]:
    """Ids of what a Create call has made."""
    if "SecurityGroupRules" in result:
        return [rule["SecurityGroupRuleId"] for rule in result["SecurityGroupRules"]]
    if "FlowLogIds" in result:
        return list(result["FlowLogIds"])
    if "AllocationId" in result:
        return [result["AllocationId"]]
    for name, key in (("NatGateway", "NatGatewayId"), ("VpcEndpoint", "VpcEndpointId")):
        if name in result:
            return [result[name][key]]
    return []


def _passes(item: dict[str, Any], filters: list[dict[str, Any]]) -> bool:
    tags = {tag["Key"]: tag["Value"] for tag in item.get("Tags") or []}
    for entry in filters:
        name, wanted = entry["Name"], entry.get("Values") or []
        if name.startswith("tag:"):
            if tags.get(name[4:]) not in wanted:
                return False
        elif name == "tag-key":
            if not set(wanted) & set(tags):
                return False
        else:
            field = "".join(part.capitalize() for part in re.split("[-.]", name))
            value = item.get(field)
            if isinstance(value, (str, bool, int)) and str(value).lower() not in {
                text.lower() for text in wanted
            }:
                return False
    return True
