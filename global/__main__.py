"""The global layer: DNS failover between the two regions, events both ways, monitoring."""

import pulumi
import pulumi_aws as aws

from alarm_topic import AlarmTopic, AlarmTopicArgs
from event_bus import EventBus, EventBusArgs
from failover_records import FailoverRecords, FailoverRecordsArgs
from health_checks import HealthChecks, HealthChecksArgs
from hosted_zone import HostedZone, HostedZoneArgs
from tapstack.contracts import (
    AppOutputs,
    DataOutputs,
    GlobalOutputs,
    RegionalData,
    RegionalGlobal,
    export,
    read,
)
from tapstack.regions import Pair, Region, both_regions
from tapstack.settings import Settings

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


def make_bus(region: Region) -> EventBus:
    return EventBus(f"bus-{region.name}", EventBusArgs(region), region.options())


def make_topic(region: Region, regional: RegionalData) -> AlarmTopic:
    return AlarmTopic(
        f"topic-{region.name}",
        AlarmTopicArgs(region, account_id, regional.key_arn, settings.global_.alarm_email),
        region.options(),
    )


buses = regions.map(make_bus)
topics = Pair(
    make_topic(regions.primary, datas.primary), make_topic(regions.secondary, datas.secondary)
)


def regional_outputs(
    bus: EventBus, topic: AlarmTopic, check: aws.route53.HealthCheck
) -> RegionalGlobal:
    return RegionalGlobal(
        bus_name=bus.bus.name,
        bus_arn=bus.bus.arn,
        topic_arn=topic.topic.arn,
        health_check_id=check.id,
    )


dashboard_name = regions.secondary.physical_name("dashboard", "overview")
export(
    GlobalOutputs(
        primary=regional_outputs(buses.primary, topics.primary, checks.load_balancers.primary),
        secondary=regional_outputs(
            buses.secondary, topics.secondary, checks.load_balancers.secondary
        ),
        zone_id=zone.zone_id,
        name_servers=zone.name_servers,
        domain=settings.domain,
        fqdn=fqdn,
        dashboard_url=(
            f"https://{settings.standby_region}.console.aws.amazon.com/cloudwatch/home"
            f"?region={settings.standby_region}#dashboards/dashboard/{dashboard_name}"
        ),
    )
)
