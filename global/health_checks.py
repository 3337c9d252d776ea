"""Route 53's health checks: both load balancers, the failover switch, and the primary's verdict."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.contracts import RegionalApp
from tapstack.global_settings import GlobalSettings
from tapstack.pair import Pair
from tapstack.regions import Region
from tapstack.well_known import FAILOVER_SWITCH_PATH, HEALTH_PATH


@dataclass(frozen=True)
class HealthChecksArgs:
    """What is checked, and how often."""

    regions: Pair[Region]
    app: Pair[RegionalApp]
    settings: GlobalSettings


class HealthChecks(pulumi.ComponentResource):
    """Each load balancer by its own name, on the serving path and no deeper (trap 14).

    ``primary_serves`` decides the PRIMARY record: the primary's load balancer answers *and* the
    switch isn't engaged. us-west-2 serves the switch: 200 when engaged, 404 when not, and the
    check is inverted, so a dead standby leaves the primary alone. Without the switch DNS would
    fail back by itself in the middle of a recovery (trap 12).

    A changed interval replaces a check; the new one is made first (trap 15b). Route 53 counts a new
    check as healthy until it knows better, an inverted one as unhealthy: for interval times
    threshold after that change the standby answers, which serves as well.
    """

    def __init__(
        self, name: str, args: HealthChecksArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:HealthChecks", name, None, opts)

        def http_check(
            purpose: str, region: Region, app: RegionalApp, path: str, *, inverted: bool
        ) -> aws.route53.HealthCheck:
            return aws.route53.HealthCheck(
                f"{purpose}-{region.name}",
                type="HTTP",
                fqdn=app.load_balancer_dns_name,
                port=80,
                resource_path=path,
                request_interval=args.settings.health_check_interval,
                failure_threshold=args.settings.health_check_threshold,
                measure_latency=True,
                invert_healthcheck=inverted,
                tags=region.named("healthcheck", purpose),
                opts=pulumi.ResourceOptions(parent=self, provider=region.provider),
            )

        primary, secondary = args.regions
        self.load_balancers = Pair(
            http_check("app", primary, args.app.primary, HEALTH_PATH, inverted=False),
            http_check("app", secondary, args.app.secondary, HEALTH_PATH, inverted=False),
        )
        self.switch_released = http_check(
            "switch", secondary, args.app.secondary, FAILOVER_SWITCH_PATH, inverted=True
        )
        self.primary_serves = aws.route53.HealthCheck(
            f"serves-{primary.name}",
            type="CALCULATED",
            child_healthchecks=[self.load_balancers.primary.id, self.switch_released.id],
            child_health_threshold=2,
            tags=primary.named("healthcheck", "serves"),
            opts=pulumi.ResourceOptions(parent=self, provider=primary.provider),
        )
        self.register_outputs({"primary_serves": self.primary_serves.id})
