"""The records: ``app.<domain>`` fails over, ``<region>.app.<domain>`` names one region."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from health_checks import HealthChecks
from tapstack.contracts import RegionalApp
from tapstack.pair import Pair
from tapstack.regions import Region


@dataclass(frozen=True)
class FailoverRecordsArgs:
    """Which names lead where, and whose verdict decides."""

    regions: Pair[Region]
    app: Pair[RegionalApp]
    zone_id: pulumi.Input[str]
    fqdn: str
    checks: HealthChecks


class FailoverRecords(pulumi.ComponentResource):
    """PRIMARY and SECONDARY aliases with target-health evaluation and a check each (trap 13).

    An alias to a load balancer has a fixed TTL of 60 s (trap 15). The secondary has a check, or it
    would count as healthy always; when both are unhealthy Route 53 answers PRIMARY (trap 12).
    """

    def __init__(
        self, name: str, args: FailoverRecordsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:FailoverRecords", name, None, opts)
        deciding = Pair(args.checks.primary_serves, args.checks.load_balancers.secondary)
        for region, app, check in args.regions.zip(args.app, deciding):
            provider = region.provider
            aws.route53.Record(
                f"failover-{region.name}",
                zone_id=args.zone_id,
                name=args.fqdn,
                type="A",
                set_identifier=region.role,
                failover_routing_policies=[
                    aws.route53.RecordFailoverRoutingPolicyArgs(type=region.role.upper())
                ],
                health_check_id=check.id,
                aliases=[_alias(app, evaluate_target_health=True)],
                opts=pulumi.ResourceOptions(parent=self, provider=provider),
            )
            aws.route53.Record(
                f"regional-{region.name}",
                zone_id=args.zone_id,
                name=f"{region.name}.{args.fqdn}",
                type="A",
                # Operators look here when something is wrong: it answers whatever the health.
                aliases=[_alias(app, evaluate_target_health=False)],
                opts=pulumi.ResourceOptions(parent=self, provider=provider),
            )
        self.register_outputs({"fqdn": args.fqdn})


def _alias(app: RegionalApp, *, evaluate_target_health: bool) -> aws.route53.RecordAliasArgs:
    return aws.route53.RecordAliasArgs(
        name=app.load_balancer_dns_name,
        zone_id=app.load_balancer_zone_id,
        evaluate_target_health=evaluate_target_health,
    )
