"""All security groups of a region, in one place to audit.

Groups refer to each other inside a region; across the peering AWS knows only addresses, so the
peer's subnets stand in for its groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from cidr_plan import ANYWHERE
from tapstack.regions import Region
from tapstack.well_known import DATABASE_PORT

HTTP, HTTPS = 80, 443


@dataclass(frozen=True)
class SecurityGroupsArgs:
    """What the groups of a region have to know of it and of its peer."""

    region: Region
    vpc: aws.ec2.Vpc
    serves_https: bool
    """Whether certificates are configured, so that 443 opens."""
    has_nat: bool
    """Whether functions reach AWS's APIs through NAT; otherwise only through endpoints."""
    has_endpoints: bool
    s3_prefix_list_id: pulumi.Input[str]
    """The addresses of S3 in this region, which the gateway endpoint routes."""
    peer_function_cidrs: Sequence[str]
    peer_database_cidrs: Sequence[str]


class SecurityGroups(pulumi.ComponentResource):
    """Load balancer, function, database and (with interface endpoints) endpoints."""

    load_balancer: aws.ec2.SecurityGroup
    function: aws.ec2.SecurityGroup
    database: aws.ec2.SecurityGroup
    endpoints: aws.ec2.SecurityGroup | None

    def __init__(
        self, name: str, args: SecurityGroupsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.region
        super().__init__("warmstandby:network:SecurityGroups", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)

        def group(purpose: str, description: str) -> aws.ec2.SecurityGroup:
            return aws.ec2.SecurityGroup(
                f"securitygroup-{purpose}-{region.name}",
                name=region.physical_name("securitygroup", purpose),
                description=description,
                vpc_id=args.vpc.id,
                tags=region.named("securitygroup", purpose),
                opts=here,
            )

        def allow_in(
            rule: str,
            into: aws.ec2.SecurityGroup,
            port: int,
            description: str,
            *,
            cidr: str | None = None,
            group: aws.ec2.SecurityGroup | None = None,
        ) -> None:
            aws.vpc.SecurityGroupIngressRule(
                f"{rule}-{region.name}",
                security_group_id=into.id,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                description=description,
                cidr_ipv4=cidr,
                referenced_security_group_id=group.id if group else None,
                opts=here,
            )

        def allow_out(
            rule: str,
            port: int,
            description: str,
            *,
            cidr: str | None = None,
            group: aws.ec2.SecurityGroup | None = None,
            prefix_list: pulumi.Input[str] | None = None,
        ) -> None:
            aws.vpc.SecurityGroupEgressRule(
                f"{rule}-{region.name}",
                security_group_id=self.function.id,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                description=description,
                cidr_ipv4=cidr,
                referenced_security_group_id=group.id if group else None,
                prefix_list_id=prefix_list,
                opts=here,
            )

        # No way out: a load balancer calls functions through AWS's own network, not from its VPC.
        self.load_balancer = group("load-balancer", "Load balancer: HTTP from the internet")
        self.function = group("function", "Functions: to the databases and to AWS APIs")
        self.database = group("database", "Databases: PostgreSQL from the functions")
        self.endpoints = (
            group("endpoints", "Interface endpoints: HTTPS from the functions")
            if args.has_endpoints
            else None
        )

        allow_in(
            "load-balancer-from-internet-http",
            self.load_balancer,
            HTTP,
            "HTTP from the internet",
            cidr=ANYWHERE,
        )
        if args.serves_https:
            allow_in(
                "load-balancer-from-internet-https",
                self.load_balancer,
                HTTPS,
                "HTTPS from the internet",
                cidr=ANYWHERE,
            )

        allow_in(
            "database-from-function",
            self.database,
            DATABASE_PORT,
            "PostgreSQL from the functions of this region",
            group=self.function,
        )
        allow_out(
            "function-to-database",
            DATABASE_PORT,
            "PostgreSQL to the database of this region",
            group=self.database,
        )
        # The writer moves between the regions, so each side's functions reach both databases.
        for index, cidr in enumerate(args.peer_function_cidrs, start=1):
            allow_in(
                f"database-from-peer-function-{index}",
                self.database,
                DATABASE_PORT,
                "PostgreSQL from a function subnet of the peer region",
                cidr=cidr,
            )
        for index, cidr in enumerate(args.peer_database_cidrs, start=1):
            allow_out(
                f"function-to-peer-database-{index}",
                DATABASE_PORT,
                "PostgreSQL to a database subnet of the peer region",
                cidr=cidr,
            )

        if args.has_nat:
            allow_out("function-to-aws-apis", HTTPS, "HTTPS to AWS APIs through NAT", cidr=ANYWHERE)
        else:
            allow_out(
                "function-to-s3",
                HTTPS,
                "HTTPS to S3 through its gateway endpoint",
                prefix_list=args.s3_prefix_list_id,
            )
        if self.endpoints:
            allow_in(
                "endpoints-from-function",
                self.endpoints,
                HTTPS,
                "HTTPS from the functions",
                group=self.function,
            )
            if not args.has_nat:
                allow_out(
                    "function-to-endpoints",
                    HTTPS,
                    "HTTPS to the interface endpoints",
                    group=self.endpoints,
                )
        self.register_outputs({})
