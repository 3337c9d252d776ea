"""Route 53's verdict as a TXT record: what a standby can ask for without the other region."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from health_checks import HealthChecks
from tapstack.pair import Pair
from tapstack.regions import Region
from tapstack.well_known import WITNESS, WITNESS_STANDBY

TTL_SECONDS = 10


@dataclass(frozen=True)
class WitnessRecordsArgs:
    """In which zone, below which name, by whose verdict."""

    regions: Pair[Region]
    zone_id: pulumi.Input[str]
    fqdn: str
    checks: HealthChecks


class WitnessRecords(pulumi.ComponentResource):
    """One record a region: ``primary`` while *that* region's load balancer is healthy.

    The check is the load balancer's own, without the switch: a promotion must not look like a lost
    region. ``secondary`` has no check: with one, Route 53 would answer PRIMARY, whatever its
    health, as soon as both were unhealthy (trap 12).
    """

    names: Pair[str]
    """Of the record on us-east-1's health, and of the one on us-west-2's."""

    def __init__(
        self, name: str, args: WitnessRecordsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:WitnessRecords", name, None, opts)
        self.names = Pair(f"{WITNESS}.{args.fqdn}", f"{WITNESS_STANDBY}.{args.fqdn}")
        for record, region, check in self.names.zip(args.regions, args.checks.load_balancers):
            for answer in ("primary", "secondary"):
                aws.route53.Record(
                    f"witness-{region.name}-{answer}",
                    zone_id=args.zone_id,
                    name=record,
                    type="TXT",
                    ttl=TTL_SECONDS,
                    records=[answer],
                    set_identifier=answer,
                    failover_routing_policies=[
                        aws.route53.RecordFailoverRoutingPolicyArgs(type=answer.upper())
                    ],
                    health_check_id=check.id if answer == "primary" else None,
                    opts=pulumi.ResourceOptions(
                        parent=self, provider=args.regions.primary.provider
                    ),
                )
        self.register_outputs({"primary": self.names.primary})
