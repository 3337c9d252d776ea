"""Everything that watches: topics, alarms of both regions, the verdict, the dashboard."""

from dataclasses import dataclass

import pulumi

import alarm_specs
from alarm_specs import AlarmSpec
from alarm_topic import AlarmTopic, AlarmTopicArgs
from dashboard_body import Dashboard
from event_network import EventNetwork
from health_checks import HealthChecks
from overview_dashboard import OverviewDashboard, OverviewDashboardArgs
from primary_impaired import PRIMARY_IMPAIRED, PrimaryImpaired, PrimaryImpairedArgs
from regional_alarms import RegionalAlarms, RegionalAlarmsArgs
from tapstack.pair import Pair
from tapstack.regions import Region
from watched_region import WatchedRegion, alarms_of


@dataclass(frozen=True)
class MonitoringArgs:
    """What is watched in each region, and who is notified."""

    regions: Pair[Region]
    account_id: pulumi.Input[str]
    watched: Pair[WatchedRegion]
    key_arns: Pair[pulumi.Input[str]]
    checks: HealthChecks
    events: EventNetwork
    fqdn: str
    email: str
    pager: str


class Monitoring(pulumi.ComponentResource):
    """``topics`` and ``dashboard_url`` are what the other layers and people read (R6, R8);
    ``alarm_names`` are those of each region's alarms that publish to its topic."""

    def __init__(
        self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:Monitoring", name, None, opts)

        def inside(region: Region) -> pulumi.ResourceOptions:
            return region.options(parent=self)

        self.topics = Pair.of(
            AlarmTopic(
                f"topic-{region.name}",
                AlarmTopicArgs(region, args.account_id, key_arn, args.email, args.pager),
                inside(region),
            )
            for region, key_arn in args.regions.zip(args.key_arns)
        )
        alarms = Pair.of(
            RegionalAlarms(
                f"alarms-{watched.region.name}",
                RegionalAlarmsArgs(watched.region, [*alarms_of(watched), *own], topic.topic),
                inside(watched.region),
            )
            for watched, own, topic in args.watched.zip(_of_one_region(args), self.topics)
        )
        standby = args.regions.secondary
        impaired = PrimaryImpaired(
            f"primary-impaired-{standby.name}",
            PrimaryImpairedArgs(
                standby,
                alarms.secondary.alarms[alarm_specs.HEARTBEAT],
                alarms.secondary.alarms[alarm_specs.STANDBY_DATABASE_LAG],
                self.topics.secondary.topic,
            ),
            inside(standby),
        )
        purposes = Pair([*alarms.primary.alarms], [*alarms.secondary.alarms, PRIMARY_IMPAIRED])
        self.alarm_names = args.regions.zip(purposes).map(
            lambda own: [own[0].physical_name("alarm", purpose) for purpose in own[1]]
        )
        dashboard = OverviewDashboard(
            f"dashboard-{standby.name}",
            OverviewDashboardArgs(
                standby,
                Dashboard(
                    suffix=standby.suffix,
                    fqdn=args.fqdn,
                    regions=args.watched,
                    health_checks={
                        args.regions.primary.name: args.checks.load_balancers.primary.id,
                        standby.name: args.checks.load_balancers.secondary.id,
                        "switch released": args.checks.switch_released.id,
                        "primary serves": args.checks.primary_serves.id,
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
            inside(standby),
        )
        self.dashboard_url = dashboard.url
        self.register_outputs({"dashboard_url": self.dashboard_url})


def _of_one_region(args: MonitoringArgs) -> Pair[list[AlarmSpec]]:
    """Alarms that only one region can have.

    Route 53's metrics exist in us-east-1 only, hence the heartbeat in us-west-2 (trap 11).
    """
    primary, standby = args.regions
    return Pair(
        [
            alarm_specs.health_check(
                "health-primary",
                f"Route 53 finds {primary.name} unhealthy",
                args.checks.load_balancers.primary.id,
            ),
            alarm_specs.health_check(
                "health-secondary",
                f"Route 53 finds {standby.name} unhealthy: nowhere to fail over to",
                args.checks.load_balancers.secondary.id,
            ),
            alarm_specs.health_check(
                "traffic-moved", f"Traffic goes to {standby.name}", args.checks.primary_serves.id
            ),
            # The plan is there.
            *alarm_specs.backups_missing(args.watched.primary.vault_name),
        ],
        [alarm_specs.heartbeat(args.events.heartbeat.beats.queue.name)],
    )
