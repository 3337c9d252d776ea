"""What is watched in one region, and the alarms that follow from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

import alarm_specs
from alarm_specs import AlarmSpec
from cloudwatch_metrics import ReplicationRule
from tapstack.contracts import RegionalApp
from tapstack.regions import Region

Text = pulumi.Input[str]


@dataclass(frozen=True)
class WatchedRegion:
    """Everything of one region that alarms and dashboard show."""

    region: Region
    app: RegionalApp
    cluster_identifier: Text
    most_connections: int
    """Above it the maximum is near."""
    bus_name: Text
    forward_rule_name: Text
    dead_letter_queues: Mapping[str, Text]
    """Purpose of the alarm → name of the queue."""
    received: Sequence[ReplicationRule]
    """S3 replication into this region's bucket."""
    sent: Sequence[ReplicationRule]
    """S3 replication out of it."""
    certificate_arn: str
    """Empty without HTTPS."""


def alarms_of(watched: WatchedRegion) -> list[AlarmSpec]:
    """The alarms that both regions have."""
    return [
        *alarm_specs.application(watched.app),
        *alarm_specs.database(watched.cluster_identifier, watched.most_connections),
        *alarm_specs.replication_lag(
            watched.cluster_identifier, is_primary=watched.region.is_primary
        ),
        *(spec for rule in watched.received for spec in alarm_specs.objects_received(rule)),
        *(spec for rule in watched.sent for spec in alarm_specs.objects_sent(rule)),
        *(
            alarm_specs.dead_letters(purpose, queue)
            for purpose, queue in watched.dead_letter_queues.items()
        ),
        alarm_specs.event_latency(watched.bus_name, watched.forward_rule_name),
        *([alarm_specs.certificate(watched.certificate_arn)] if watched.certificate_arn else []),
    ]
