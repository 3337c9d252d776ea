"""The service of one region: its function, what calls it, and the load balancer before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

import function_environment
import policy_statements as statements
from emergency_export import EmergencyExport, EmergencyExportArgs
from failed_events import FailedEventsQueue, FailedEventsQueueArgs
from function_environment import Database
from function_role import FunctionRole, FunctionRoleArgs
from load_balancer import LoadBalancer, LoadBalancerArgs
from node_function import FunctionNames, NodeFunction, NodeFunctionArgs
from outbox import drain_outbox
from probe import Probe, ProbeArgs
from release import Release, keep_held
from tapstack.app_settings import AppSettings
from tapstack.contracts import RegionalApp, RegionalData, RegionalNetwork
from tapstack.events import consume_queue_arn, event_bus_arn
from tapstack.naming import failover_switch_parameter
from tapstack.policies import Statement, allow, parameter_arn
from tapstack.regions import Region
from tapstack.well_known import API_FUNCTION, ATTACHMENTS_PREFIX, FAILED_EVENTS


@dataclass(frozen=True)
class RegionalServiceArgs:
    """Identical for both regions but for the region and its ARNs (R2.1)."""

    region: Region
    peer: Region
    settings: AppSettings
    account_id: pulumi.Input[str]
    network: RegionalNetwork
    data: RegionalData
    peer_data: RegionalData
    database: Database
    code: pulumi.Input[pulumi.Archive]
    release: Release
    after: Sequence[pulumi.Resource]
    """What must be done before new code runs: the migration; in the primary region the gate."""


class RegionalService(pulumi.ComponentResource):
    """Used twice. ``outputs`` is what the other layers read of it; ``api`` and ``probe`` are called
    by their aliases."""

    outputs: RegionalApp
    api: NodeFunction
    probe: Probe

    def __init__(
        self, name: str, args: RegionalServiceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:app:RegionalService", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        region = args.region
        failed_events = FailedEventsQueue(
            f"queue-{FAILED_EVENTS}-{region.name}",
            FailedEventsQueueArgs(region, args.data.key_arn),
            child,
        )
        role = FunctionRole(
            f"role-{API_FUNCTION}-{region.name}",
            FunctionRoleArgs(
                region=region,
                purpose=API_FUNCTION,
                statements=_permissions(args, failed_events.queue.arn),
            ),
            child,
        )
        self.api = api = NodeFunction(
            f"function-{API_FUNCTION}-{region.name}",
            NodeFunctionArgs(
                region=region,
                purpose=API_FUNCTION,
                description="The application: records, events, health",
                handler="index.handler",
                timeout_seconds=args.settings.timeout_seconds,
                settings=args.settings,
                network=args.network,
                key_arn=args.data.key_arn,
                role=role,
                code=args.code,
                environment=function_environment.service(
                    region, args.database, args.data, args.peer, args.peer_data
                ),
                release=args.release,
                after=args.after,
            ),
            child,
        )
        failed_events.receive_from(f"{FAILED_EVENTS}-{region.name}", api.alias)
        drain_outbox(region, args.account_id, api.alias, child)
        EmergencyExport(
            f"emergency-{region.name}",
            EmergencyExportArgs(
                region=region,
                settings=args.settings,
                account_id=args.account_id,
                network=args.network,
                data=args.data,
                database=args.database,
                code=args.code,
                after=args.after,
            ),
            child,
        )
        self.probe = probe = Probe(
            f"probe-{region.name}",
            ProbeArgs(
                region=region,
                peer=args.peer,
                settings=args.settings,
                account_id=args.account_id,
                network=args.network,
                data=args.data,
                database=args.database,
                code=args.code,
                release=args.release,
                after=args.after,
            ),
            child,
        )
        keep_held(region, child)
        balancer = LoadBalancer(
            f"app-{region.name}",
            LoadBalancerArgs(
                region=region,
                settings=args.settings,
                network=args.network,
                access_log_bucket_name=args.data.access_log_bucket_name,
                function=api.alias,
            ),
            child,
        )
        self.outputs = RegionalApp(
            load_balancer_dns_name=balancer.balancer.dns_name,
            load_balancer_zone_id=balancer.balancer.zone_id,
            load_balancer_arn_suffix=balancer.balancer.arn_suffix,
            target_group_arn_suffix=balancer.target_group.arn_suffix,
            function_name=api.function.name,
            function_arn=api.alias.arn,
            log_group_name=api.log_group.name,
            probe_function_name=probe.function.name,
            probe_function_arn=probe.alias.arn,
        )
        self.register_outputs({"load_balancer_dns_name": balancer.balancer.dns_name})


def _permissions(
    args: RegionalServiceArgs, failed_events_arn: pulumi.Input[str]
) -> list[Statement]:
    """What the service may do, each statement scoped to this region's own things."""
    region = args.region
    names = FunctionNames.of(region, API_FUNCTION, args.account_id)
    account_id = pulumi.Output.from_input(args.account_id)
    bus_arn = account_id.apply(lambda account: event_bus_arn(region.name, region.suffix, account))
    events_arn = account_id.apply(
        lambda account: consume_queue_arn(region.name, region.suffix, account)
    )
    granted = [
        *statements.network_interfaces(names.function_arn),
        *statements.of_each_function(names.log_group_arn, args.data.key_arn),
        statements.read_secret("ApplicationSecret", args.data.application_secret_arn),
        statements.read_secret("ReadinessToken", args.data.readiness_token_secret_arn),
        statements.read_epochs((region, args.peer), args.account_id),
        allow("Bus", ["events:PutEvents", "events:DescribeEventBus"], [bus_arn]),
        allow(
            "Attachments",
            # Read: whether it is replicated, for who asked for two regions (HeadObject).
            ["s3:GetObject", "s3:PutObject"],
            [pulumi.Output.concat(args.data.bucket_arn, f"/{ATTACHMENTS_PREFIX}*")],
        ),
        allow("Events", statements.RECEIVE_ACTIONS, [events_arn]),
        allow("FailedEvents", ["sqs:SendMessage"], [failed_events_arn]),
    ]
    if region.is_primary:
        return granted
    # Only the standby serves the failover switch.
    switch_arn = parameter_arn(
        region.name, args.account_id, failover_switch_parameter(region.name, region.suffix)
    )
    return [*granted, allow("FailoverSwitch", ["ssm:GetParameter"], [switch_arn])]
