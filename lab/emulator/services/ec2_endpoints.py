"""VPC endpoints: groups, policy, private DNS, interfaces and DNS entries read back."""

from __future__ import annotations

import json
from typing import Any

from lab.api import ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.network_interfaces import Interface
from lab.emulator.scope import scope

FULL_ACCESS = json.dumps(
    {
        "Version": "2008-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
    }
)


def install(mending: Mending) -> None:
    """Mends VPC endpoints."""
    mending.mend("ec2", "CreateVpcEndpoint ModifyVpcEndpoint DescribeVpcEndpoints", endpoints)


async def endpoints(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """An endpoint's groups, policy, private DNS, interfaces and DNS entries."""
    from ministack.services import ec2

    given = request.parameters
    response = await call_next(request)
    if not response.ok:
        return response
    with scope(request):
        if request.operation == "ModifyVpcEndpoint":
            _modify_endpoint(ec2._vpc_endpoints[given["VpcEndpointId"]], given)
            return response
        if request.operation == "CreateVpcEndpoint":
            record = ec2._vpc_endpoints[response.result["VpcEndpoint"]["VpcEndpointId"]]
            record["SecurityGroupIds"] = list(given.get("SecurityGroupIds") or [])
            record["PolicyDocument"] = given.get("PolicyDocument") or FULL_ACCESS
            record["PrivateDnsEnabled"] = bool(given.get("PrivateDnsEnabled", False))
            record["CreationTimestamp"] = ec2.time.time()
            if record["VpcEndpointType"] == "Interface" and "PrivateDnsEnabled" not in given:
                record["PrivateDnsEnabled"] = True
        items = response.result.get("VpcEndpoints")
        for item in [response.result["VpcEndpoint"]] if items is None else items:
            _describe_endpoint(item, ec2, request.region)
    return response


def _modify_endpoint(record: dict[str, Any], given: dict[str, Any]) -> None:
    groups = record.setdefault("SecurityGroupIds", [])
    groups += [g for g in given.get("AddSecurityGroupIds") or [] if g not in groups]
    record["SecurityGroupIds"] = [
        g for g in groups if g not in (given.get("RemoveSecurityGroupIds") or [])
    ]
    if "PrivateDnsEnabled" in given:
        record["PrivateDnsEnabled"] = given["PrivateDnsEnabled"]
    if given.get("ResetPolicy"):
        record["PolicyDocument"] = FULL_ACCESS
    elif "PolicyDocument" in given:
        record["PolicyDocument"] = given["PolicyDocument"]


def _describe_endpoint(item: dict[str, Any], ec2: Any, region: str) -> None:
    record = ec2._vpc_endpoints[item["VpcEndpointId"]]
    item["PolicyDocument"] = record.get("PolicyDocument", FULL_ACCESS)
    item["PrivateDnsEnabled"] = record.get("PrivateDnsEnabled", False)
    item["RequesterManaged"] = False
    item["CreationTimestamp"] = record.get("CreationTimestamp", ec2.time.time())
    item["SubnetIds"] = sorted(item.get("SubnetIds") or [])
    item["RouteTableIds"] = sorted(item.get("RouteTableIds") or [])
    if record["VpcEndpointType"] != "Interface":
        return
    item["IpAddressType"] = "ipv4"
    item["DnsOptions"] = {"DnsRecordIpType": "ipv4"}
    item["Groups"] = [
        {"GroupId": group, "GroupName": ec2._security_groups.get(group, {}).get("GroupName", "")}
        for group in record.get("SecurityGroupIds", [])
    ]
    item["NetworkInterfaceIds"] = [
        Interface(item["VpcEndpointId"], subnet, (), "").interface_id
        for subnet in item["SubnetIds"]
    ]
    short = record["ServiceName"].rpartition(".")[2]
    names = [f"{item['VpcEndpointId']}.{short}.{region}.vpce.amazonaws.com"]
    if item["PrivateDnsEnabled"]:
        names.append(f"{short}.{region}.amazonaws.com")
    item["DnsEntries"] = [{"DnsName": name, "HostedZoneId": "Z7HUB22UULQXV"} for name in names]
