"""EC2: route tables, routes and their associations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lab.provider.aws import Aws
from lab.provider.declaration import Properties, op
from lab.provider.resource import ResourceType
from lab.provider.types.ec2 import Ec2Type
from pulumi_protocol.values import plain_without_nulls

DESTINATIONS = {
    "destinationCidrBlock": "DestinationCidrBlock",
    "destinationIpv6CidrBlock": "DestinationIpv6CidrBlock",
    "destinationPrefixListId": "DestinationPrefixListId",
}


class RouteTable(Ec2Type):
    """A route table; routes are resources of their own."""

    pulumi_type = "aws:ec2/routeTable:RouteTable"
    inputs = "vpcId"
    creation = op("CreateRouteTable")
    tag_resource = "route-table"
    id = "RouteTable.RouteTableId"
    reading = op("DescribeRouteTables", "RouteTables[0]", RouteTableIds=["{id}"])
    search, found_id = op("DescribeRouteTables", "RouteTables"), "RouteTableId"
    find_keys: ClassVar = {"vpc-id": "vpcId"}
    deletion = op("DeleteRouteTable", RouteTableId="{id}")
    outputs: ClassVar = {
        "arn": "arn:aws:ec2:{region}:{account}:route-table/{id}",
        "ownerId": "{account}",
    }


class Route(ResourceType):
    """One route; its natural key is its table and its destination."""

    pulumi_type = "aws:ec2/route:Route"
    service = "ec2"
    targets = (
        "gatewayId natGatewayId networkInterfaceId transitGatewayId "
        "vpcPeeringConnectionId egressOnlyGatewayId localGatewayId carrierGatewayId"
    )
    inputs = f"routeTableId {' '.join(DESTINATIONS)} {targets}"
    names: ClassVar = {"egressOnlyGatewayId": "EgressOnlyInternetGatewayId"}
    creation = op("CreateRoute")
    updates = (op("ReplaceRoute", only=targets),)
    in_place = targets
    id = "{routeTableId}|{destination}"
    identity = ("routeTableId", *DESTINATIONS)
    reading = op(
        "DescribeRouteTables", "RouteTables[0].Routes[0]", RouteTableIds=["{routeTableId}"]
    )
    create_retry = ("InvalidParameterException", "InvalidVpcPeeringConnectionID.NotFound")
    outputs: ClassVar = {"origin": "Origin", "state": "State"}

    def values(self, aws: Aws, ident: str | None, props: Mapping[str, Any]) -> Properties:
        made = super().values(aws, ident, props)
        made["destination"] = next((props[key] for key in DESTINATIONS if props.get(key)), None)
        return made

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        table, _, destination = ident.partition("|")
        found = self.ask(
            aws, op("DescribeRouteTables", "RouteTables[0]", RouteTableIds=[table]), ident, props
        )
        for route in (found or {}).get("Routes") or []:
            if destination in [route.get(name) for name in DESTINATIONS.values()]:
                return route
        return None

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        self.call(aws, op("ReplaceRoute"), ident, after)

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        parameters = {"RouteTableId": ident.partition("|")[0]}
        for key, name in DESTINATIONS.items():
            if props.get(key):
                parameters[name] = props[key]
        aws.call("ec2", "DeleteRoute", parameters)


class RouteTableAssociation(ResourceType):
    """A subnet's route table."""

    pulumi_type = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    service = "ec2"
    inputs = "routeTableId subnetId gatewayId"
    creation = op("AssociateRouteTable")
    id = "AssociationId"
    identity = ("subnetId", "gatewayId")
    reading = op("DescribeRouteTables", "RouteTables[0].Associations[0]")
    deletion = op("DisassociateRouteTable", AssociationId="{id}")

    def _association(self, aws: Aws, name: str, value: str) -> Properties | None:
        found = aws.call(
            "ec2", "DescribeRouteTables", {"Filters": [{"Name": name, "Values": [value]}]}
        )
        for table in found["RouteTables"]:
            for item in table.get("Associations") or []:
                if value in (item.get("SubnetId"), item.get("GatewayId"),
                             item.get("RouteTableAssociationId")):  # fmt: skip
                    return {"RouteTableId": table["RouteTableId"], **item}
        return None

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        return self._association(aws, "association.route-table-association-id", ident)

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = plain_without_nulls(inputs)
        name = "association.subnet-id" if props.get("subnetId") else "association.gateway-id"
        value = props.get("subnetId") or props.get("gatewayId")
        found = self._association(aws, name, value) if value else None
        if not found or found["RouteTableId"] != props.get("routeTableId"):
            return None
        return found["RouteTableAssociationId"]

    def replaces(self, prop: str) -> bool:
        # pulumi-aws moves an association in place and keeps the new id that AWS gives it; an
        # update of this plugin's can't change an id.
        return True
