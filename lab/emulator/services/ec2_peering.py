"""VPC peering: both sides' CIDR blocks and DNS options."""

from __future__ import annotations

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending


def install(mending: Mending) -> None:
    """Mends VPC peering."""
    mending.mend("ec2", "ModifyVpcPeeringConnectionOptions", options)
    mending.mend(
        "ec2",
        "CreateVpcPeeringConnection AcceptVpcPeeringConnection DescribeVpcPeeringConnections",
        peering,
    )


async def options(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """DNS resolution across the peering: each side sets its own, once it is active."""
    from ministack.services import ec2

    given = request.parameters
    name = given["VpcPeeringConnectionId"]
    records = [r for key, r in ec2._vpc_peering._data.items() if key[-1] == name]
    if not records:
        raise ApiRefusal(
            "InvalidVpcPeeringConnectionID.NotFound",
            f"The vpcPeeringConnection ID '{name}' does not exist",
        )
    if records[0]["Status"]["Code"] != "active":
        raise ApiRefusal(
            "OperationNotPermitted",
            f"Peering {name} is not active. Peering options can be added only to active peerings.",
        )
    result = {}
    for side, info in (
        ("RequesterPeeringConnectionOptions", "RequesterVpcInfo"),
        ("AccepterPeeringConnectionOptions", "AccepterVpcInfo"),
    ):
        if side not in given:
            continue
        if records[0][info]["Region"] != request.region:
            raise ApiRefusal(
                "OperationNotPermitted",
                f"{side} of {name} can only be modified from {records[0][info]['Region']}",
            )
        for record in records:
            record[info]["PeeringOptions"] = dict(given[side])
        result[side] = given[side]
    return ApiResponse(result)


async def peering(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """The CIDR blocks and options of both sides."""
    from ministack.services import ec2

    response = await call_next(request)
    if not response.ok:
        return response
    vpcs = {key[-1]: vpc for key, vpc in ec2._vpcs._data.items()}
    items = response.result.get("VpcPeeringConnections")
    if items is None:
        items = [response.result["VpcPeeringConnection"]]
    for item in items:
        name = item["VpcPeeringConnectionId"]
        record = next(r for key, r in ec2._vpc_peering._data.items() if key[-1] == name)
        for side in ("RequesterVpcInfo", "AccepterVpcInfo"):
            info = item[side]
            if vpc := vpcs.get(info["VpcId"]):
                info["CidrBlock"] = vpc["CidrBlock"]
                info["CidrBlockSet"] = [{"CidrBlock": vpc["CidrBlock"]}]
            if record["Status"]["Code"] == "active":
                info["PeeringOptions"] = {
                    "AllowDnsResolutionFromRemoteVpc": False,
                    "AllowEgressFromLocalClassicLinkToRemoteVpc": False,
                    "AllowEgressFromLocalVpcToRemoteClassicLink": False,
                } | record[side].get("PeeringOptions", {})
    return response
