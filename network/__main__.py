"""The network layer: both VPCs, the peering between them, and every security group."""

from collections.abc import Sequence

import pulumi

from cidr_plan import plan_subnets
from endpoints import InterfaceEndpoints, InterfaceEndpointsArgs, S3Gateway, S3GatewayArgs
from flow_logs import FlowLogs, FlowLogsArgs
from peering import PeeredSide, VpcPeering, VpcPeeringArgs
from security_groups import SecurityGroups, SecurityGroupsArgs
from subnets import RegionalSubnets, RegionalSubnetsArgs
from tapstack.contracts import NetworkOutputs, RegionalNetwork, export
from tapstack.pair import Pair
from tapstack.regions import account_id, both_regions
from tapstack.settings import Settings
from vpc import RegionalVpc, RegionalVpcArgs


def ids(resources: Sequence[pulumi.CustomResource]) -> pulumi.Output[list[str]]:
    """The resources' ids, in order."""
    return pulumi.Output.all(*(resource.id for resource in resources))


settings = Settings.of_program()
for warning in settings.warnings():
    pulumi.log.warn(warning)
regions = both_regions(settings)
account = account_id(settings, regions)
cidrs = Pair(settings.network.primary_cidr, settings.network.standby_cidr)
plans = Pair.of(plan_subnets(cidr, len(region.zones)) for region, cidr in regions.zip(cidrs))

vpcs = Pair.of(
    RegionalVpc(f"vpc-{region.name}", RegionalVpcArgs(region=region, cidr=cidr), region.options())
    for region, cidr in regions.zip(cidrs)
)
subnets = Pair.of(
    RegionalSubnets(
        f"subnets-{region.name}",
        RegionalSubnetsArgs(
            region=region,
            vpc=vpc.vpc,
            internet_gateway=vpc.internet_gateway,
            plan=plan,
            nat_gateways=settings.network.nat_gateways,
        ),
        region.options(),
    )
    for region, vpc, plan in regions.zip(vpcs, plans)
)
s3_gateways = Pair.of(
    S3Gateway(
        f"s3-gateway-{region.name}",
        S3GatewayArgs(
            region=region, account_id=account, vpc=vpc.vpc, route_tables=own.private_tables
        ),
        region.options(),
    )
    for region, vpc, own in regions.zip(vpcs, subnets)
)
groups = Pair.of(
    SecurityGroups(
        f"security-groups-{region.name}",
        SecurityGroupsArgs(
            region=region,
            vpc=vpc.vpc,
            serves_https=bool(settings.app.certificate_arns),
            has_nat=settings.network.nat_gateways > 0,
            has_endpoints=settings.network.vpc_endpoints,
            s3_prefix_list_id=s3_gateway.prefix_list_id,
            peer_function_cidrs=peer_plan.private,
            peer_database_cidrs=peer_plan.database,
        ),
        region.options(),
    )
    for region, vpc, s3_gateway, peer_plan in regions.zip(vpcs, s3_gateways, plans.swapped())
)
for region, vpc, own, group in regions.zip(vpcs, subnets, groups):
    if group.endpoints:
        InterfaceEndpoints(
            f"interface-endpoints-{region.name}",
            InterfaceEndpointsArgs(
                region=region,
                account_id=account,
                vpc=vpc.vpc,
                subnets=own.private[: settings.network.endpoint_zones],
                security_group=group.endpoints,
            ),
            region.options(),
        )
for region, vpc in regions.zip(vpcs):
    FlowLogs(
        f"flow-logs-{region.name}",
        FlowLogsArgs(
            region=region,
            vpc=vpc.vpc,
            account_id=account,
            retention_days=settings.network.flow_log_retention_days,
        ),
        region.options(),
    )
peering = VpcPeering(
    "peering",
    VpcPeeringArgs(
        Pair.of(
            PeeredSide(region=region, vpc=vpc.vpc, cidr=cidr, tables=own.tables_with_peer_route)
            for region, vpc, cidr, own in regions.zip(vpcs, cidrs, subnets)
        )
    ),
    regions.primary.options(),
)

networks = Pair.of(
    RegionalNetwork(
        vpc_id=vpc.vpc.id,
        vpc_cidr=cidr,
        availability_zones=list(region.zones),
        public_subnet_ids=ids(own.public),
        private_subnet_ids=ids(own.private),
        database_subnet_ids=ids(own.database),
        public_route_table_ids=ids([own.public_table]),
        private_route_table_ids=ids(own.private_tables),
        load_balancer_security_group_id=group.load_balancer.id,
        function_security_group_id=group.function.id,
        database_security_group_id=group.database.id,
        egress_addresses=pulumi.Output.all(*own.nat_addresses).apply(list),
    )
    for region, vpc, cidr, own, group in regions.zip(vpcs, cidrs, subnets, groups)
)
export(
    NetworkOutputs(
        primary=networks.primary,
        secondary=networks.secondary,
        peering_connection_id=peering.connection_id,
    )
)
