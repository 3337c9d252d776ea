"""What is watched in one region, and the alarms that follow from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

import alarm_specs
import recovery_alarms
from alarm_specs import AlarmSpec
from cloudwatch_metrics import ReplicationRule
from event_network import EventNetwork
from tapstack.connections import alarm_threshold
from tapstack.contracts import RegionalApp, RegionalData
from tapstack.pair import Pair
from tapstack.regions import Region
from tapstack.settings import Settings
from tapstack.well_known import (
    CONSUME_DEAD_LETTERS,
    FAILED_EVENTS,
    FORWARD_DEAD_LETTERS,
    replication_rule_id,
)

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
    vault_name: str
    """Of AWS Backup."""
    certificate_arn: str
    """Empty without HTTPS."""


def watch(
    settings: Settings,
    regions: Pair[Region],
    app: Pair[RegionalApp],
    data: Pair[RegionalData],
    events: EventNetwork,
) -> Pair[WatchedRegion]:
    """Both regions, from what the layers export and the settings say."""
    to_standby = _replication(data, regions.secondary)
    to_primary = _replication(data.swapped(), regions.primary)
    back = [to_primary] if settings.data.bidirectional_replication else []
    received = Pair(back, [to_standby])
    replication = received.zip(received.swapped())
    return Pair.of(
        WatchedRegion(
            region=region,
            app=own_app,
            cluster_identifier=own_data.cluster_identifier,
            most_connections=alarm_threshold(settings.data),
            bus_name=own_events.bus.bus.name,
            forward_rule_name=own_events.forwarding.rule.name,
            dead_letter_queues={
                FORWARD_DEAD_LETTERS: own_events.forwarding.dead_letters.queue.name,
                CONSUME_DEAD_LETTERS: own_events.consumer.dead_letters.queue.name,
                # The application layer's, by its agreed name.
                FAILED_EVENTS: region.physical_name("queue", FAILED_EVENTS),
            },
            received=into,
            sent=out,
            # The data layer's, by its agreed name.
            vault_name=region.physical_name("backup-vault"),
            certificate_arn=settings.app.certificate_arns.get(region.name, ""),
        )
        for region, own_app, own_data, own_events, (into, out) in regions.zip(
            app, data, events.regional, replication
        )
    )


def _replication(data: Pair[RegionalData], into: Region) -> ReplicationRule:
    """From the first bucket to the second, by the rule id that the data layer gives it."""
    return ReplicationRule(
        data.primary.bucket_name, data.secondary.bucket_name, replication_rule_id(into.name)
    )


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
        recovery_alarms.controller_heartbeat(watched.region.suffix),
        recovery_alarms.failover_readiness(watched.region.suffix),
        recovery_alarms.parameter_lag(watched.region.suffix),
        recovery_alarms.emergency_export(watched.region.suffix),
        alarm_specs.event_propagation(watched.region.suffix),
        *alarm_specs.backup_failures(watched.vault_name),
        *([alarm_specs.certificate(watched.certificate_arn)] if watched.certificate_arn else []),
    ]
