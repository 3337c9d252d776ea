"""VPC endpoints: S3's gateway, always; interface endpoints for what functions in the VPC call.

Each has a policy. AWS's default lets anybody's credentials reach anybody's resources through it: a
way out for patient data that no security group closes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.endpoint_services import INTERFACE_SERVICES
from tapstack.policies import document
from tapstack.regions import Region
from tapstack.well_known import CONTENT_BUCKET


@dataclass(frozen=True)
class S3GatewayArgs:
    """The VPC, and the route tables whose subnets reach S3 without leaving AWS's network."""

    region: Region
    account_id: pulumi.Input[str]
    vpc: aws.ec2.Vpc
    route_tables: Sequence[aws.ec2.RouteTable]


class S3Gateway(pulumi.ComponentResource):
    """The gateway endpoint of S3: free of charge, so it's always there."""

    prefix_list_id: pulumi.Output[str]

    def __init__(
        self, name: str, args: S3GatewayArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.region
        super().__init__("warmstandby:network:S3Gateway", name, None, opts)
        endpoint = aws.ec2.VpcEndpoint(
            f"endpoint-s3-{region.name}",
            vpc_id=args.vpc.id,
            service_name=f"com.amazonaws.{region.name}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in args.route_tables],
            policy=document(
                _own(
                    ["s3:GetObject", "s3:PutObject"],
                    [f"arn:aws:s3:::{region.physical_name('bucket', CONTENT_BUCKET)}/*"],
                    args.account_id,
                )
            ),
            tags=region.named("endpoint", "s3"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.prefix_list_id = endpoint.prefix_list_id
        self.register_outputs({"prefix_list_id": self.prefix_list_id})


@dataclass(frozen=True)
class InterfaceEndpointsArgs:
    """The subnets that the endpoints stand in, one a zone, and who may reach them."""

    region: Region
    account_id: pulumi.Input[str]
    vpc: aws.ec2.Vpc
    subnets: Sequence[aws.ec2.Subnet]
    security_group: aws.ec2.SecurityGroup


class InterfaceEndpoints(pulumi.ComponentResource):
    """One interface endpoint a service that functions in the VPC call."""

    def __init__(
        self, name: str, args: InterfaceEndpointsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.region
        super().__init__("warmstandby:network:InterfaceEndpoints", name, None, opts)
        for service, called in INTERFACE_SERVICES.items():
            aws.ec2.VpcEndpoint(
                f"endpoint-{service}-{region.name}",
                vpc_id=args.vpc.id,
                service_name=f"com.amazonaws.{region.name}.{service}",
                vpc_endpoint_type="Interface",
                subnet_ids=[subnet.id for subnet in args.subnets],
                security_group_ids=[args.security_group.id],
                private_dns_enabled=True,
                policy=document(
                    _own(
                        called.actions,
                        [
                            pulumi.Output.from_input(args.account_id).apply(
                                lambda account, service=service, called=called: called.arn(
                                    service, region.name, region.suffix, account
                                )
                            )
                        ],
                        args.account_id,
                    )
                ),
                tags=region.named("endpoint", service),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def _own(
    actions: Sequence[str], resources: Sequence[pulumi.Input[str]], account_id: pulumi.Input[str]
) -> dict[str, object]:
    """What our functions call, on what is ours, by this account's credentials alone."""
    return {
        "Sid": "OwnAccount",
        "Effect": "Allow",
        "Principal": "*",
        "Action": list(actions),
        "Resource": list(resources),
        "Condition": {"StringEquals": {"aws:PrincipalAccount": account_id}},
    }
