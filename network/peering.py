"""The peering of the two VPCs, and the routes that use it."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.pair import Pair
from tapstack.regions import Region


@dataclass(frozen=True)
class PeeredSide:
    """One side of the peering: its VPC, its addresses, and the tables that lead to the other."""

    region: Region
    vpc: aws.ec2.Vpc
    cidr: str
    tables: dict[str, aws.ec2.RouteTable]
    """By purpose, such as ``public``."""


@dataclass(frozen=True)
class VpcPeeringArgs:
    """Who asks for the connection (the primary's side), and who accepts it."""

    sides: Pair[PeeredSide]


class VpcPeering(pulumi.ComponentResource):
    """Requested in the primary region, accepted in the secondary; nothing uses it earlier.

    AWS accepts nothing by itself across regions, so an accepter with the secondary's provider
    does. The DNS options are set on each side once, after acceptance.
    """

    connection_id: pulumi.Output[str]
    """Known once the connection is accepted."""

    def __init__(
        self, name: str, args: VpcPeeringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:network:VpcPeering", name, None, opts)
        requester, accepter = args.sides
        request = aws.ec2.VpcPeeringConnection(
            f"peering-{requester.region.name}",
            vpc_id=requester.vpc.id,
            peer_vpc_id=accepter.vpc.id,
            peer_region=accepter.region.name,
            auto_accept=False,
            tags=requester.region.named("peering"),
            opts=_by(self, requester.region),
        )
        acceptance = aws.ec2.VpcPeeringConnectionAccepter(
            f"peering-{accepter.region.name}",
            vpc_peering_connection_id=request.id,
            auto_accept=True,
            tags=accepter.region.named("peering"),
            opts=_by(self, accepter.region),
        )
        self.connection_id = acceptance.id
        aws.ec2.PeeringConnectionOptions(
            f"peering-options-{requester.region.name}",
            vpc_peering_connection_id=self.connection_id,
            requester={"allow_remote_vpc_dns_resolution": True},
            opts=_by(self, requester.region, acceptance),
        )
        aws.ec2.PeeringConnectionOptions(
            f"peering-options-{accepter.region.name}",
            vpc_peering_connection_id=self.connection_id,
            accepter={"allow_remote_vpc_dns_resolution": True},
            opts=_by(self, accepter.region, acceptance),
        )
        for side, peer in args.sides.zip(args.sides.swapped()):
            for purpose, table in side.tables.items():
                aws.ec2.Route(
                    f"route-{purpose}-peer-{side.region.name}",
                    route_table_id=table.id,
                    destination_cidr_block=peer.cidr,
                    vpc_peering_connection_id=self.connection_id,
                    opts=_by(self, side.region, acceptance),
                )
        self.register_outputs({"connection_id": self.connection_id})


def _by(
    parent: pulumi.Resource, region: Region, *depends_on: pulumi.Resource
) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(
        parent=parent, provider=region.provider, depends_on=list(depends_on)
    )
