"""Automatic recovery: in each region a table and a controller, and what they ask of Route 53."""

from dataclasses import dataclass
from pathlib import Path

import pulumi

from controller_permissions import (
    ControllerPermissionsArgs,
    cluster_arn,
    controller_permissions,
)
from event_network import EventNetwork
from failover_test import FailoverTest, FailoverTestArgs
from health_checks import HealthChecks
from hosted_zone import HostedZone
from monitoring import Monitoring
from parameter_synchronisation import ParameterSynchronisation, ParameterSynchronisationArgs
from readiness_validator import ReadinessValidator, ReadinessValidatorArgs
from recovery_controller import RecoveryController, RecoveryControllerArgs
from recovery_function import Surroundings, recovery_code
from recovery_table import RecoveryTable, RecoveryTableArgs
from tapstack.contracts import DataOutputs, RegionalApp, RegionalData
from tapstack.events import event_bus_name
from tapstack.naming import epoch_parameter, failover_switch_parameter
from tapstack.pair import Pair
from tapstack.regions import Region
from tapstack.settings import Settings
from tapstack.well_known import FAILOVER_TEST, JOURNAL_BUCKET, RECOVERY, SYNCHRONISE, VALIDATE
from witness_records import WitnessRecords, WitnessRecordsArgs

SOURCES = Path(__file__).parent.parent / "lambda_src" / "recovery" / "recovery"


@dataclass(frozen=True)
class RecoveryNetworkArgs:
    """Both regions, and what the layers below and the other components export."""

    regions: Pair[Region]
    account_id: pulumi.Input[str]
    settings: Settings
    data: DataOutputs
    app: Pair[RegionalApp]
    zone: HostedZone
    checks: HealthChecks
    events: EventNetwork
    monitoring: Monitoring


class RecoveryNetwork(pulumi.ComponentResource):
    """A controller in both regions, armed where the reader is; each asks about the *other* one."""

    def __init__(
        self, name: str, args: RecoveryNetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:RecoveryNetwork", name, None, opts)
        self._args = args
        witnesses = WitnessRecords(
            f"witnesses-{args.regions.primary.name}",
            WitnessRecordsArgs(args.regions, args.zone.zone_id, args.settings.fqdn, args.checks),
            args.regions.primary.options(parent=self),
        )
        settings = args.settings
        self._server_name = settings.server_name
        self._name_servers = args.zone.name_servers.apply(",".join)
        code = recovery_code(SOURCES)
        own = args.regions.zip(args.data.both, args.app, witnesses.names.swapped())
        topics = args.monitoring.topics
        rest = topics.zip(
            topics.swapped(), args.monitoring.alarm_names, args.events.regional,
            self._arriving_objects(),
        )  # fmt: skip
        for (region, data, app, witness), (peer, peer_data, peer_app, own_witness), (
            topic, peer_topic, alarms, events, objects_arrive,
        ) in own.zip(own.swapped(), rest):  # fmt: skip
            table = RecoveryTable(
                f"table-{RECOVERY}-{region.name}",
                RecoveryTableArgs(region, data.key_arn),
                region.options(parent=self),
            ).table
            within = Surroundings(
                region=region,
                account_id=args.account_id,
                key_arn=data.key_arn,
                code=code,
                architecture=args.settings.app.architecture,
                log_retention_days=args.settings.app.log_retention_days,
            )
            controller = RecoveryController(
                f"{RECOVERY}-{region.name}",
                RecoveryControllerArgs(
                    within=within,
                    environment={
                        **self._common(region, peer),
                        "RECOVERY_TABLE": table.name,
                        "BUCKET_NAME": data.bucket_name,
                        "JOURNAL_BUCKET": self._journal(region, data),
                        "TOPIC_ARN": topic.topic.arn,
                        "PEER_TOPIC_ARN": peer_topic.topic.arn,
                        "CLUSTER": data.cluster_identifier,
                        "CLUSTER_ARN": cluster_arn(region, args.account_id, data),
                        "PEER_CLUSTER": peer_data.cluster_identifier,
                        "PROBE_FUNCTION": app.called_probe,
                        "LOAD_BALANCER": app.load_balancer_dns_name,
                        "PEER_LOAD_BALANCER": peer_app.load_balancer_dns_name,
                        "READINESS_TOKEN_SECRET_ARN": data.readiness_token_secret_arn,
                        "WITNESS": witness,
                    },
                    statements=controller_permissions(
                        ControllerPermissionsArgs(
                            regions=Pair(region, peer),
                            account_id=args.account_id,
                            data=Pair(data, peer_data),
                            app=app,
                            journal_bucket=self._journal(region, data),
                            global_cluster_id=args.data.global_cluster_id,
                            table_arn=table.arn,
                            topic_arns=Pair(topic.topic.arn, peer_topic.topic.arn),
                            switch_region=args.regions.secondary,
                        )
                    ),
                ),
                region.options(parent=self),
            )
            ParameterSynchronisation(
                f"{SYNCHRONISE}-{region.name}",
                ParameterSynchronisationArgs(
                    within, peer, Pair(data, peer_data), args.data.global_cluster_id, table
                ),
                region.options(parent=self),
            )
            FailoverTest(
                f"{FAILOVER_TEST}-{region.name}",
                FailoverTestArgs(
                    within,
                    Pair(app, peer_app),
                    self._server_name,
                    self._name_servers,
                    Pair(witness, own_witness),
                    args.settings.global_.failover_test_days,
                ),
                region.options(parent=self),
            )
            ReadinessValidator(
                f"{VALIDATE}-{region.name}",
                ReadinessValidatorArgs(
                    within=within,
                    peer=peer,
                    data=Pair(data, peer_data),
                    app=Pair(app, peer_app),
                    global_cluster_id=args.data.global_cluster_id,
                    server_name=self._server_name,
                    name_servers=self._name_servers,
                    witness=witness,
                    switch_region=args.regions.secondary.name,
                    objects_arrive=objects_arrive,
                    table=table,
                    topic=topic.topic,
                    bus=events.bus.bus,
                    alarms=alarms,
                    controller_role=controller.role,
                ),
                region.options(parent=self),
            )
        self.register_outputs({})

    def _journal(self, region: Region, data: RegionalData) -> pulumi.Input[str]:
        """The name of the bucket of locked entries, which ``data`` makes; without one the content's
        bucket takes them."""
        locks = self._args.settings.data.journal_lock_days
        return region.physical_name("bucket", JOURNAL_BUCKET) if locks else data.bucket_name

    def _arriving_objects(self) -> Pair[bool]:
        """Whether objects are replicated into each region."""
        return Pair(self._args.settings.data.bidirectional_replication, True)

    def _common(self, region: Region, peer: Region) -> dict[str, pulumi.Input[str]]:
        """What settings and names say, without any resource of a region."""
        args, settings = self._args, self._args.settings
        standby = args.regions.secondary
        return {
            "ENVIRONMENT": settings.environment,
            "ENVIRONMENT_SUFFIX": region.suffix,
            "PEER_REGION": peer.name,
            "RECOVERY_MODE": settings.global_.recovery_mode,
            "LAG_LIMIT_SECONDS": str(settings.global_.recovery_lag_limit_seconds),
            "ACCEPTED_BY": settings.global_.accepted_by,
            "PEER_INSTANCES": str(settings.data.instances_per_region),
            "GLOBAL_CLUSTER": args.data.global_cluster_id,
            "EVENT_BUS_NAME": event_bus_name(region.name, region.suffix),
            "SERVER_NAME": self._server_name,
            "NAME_SERVERS": self._name_servers,
            # us-west-2's promotion sends traffic there for good; us-east-1's takes it back.
            "SWITCH_POSITION": "released" if region.is_primary else "engaged",
            "SWITCH_REGION": standby.name,
            "FAILOVER_SWITCH_PARAMETER": failover_switch_parameter(standby.name, standby.suffix),
            "EPOCH_PARAMETER": epoch_parameter(region.name, region.suffix),
            "PEER_EPOCH_PARAMETER": epoch_parameter(peer.name, peer.suffix),
        }
