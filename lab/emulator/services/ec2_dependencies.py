"""EC2 refuses to delete what is still used and to build on what is gone, as AWS does: order
matters."""

from __future__ import annotations

from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.network_interfaces import service_interfaces
from lab.emulator.scope import account_of, scope


def install(mending: Mending) -> None:
    """Mends EC2's deletes."""
    mend = mending.mend
    mend("ec2", "DeleteSecurityGroup", security_group)
    mend("ec2", "DeleteSubnet", subnet)
    mend("ec2", "CreateSubnet CreateSecurityGroup CreateRouteTable CreateVpcEndpoint", in_vpc)
    mend("ec2", "DeleteVpc", vpc)
    mend("ec2", "DetachInternetGateway DeleteInternetGateway", internet_gateway)
    mend("ec2", "DeleteRouteTable", route_table)


async def security_group(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """Refused while an interface has it, or another group's rule names it."""
    from ministack.services import ec2

    name = request.parameters.get("GroupId", "")
    with scope(request):
        used = any(name in own.group_ids for own in _interfaces(request)) or any(
            name in _named_groups(group)
            for other, group in ec2._security_groups.items()
            if other != name
        )
    if used:
        raise ApiRefusal("DependencyViolation", f"resource {name} has a dependent object")
    return await call_next(request)


async def in_vpc(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """Nothing is made in a VPC that isn't there."""
    from ministack.services import ec2

    name = request.parameters.get("VpcId", "")
    with scope(request):
        known = not name or name in ec2._vpcs
    if not known:
        raise ApiRefusal("InvalidVpcID.NotFound", f"The vpc ID '{name}' does not exist")
    return await call_next(request)


async def subnet(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """Refused while an interface is in it."""
    from ministack.services import ec2

    name = request.parameters["SubnetId"]
    with scope(request):
        explicit = any(eni.get("SubnetId") == name for eni in ec2._network_interfaces.values())
    if explicit or any(own.subnet_id == name for own in _interfaces(request)):
        raise ApiRefusal(
            "DependencyViolation",
            f"The subnet '{name}' has dependencies and cannot be deleted.",
        )
    response = await call_next(request)
    if response.ok:
        with scope(request):
            for table in ec2._route_tables.values():
                table["Associations"] = [
                    entry
                    for entry in table.get("Associations", [])
                    if entry.get("SubnetId") != name
                ]
    return response


async def vpc(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """Refused while an endpoint, a NAT gateway, a peering or a route table of its own is there."""
    from ministack.services import ec2

    name = request.parameters["VpcId"]
    with scope(request):
        used = (
            any(item["VpcId"] == name for item in ec2._vpc_endpoints.values())
            or any(
                item["VpcId"] == name and item["State"] != "deleted"
                for item in ec2._nat_gateways.values()
            )
            or any(item["VpcId"] == name and not _main(item) for item in ec2._route_tables.values())
            or any(
                item[side]["VpcId"] == name
                for item in ec2._vpc_peering.values()
                if item["Status"]["Code"] in ("active", "pending-acceptance", "provisioning")
                for side in ("RequesterVpcInfo", "AccepterVpcInfo")
            )
        )
    if used:
        raise ApiRefusal(
            "DependencyViolation", f"The vpc '{name}' has dependencies and cannot be deleted."
        )
    return await call_next(request)


async def internet_gateway(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """Detached only when no public address is mapped in the VPC; deleted only when detached."""
    from ministack.services import alb, ec2

    name = request.parameters["InternetGatewayId"]
    with scope(request):
        gateway = ec2._internet_gateways.get(name) or {}
        if request.operation == "DeleteInternetGateway":
            if gateway.get("Attachments"):
                raise ApiRefusal(
                    "DependencyViolation",
                    f"The internetGateway '{name}' has dependencies and cannot be deleted.",
                )
            return await call_next(request)
        attached = request.parameters["VpcId"]
        public = any(
            nat["VpcId"] == attached
            and nat["State"] != "deleted"
            and nat["ConnectivityType"] == "public"
            for nat in ec2._nat_gateways.values()
        ) or any(
            balancer["VpcId"] == attached and balancer["Scheme"] == "internet-facing"
            for balancer in alb._lbs.values()
        )
    if public:
        raise ApiRefusal(
            "DependencyViolation",
            f"Network {attached} has some mapped public address(es). Please unmap those public "
            "address(es) before detaching the gateway.",
        )
    return await call_next(request)


async def route_table(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """Refused while associated with a subnet, or main."""
    from ministack.services import ec2

    name = request.parameters["RouteTableId"]
    with scope(request):
        table = ec2._route_tables.get(name) or {}
    if table.get("Associations"):
        raise ApiRefusal(
            "DependencyViolation",
            f"The routeTable '{name}' has dependencies and cannot be deleted.",
        )
    return await call_next(request)


def _interfaces(request: ApiRequest) -> list[Any]:
    return list(service_interfaces(account_of(request), request.region))


def _named_groups(group: dict[str, Any]) -> set[str]:
    return {
        pair.get("GroupId")
        for permission in (*group["IpPermissions"], *group["IpPermissionsEgress"])
        for pair in permission.get("UserIdGroupPairs") or []
    }


def _main(table: dict[str, Any]) -> bool:
    return any(entry.get("Main") for entry in table.get("Associations", []))
