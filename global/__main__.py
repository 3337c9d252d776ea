"""The global layer: DNS failover between the two regions, events both ways, monitoring."""

import pulumi
import pulumi_aws as aws

import alarm_specs
from alarm_topic import AlarmTopic, AlarmTopicArgs
from cloudwatch_metrics import ReplicationRule
from dashboard_body import Dashboard
from event_network import EventNetwork, EventNetworkArgs
from failover_records import FailoverRecords, FailoverRecordsArgs
from health_checks import HealthChecks, HealthChecksArgs
from hosted_zone import HostedZone, HostedZoneArgs
from overview_dashboard import OverviewDashboard, OverviewDashboardArgs
from primary_impaired import PrimaryImpaired, PrimaryImpairedArgs
from regional_alarms import RegionalAlarms, RegionalAlarmsArgs
from tapstack.connections import alarm_threshold
from tapstack.contracts import (
    AppOutputs,
    DataOutputs,
    GlobalOutputs,
    RegionalApp,
    RegionalData,
    RegionalGlobal,
    export,
    read,
)
from tapstack.regions import Pair, Region, both_regions
from tapstack.settings import Settings
from watched_region import WatchedRegion, alarms_of

settings = Settings.of_program()
regions = both_regions(settings)
data = read(DataOutputs, consumer="global")
app = read(AppOutputs, consumer="global")
datas = Pair(data.primary, data.secondary)
apps = Pair(app.primary, app.secondary)
fqdn = f"app.{settings.domain}"
account_id = aws.get_caller_identity_output(
    opts=pulumi.InvokeOutputOptions(provider=regions.primary.provider)
).account_id

# DNS
zone = HostedZone(
    f"zone-{regions.primary.name}",
    HostedZoneArgs(regions.primary, settings.domain, settings.global_.hosted_zone_id),
    regions.primary.options(),
)
checks = HealthChecks(
    f"health-checks-{regions.primary.name}",
    HealthChecksArgs(regions, apps, settings.global_),
    regions.primary.options(),
)
FailoverRecords(
    f"records-{regions.primary.name}",
    FailoverRecordsArgs(regions, apps, zone.zone_id, fqdn, checks),
    regions.primary.options(),
)

# Events
events = EventNetwork(
    "events", EventNetworkArgs(regions, account_id, apps, datas), regions.primary.options()
)


# Monitoring
def replication_from(
    source: RegionalData, destination: RegionalData, into: Region
) -> ReplicationRule:
    return ReplicationRule(source.bucket_name, destination.bucket_name, f"to-{into.name}")


to_standby = replication_from(data.primary, data.secondary, regions.secondary)
to_primary = replication_from(data.secondary, data.primary, regions.primary)
back = [to_primary] if settings.data.bidirectional_replication else []


def watch(region: Region, regional_app: RegionalApp, regional_data: RegionalData) -> WatchedRegion:
    forwarding = events.forwarding.primary if region.is_primary else events.forwarding.secondary
    consumer = events.consumers.primary if region.is_primary else events.consumers.secondary
    bus = events.buses.primary if region.is_primary else events.buses.secondary
    return WatchedRegion(
        region=region,
        app=regional_app,
        cluster_identifier=regional_data.cluster_identifier,
        most_connections=alarm_threshold(settings.data),
        bus_name=bus.bus.name,
        forward_rule_name=forwarding.rule.name,
        dead_letter_queues={
            "forward-dead-letters": forwarding.dead_letters.queue.name,
            "consume-dead-letters": consumer.dead_letters.queue.name,
            # The application layer's, by its name.
            "failed-events": region.physical_name("queue", "failed-events"),
        },
        received=back if region.is_primary else [to_standby],
        sent=[to_standby] if region.is_primary else back,
        certificate_arn=settings.app.certificate_arns.get(region.name, ""),
    )


watched = Pair(
    watch(regions.primary, app.primary, data.primary),
    watch(regions.secondary, app.secondary, data.secondary),
)
topics = Pair.of(
    AlarmTopic(
        f"topic-{region.name}",
        AlarmTopicArgs(region, account_id, regional.key_arn, settings.global_.alarm_email),
        region.options(),
    )
    for region, regional in zip(regions, datas, strict=True)
)
# Route 53's metrics exist in us-east-1 only, hence the heartbeat in us-west-2.
own_alarms = Pair(
    [
        alarm_specs.health_check(
            "health-primary",
            f"Route 53 finds {regions.primary.name} unhealthy",
            checks.load_balancers.primary.id,
        ),
        alarm_specs.health_check(
            "health-secondary",
            f"Route 53 finds {regions.secondary.name} unhealthy: nowhere to fail over to",
            checks.load_balancers.secondary.id,
        ),
        alarm_specs.health_check(
            "traffic-moved",
            f"Traffic goes to {regions.secondary.name}",
            checks.primary_serves.id,
        ),
    ],
    [
        alarm_specs.heartbeat(events.buses.secondary.bus.name, events.heartbeat.received.name),
    ],
)
alarms = Pair.of(
    RegionalAlarms(
        f"alarms-{regional.region.name}",
        RegionalAlarmsArgs(regional.region, [*alarms_of(regional), *own], topic.topic),
        regional.region.options(),
    )
    for regional, own, topic in zip(watched, own_alarms, topics, strict=True)
)
impaired = PrimaryImpaired(
    f"primary-impaired-{regions.secondary.name}",
    PrimaryImpairedArgs(
        regions.secondary,
        [alarms.secondary.alarms[purpose] for purpose in ("heartbeat", "rds-global-lag")],
        topics.secondary.topic,
    ),
    regions.secondary.options(),
)
dashboard = OverviewDashboard(
    f"dashboard-{regions.secondary.name}",
    OverviewDashboardArgs(
        regions.secondary,
        Dashboard(
            suffix=settings.suffix,
            fqdn=fqdn,
            regions=watched,
            health_checks={
                regions.primary.name: checks.load_balancers.primary.id,
                regions.secondary.name: checks.load_balancers.secondary.id,
                "switch released": checks.switch_released.id,
                "primary serves": checks.primary_serves.id,
            },
            alarm_arns=Pair(
                [alarm.arn for alarm in alarms.primary.alarms.values()],
                [
                    impaired.alarm.arn,
                    *(alarm.arn for alarm in alarms.secondary.alarms.values()),
                ],
            ),
        ),
    ),
    regions.secondary.options(),
)

export(
    GlobalOutputs(
        *(
            RegionalGlobal(
                bus_name=bus.bus.name,
                bus_arn=bus.bus.arn,
                topic_arn=topic.topic.arn,
                health_check_id=check.id,
            )
            for bus, topic, check in zip(events.buses, topics, checks.load_balancers, strict=True)
        ),
        zone_id=zone.zone_id,
        name_servers=zone.name_servers,
        domain=settings.domain,
        fqdn=fqdn,
        dashboard_url=dashboard.url,
    )
)
