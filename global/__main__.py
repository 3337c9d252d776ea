"""The global layer: DNS failover between the two regions, events both ways, monitoring."""

import pulumi
import pulumi_aws as aws

from event_network import EventNetwork, EventNetworkArgs
from failover_records import FailoverRecords, FailoverRecordsArgs
from health_checks import HealthChecks, HealthChecksArgs
from hosted_zone import HostedZone, HostedZoneArgs
from monitoring import Monitoring, MonitoringArgs
from tapstack.contracts import AppOutputs, DataOutputs, GlobalOutputs, RegionalGlobal, export, read
from tapstack.regions import Pair, both_regions
from tapstack.settings import Settings
from watched_region import watch

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
events = EventNetwork(
    "events", EventNetworkArgs(regions, account_id, apps, datas), regions.primary.options()
)
monitoring = Monitoring(
    "monitoring",
    MonitoringArgs(
        regions=regions,
        account_id=account_id,
        watched=watch(settings, regions, apps, datas, events),
        key_arns=Pair(data.primary.key_arn, data.secondary.key_arn),
        checks=checks,
        events=events,
        fqdn=fqdn,
        email=settings.global_.alarm_email,
    ),
    regions.primary.options(),
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
            for bus, topic, check in zip(
                events.buses, monitoring.topics, checks.load_balancers, strict=True
            )
        ),
        zone_id=zone.zone_id,
        name_servers=zone.name_servers,
        domain=settings.domain,
        fqdn=fqdn,
        dashboard_url=monitoring.dashboard_url,
    )
)
