"""What is watched in one region, and the alarms that follow from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

import alarm_specs
from alarm_specs import AlarmSpec
from cloudwatch_metrics import ReplicationRule
from event_network import EventNetwork
from tapstack.connections import alarm_threshold
from tapstack.contracts import RegionalApp, RegionalData
from tapstack.regions import Pair, Region
from tapstack.settings import Settings

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


def watch(
    settings: Settings,
    regions: Pair[Region],
    apps: Pair[RegionalApp],
    datas: Pair[RegionalData],
    events: EventNetwork,
) -> Pair[WatchedRegion]:
    """Both regions, from what the layers export and the settings say."""
    to_standby = _replication(datas, regions.secondary)
    to_primary = _replication(datas.swapped(), regions.primary)
    back = [to_primary] if settings.data.bidirectional_replication else []
    received = Pair(back, [to_standby])
    return Pair.of(
        WatchedRegion(
            region=region,
            app=app,
            cluster_identifier=data.cluster_identifier,
            most_connections=alarm_threshold(settings.data),
            bus_name=bus.bus.name,
            forward_rule_name=forwarding.rule.name,
            dead_letter_queues={
                "forward-dead-letters": forwarding.dead_letters.queue.name,
                "consume-dead-letters": consumer.dead_letters.queue.name,
                # The application layer's, by its name.
                "failed-events": region.physical_name("queue", "failed-events"),
            },
            received=into,
            sent=out,
            certificate_arn=settings.app.certificate_arns.get(region.name, ""),
        )
        for region, app, data, bus, forwarding, consumer, into, out in zip(
            regions, apps, datas, events.buses, events.forwarding, events.consumers,
            received, received.swapped(), strict=True,
        )
    )  # fmt: skip


def _replication(datas: Pair[RegionalData], into: Region) -> ReplicationRule:
    """From the first bucket to the second, by the rule id that the data layer gives it."""
    return ReplicationRule(
        datas.primary.bucket_name, datas.secondary.bucket_name, f"to-{into.name}"
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
        *([alarm_specs.certificate(watched.certificate_arn)] if watched.certificate_arn else []),
    ]
