"""The global layer: DNS failover between the two regions, events both ways, monitoring."""

from event_network import EventNetwork, EventNetworkArgs
from failover_records import FailoverRecords, FailoverRecordsArgs
from health_checks import HealthChecks, HealthChecksArgs
from hosted_zone import HostedZone, HostedZoneArgs
from monitoring import Monitoring, MonitoringArgs
from recovery_network import RecoveryNetwork, RecoveryNetworkArgs
from tapstack.contracts import AppOutputs, DataOutputs, GlobalOutputs, RegionalGlobal, export, read
from tapstack.pair import Pair
from tapstack.regions import account_id, asked, both_regions
from tapstack.settings import Settings
from watched_region import watch

settings = Settings.of_program()
regions = both_regions(settings)
data = read(DataOutputs, consumer="global")
app = read(AppOutputs, consumer="global")
account = account_id(settings, regions)

zone = HostedZone(
    f"zone-{regions.primary.name}",
    HostedZoneArgs(
        regions.primary,
        asked(regions),
        settings.domain,
        settings.global_.hosted_zone_id,
        accelerated_recovery=settings.environment == "prod",
    ),
    regions.primary.options(),
)
checks = HealthChecks(
    f"health-checks-{regions.primary.name}",
    HealthChecksArgs(regions, app.both, settings.global_),
    regions.primary.options(),
)
FailoverRecords(
    f"records-{regions.primary.name}",
    FailoverRecordsArgs(regions, app.both, zone.zone_id, settings.fqdn, checks),
    regions.primary.options(),
)
events = EventNetwork(
    "events",
    EventNetworkArgs(regions, account, app.both, data.both),
    regions.primary.options(),
)
monitoring = Monitoring(
    "monitoring",
    MonitoringArgs(
        regions=regions,
        account_id=account,
        watched=watch(settings, regions, app.both, data.both, events),
        key_arns=data.both.map(lambda regional: regional.key_arn),
        checks=checks,
        events=events,
        fqdn=settings.fqdn,
        email=settings.global_.alarm_email,
        pager=settings.global_.pager_endpoint,
    ),
    regions.primary.options(),
)

RecoveryNetwork(
    "recovery",
    RecoveryNetworkArgs(
        regions=regions,
        account_id=account,
        settings=settings,
        data=data,
        app=app.both,
        zone=zone,
        checks=checks,
        events=events,
        monitoring=monitoring,
    ),
    regions.primary.options(),
)

outputs = Pair.of(
    RegionalGlobal(
        bus_name=own_events.bus.bus.name,
        bus_arn=own_events.bus.bus.arn,
        topic_arn=topic.topic.arn,
        health_check_id=check.id,
    )
    for own_events, topic, check in events.regional.zip(monitoring.topics, checks.load_balancers)
)
export(
    GlobalOutputs(
        primary=outputs.primary,
        secondary=outputs.secondary,
        zone_id=zone.zone_id,
        name_servers=zone.name_servers,
        domain=settings.domain,
        fqdn=settings.fqdn,
        dashboard_url=monitoring.dashboard_url,
    )
)
