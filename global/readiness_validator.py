"""One region's validator: proves every five minutes that a failover would work."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from marker_arrivals import MarkerArrivals, MarkerArrivalsArgs
from recovery_function import RecoveryFunction, RecoveryFunctionArgs, Surroundings
from tapstack.contracts import RegionalApp, RegionalData
from tapstack.events import event_bus_name
from tapstack.pair import Pair
from tapstack.regions import Region
from tapstack.well_known import VALIDATE
from validator_permissions import ValidatorPermissionsArgs, validator_permissions

HANDLER = "recovery.validator.handler"
TIMEOUT_SECONDS = 30
"""A run takes a few seconds; where the writer is silent the database's probe takes 12."""


@dataclass(frozen=True)
class ReadinessValidatorArgs:
    """The own region first in each pair; the controller's things, and what must notify."""

    within: Surroundings
    peer: Region
    data: Pair[RegionalData]
    app: Pair[RegionalApp]
    global_cluster_id: pulumi.Input[str]
    server_name: str
    name_servers: pulumi.Input[str]
    witness: str
    switch_region: str
    objects_arrive: bool
    table: aws.dynamodb.Table
    topic: aws.sns.Topic
    bus: aws.cloudwatch.EventBus
    alarms: Sequence[str]
    controller_role: aws.iam.Role


class ReadinessValidator(pulumi.ComponentResource):
    """On demand: ``aws lambda invoke`` of its function, with any payload."""

    def __init__(
        self, name: str, args: ReadinessValidatorArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:ReadinessValidator", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        region, peer = args.within.region, args.peer
        data, peer_data = args.data
        app, peer_app = args.app
        markers = MarkerArrivals(
            f"markers-{region.name}",
            MarkerArrivalsArgs(region, peer, args.bus, data.key_arn),
            here,
        )
        # The data layer's, by its agreed name.
        vault = region.physical_name("backup-vault")
        RecoveryFunction(
            name,
            RecoveryFunctionArgs(
                within=args.within,
                purpose=VALIDATE,
                description="Proves every five minutes that a failover would work",
                handler=HANDLER,
                timeout_seconds=TIMEOUT_SECONDS,
                environment={
                    "PEER_REGION": peer.name,
                    "ENVIRONMENT_SUFFIX": region.suffix,
                    "ACCOUNT_ID": args.within.account_id,
                    "RECOVERY_TABLE": args.table.name,
                    "TOPIC_ARN": args.topic.arn,
                    "GLOBAL_CLUSTER": args.global_cluster_id,
                    "CLUSTER": data.cluster_identifier,
                    "PEER_CLUSTER": peer_data.cluster_identifier,
                    "PROBE_FUNCTION": app.called_probe,
                    "LOAD_BALANCER": app.load_balancer_dns_name,
                    "PEER_LOAD_BALANCER": peer_app.load_balancer_dns_name,
                    "SERVER_NAME": args.server_name,
                    "SECRETS": _secrets(data),
                    "PEER_SECRETS": _secrets(peer_data),
                    "NAME_SERVERS": args.name_servers,
                    "WITNESS": args.witness,
                    "BUCKET_NAME": data.bucket_name,
                    "PEER_BUCKET_NAME": peer_data.bucket_name,
                    "OBJECTS_ARRIVE": str(args.objects_arrive).lower(),
                    "PEER_EVENT_BUS_NAME": event_bus_name(peer.name, peer.suffix),
                    "MARKER_QUEUE_URL": markers.queue.url,
                    "BACKUP_VAULT": vault,
                    "ALARMS": ",".join(args.alarms),
                    "CONTROLLER_ROLE_ARN": args.controller_role.arn,
                    "SWITCH_REGION": args.switch_region,
                },
                statements=validator_permissions(
                    ValidatorPermissionsArgs(
                        regions=Pair(region, peer),
                        account_id=args.within.account_id,
                        data=args.data,
                        app=app,
                        table_arn=args.table.arn,
                        topic_arn=args.topic.arn,
                        controller_role_arn=args.controller_role.arn,
                        marker_queue_arn=markers.queue.arn,
                        vault=vault,
                    )
                ),
                schedule="rate(5 minutes)",
            ),
            here,
        )
        self.register_outputs({})


def _secrets(data: RegionalData) -> pulumi.Output[str]:
    """The readiness token's first; the other region's are the same ones in the same order."""
    return pulumi.Output.concat(data.readiness_token_secret_arn, ",", data.application_secret_arn)
