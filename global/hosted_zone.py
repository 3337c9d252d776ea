"""The public hosted zone: a new one, or an existing one by its id."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.errors import SettingsError
from tapstack.regions import Region


@dataclass(frozen=True)
class HostedZoneArgs:
    """Which zone."""

    region: Region
    """The one whose provider talks to Route 53, a global service."""
    asked: Region
    """The one whose provider looks an existing zone up: Route 53 answers both alike."""
    domain: str
    hosted_zone_id: str
    """An existing zone's id, or empty."""
    accelerated_recovery: bool
    """Whether a new zone has it."""


class HostedZone(pulumi.ComponentResource):
    """``zone_id`` and ``name_servers`` of the zone, made here or not.

    A new zone of production has accelerated recovery: Route 53 promises record changes from
    us-west-2 within an hour while us-east-1 is down. It's no failover path, which needs no change
    at all (trap 10). Elsewhere it is off: an account changes it for one zone at a time and locks
    that zone meanwhile (tf-aws #45452, #45613), so environments made side by side would collide.
    """

    zone_id: pulumi.Output[str]
    name_servers: pulumi.Output[list[str]]

    def __init__(
        self, name: str, args: HostedZoneArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:HostedZone", name, None, opts)
        if args.hosted_zone_id:
            found = aws.route53.get_zone_output(
                zone_id=args.hosted_zone_id,
                opts=args.asked.invoking(),
            )
            self.zone_id = found.apply(lambda zone: _of_domain(zone, args.domain).zone_id)
            self.name_servers = found.name_servers.apply(list)
        else:
            zone = aws.route53.Zone(
                name,
                name=args.domain,
                comment=f"{args.region.suffix}: warm standby",
                enable_accelerated_recovery=args.accelerated_recovery,
                # What others put into the zone doesn't keep an environment alive (R9.3).
                force_destroy=True,
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.zone_id = zone.zone_id
            self.name_servers = zone.name_servers.apply(list)
        self.register_outputs({"zone_id": self.zone_id})


def _of_domain(zone: aws.route53.GetZoneResult, domain: str) -> aws.route53.GetZoneResult:
    if zone.name.rstrip(".") != domain or zone.private_zone:
        kind = "a private" if zone.private_zone else "the"
        raise SettingsError(
            f"global:hostedZoneId {zone.zone_id} is {kind} zone of {zone.name.rstrip('.')}, not "
            f"the public zone of {domain}; set global:domain to match it"
        )
    return zone
