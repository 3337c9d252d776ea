"""One region's VPC, its way to the internet, and its default security group, closed."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.regions import Region


@dataclass(frozen=True)
class RegionalVpcArgs:
    """Where the VPC stands and which addresses it has."""

    region: Region
    cidr: str


class RegionalVpc(pulumi.ComponentResource):
    """A VPC with DNS on and an internet gateway; nothing may use its default group."""

    vpc: aws.ec2.Vpc
    internet_gateway: aws.ec2.InternetGateway

    def __init__(
        self, name: str, args: RegionalVpcArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.region
        super().__init__("warmstandby:network:RegionalVpc", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        self.vpc = aws.ec2.Vpc(
            f"vpc-{region.name}",
            cidr_block=args.cidr,
            # Private DNS names of interface endpoints and of the peer need both.
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=region.named("vpc"),
            opts=here,
        )
        self.internet_gateway = aws.ec2.InternetGateway(
            f"internet-gateway-{region.name}",
            vpc_id=self.vpc.id,
            tags=region.named("internet-gateway"),
            opts=here,
        )
        # Adopts the group that AWS makes with every VPC, and takes its rules away.
        aws.ec2.DefaultSecurityGroup(
            f"securitygroup-default-{region.name}",
            vpc_id=self.vpc.id,
            ingress=[],
            egress=[],
            tags=region.named("securitygroup", "default"),
            opts=here,
        )
        self.register_outputs({"vpc_id": self.vpc.id})
