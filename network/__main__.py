"""The network layer: both VPCs, the peering between them, and every security group."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from cidr_plan import plan_subnets
from endpoints import InterfaceEndpoints, InterfaceEndpointsArgs, S3Gateway, S3GatewayArgs
from flow_logs import FlowLogs, FlowLogsArgs
from peering import PeeredSide, VpcPeering
from security_groups import SecurityGroups, SecurityGroupsArgs
from subnets import RegionalSubnets, RegionalSubnetsArgs
from tapstack.contracts import NetworkOutputs, RegionalNetwork, export
from tapstack.regions import Pair, Region, both_regions
from tapstack.settings import Settings
from vpc import RegionalVpc, RegionalVpcArgs


def build_region(
    settings: Settings, region: Region, cidrs: Pair[str]
) -> tuple[RegionalNetwork, PeeredSide]:
    """One region's network; ``cidrs`` are its own VPC's and its peer's."""
    account = aws.get_caller_identity_output(opts=pulumi.InvokeOptions(provider=region.provider))
    plan = plan_subnets(cidrs.primary, len(region.zones))
    peer_plan = plan_subnets(cidrs.secondary, len(region.zones))
    vpc = RegionalVpc(RegionalVpcArgs(region=region, cidr=cidrs.primary))
    subnets = RegionalSubnets(
        RegionalSubnetsArgs(
            region=region,
            vpc=vpc.vpc,
            internet_gateway=vpc.internet_gateway,
            plan=plan,
            nat_gateways=settings.network.nat_gateways,
        )
    )
    s3 = S3Gateway(S3GatewayArgs(region=region, vpc=vpc.vpc, route_tables=subnets.private_tables))
    groups = SecurityGroups(
        SecurityGroupsArgs(
            region=region,
            vpc=vpc.vpc,
            serves_https=bool(settings.app.certificate_arns),
            has_nat=settings.network.nat_gateways > 0,
            has_endpoints=settings.network.vpc_endpoints,
            s3_prefix_list_id=s3.prefix_list_id,
            peer_function_cidrs=peer_plan.private,
            peer_database_cidrs=peer_plan.database,
        )
    )
    if groups.endpoints:
        InterfaceEndpoints(
            InterfaceEndpointsArgs(
                region=region,
                vpc=vpc.vpc,
                subnets=subnets.private[: settings.network.endpoint_zones],
                security_group=groups.endpoints,
            )
        )
    FlowLogs(
        FlowLogsArgs(
            region=region,
            vpc=vpc.vpc,
            account_id=account.account_id,
            retention_days=settings.network.flow_log_retention_days,
        )
    )
    outputs = RegionalNetwork(
        vpc_id=vpc.vpc.id,
        vpc_cidr=cidrs.primary,
        availability_zones=list(region.zones),
        public_subnet_ids=_ids(subnets.public),
        private_subnet_ids=_ids(subnets.private),
        database_subnet_ids=_ids(subnets.database),
        public_route_table_ids=_ids([subnets.public_table]),
        private_route_table_ids=_ids(subnets.private_tables),
        load_balancer_security_group_id=groups.load_balancer.id,
        function_security_group_id=groups.function.id,
        database_security_group_id=groups.database.id,
    )
    side = PeeredSide(
        region=region, vpc=vpc.vpc, cidr=cidrs.primary, tables=subnets.tables_with_peer_route
    )
    return outputs, side


def _ids(resources: Sequence[pulumi.CustomResource]) -> pulumi.Output[list[str]]:
    return pulumi.Output.all(*(resource.id for resource in resources))


def main() -> None:
    """Declares the layer."""
    settings = Settings.of_program()
    for warning in settings.warnings():
        pulumi.log.warn(warning)
    cidrs = Pair(settings.network.primary_cidr, settings.network.standby_cidr)
    regions = both_regions(settings)
    primary, requester = build_region(settings, regions.primary, cidrs)
    secondary, accepter = build_region(settings, regions.secondary, cidrs.swapped())
    peering = VpcPeering(Pair(requester, accepter))
    export(
        NetworkOutputs(
            primary=primary,
            secondary=secondary,
            peering_connection_id=peering.connection_id,
        )
    )


main()
