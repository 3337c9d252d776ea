"""One region's subnets and route tables: public, private for functions, private for databases."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from cidr_plan import ANYWHERE, SubnetPlan
from tapstack.regions import Region


@dataclass(frozen=True)
class RegionalSubnetsArgs:
    """The VPC to cut, by plan, and how many NAT gateways lead out of its private subnets."""

    region: Region
    vpc: aws.ec2.Vpc
    internet_gateway: aws.ec2.InternetGateway
    plan: SubnetPlan
    nat_gateways: int
    """0, 1 (shared by the zones) or 3 (one a zone)."""


class RegionalSubnets(pulumi.ComponentResource):
    """Three tiers over the region's zones.

    Public subnets share a route table. Each zone's private subnet has its own, so that three NAT
    gateways make three zones that don't depend on each other. Database subnets share one that has
    no way out.
    """

    public: list[aws.ec2.Subnet]
    private: list[aws.ec2.Subnet]
    database: list[aws.ec2.Subnet]
    public_table: aws.ec2.RouteTable
    private_tables: list[aws.ec2.RouteTable]
    database_table: aws.ec2.RouteTable

    def __init__(
        self, name: str, args: RegionalSubnetsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.region
        super().__init__("warmstandby:network:RegionalSubnets", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        letters = [zone[-1] for zone in region.zones]

        def subnets(tier: str, cidrs: tuple[str, ...]) -> list[aws.ec2.Subnet]:
            return [
                aws.ec2.Subnet(
                    f"subnet-{tier}-{letter}-{region.name}",
                    vpc_id=args.vpc.id,
                    cidr_block=cidr,
                    availability_zone=zone,
                    # Load balancers bring their own addresses; nothing else belongs in public.
                    map_public_ip_on_launch=False,
                    tags=region.named("subnet", f"{tier}-{letter}"),
                    opts=here,
                )
                for letter, zone, cidr in zip(letters, region.zones, cidrs, strict=True)
            ]

        def table(purpose: str) -> aws.ec2.RouteTable:
            return aws.ec2.RouteTable(
                f"route-table-{purpose}-{region.name}",
                vpc_id=args.vpc.id,
                tags=region.named("route-table", purpose),
                opts=here,
            )

        def associate(purpose: str, subnet: aws.ec2.Subnet, table: aws.ec2.RouteTable) -> None:
            aws.ec2.RouteTableAssociation(
                f"route-table-association-{purpose}-{region.name}",
                subnet_id=subnet.id,
                route_table_id=table.id,
                opts=here,
            )

        self.public = subnets("public", args.plan.public)
        self.private = subnets("private", args.plan.private)
        self.database = subnets("database", args.plan.database)

        self.public_table = table("public")
        aws.ec2.Route(
            f"route-public-internet-{region.name}",
            route_table_id=self.public_table.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=args.internet_gateway.id,
            opts=here,
        )
        for letter, subnet in zip(letters, self.public, strict=True):
            associate(f"public-{letter}", subnet, self.public_table)

        self.private_tables = [table(f"private-{letter}") for letter in letters]
        for letter, subnet, own in zip(letters, self.private, self.private_tables, strict=True):
            associate(f"private-{letter}", subnet, own)

        self.database_table = table("database")
        for letter, subnet in zip(letters, self.database, strict=True):
            associate(f"database-{letter}", subnet, self.database_table)

        gateways = []
        self.nat_addresses = []
        public = list(zip(letters, self.public, strict=True))
        for letter, subnet in public[: args.nat_gateways]:
            address = aws.ec2.Eip(
                f"nat-address-{letter}-{region.name}",
                domain="vpc",
                tags=region.named("nat-address", letter),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[args.internet_gateway]),
            )
            self.nat_addresses.append(address.public_ip)
            gateways.append(
                aws.ec2.NatGateway(
                    f"nat-gateway-{letter}-{region.name}",
                    allocation_id=address.id,
                    subnet_id=subnet.id,
                    tags=region.named("nat-gateway", letter),
                    # AWS asks for the internet gateway before the NAT gateway.
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[args.internet_gateway]),
                )
            )
        if gateways:
            for index, (letter, own) in enumerate(zip(letters, self.private_tables, strict=True)):
                aws.ec2.Route(
                    f"route-private-{letter}-internet-{region.name}",
                    route_table_id=own.id,
                    destination_cidr_block=ANYWHERE,
                    nat_gateway_id=gateways[index % len(gateways)].id,
                    opts=here,
                )
        self.register_outputs({})

    @property
    def tables_with_peer_route(self) -> dict[str, aws.ec2.RouteTable]:
        """Every route table by purpose: all of them lead to the peer region."""
        private = enumerate(self.private_tables, start=1)
        return {
            "public": self.public_table,
            **{f"private-{number}": table for number, table in private},
            "database": self.database_table,
        }
