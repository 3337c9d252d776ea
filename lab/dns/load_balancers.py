"""What DNS needs to know of the deployed load balancers: where they are, and are they healthy."""

import hashlib
import ipaddress
from dataclasses import dataclass

from lab.api import AwsCaller
from lab.dns.records import normal_name
from lab.outage import REGIONS


@dataclass(frozen=True)
class LoadBalancer:
    """One load balancer. ``healthy``: each of its target groups has a healthy target."""

    name: str
    """DNS name, lower case, with final dot."""
    region: str
    zone_id: str
    healthy: bool

    @property
    def address(self) -> str:
        """The address that stands for it in answers, from 127.1/16 or 127.2/16 by region.

        Nothing listens there; it distinguishes load balancers for a reader of ``dig`` and for the
        front door.
        """
        digest = hashlib.sha256(self.name.encode()).digest()
        block = 1 + REGIONS.index(self.region)
        return str(ipaddress.IPv4Address(bytes((127, block, digest[0], 1 + digest[1] % 254))))


async def deployed_load_balancers(aws: AwsCaller) -> dict[str, LoadBalancer]:
    """Every load balancer of both regions by its DNS name.

    Route 53 takes a load balancer for healthy while every target group with targets has a healthy
    one (developer guide, "Evaluate target health": "if any target group contains only unhealthy
    targets, Route 53 considers the load balancer unhealthy"); one without any target is unhealthy.
    """
    found = {}
    for region in REGIONS:
        for listed in await aws.every("elbv2", region, "DescribeLoadBalancers", "LoadBalancers"):
            groups = await aws.every(
                "elbv2",
                region,
                "DescribeTargetGroups",
                "TargetGroups",
                LoadBalancerArn=listed["LoadBalancerArn"],
            )
            states = [
                await _target_states(aws, region, group["TargetGroupArn"]) for group in groups
            ]
            # "unavailable" is a target whose health checks are off; it counts as healthy.
            healthy = bool(states) and all(
                any(state in ("healthy", "unavailable") for state in group) for group in states
            )
            name = normal_name(listed["DNSName"])
            found[name] = LoadBalancer(name, region, listed["CanonicalHostedZoneId"], healthy)
    return found


async def _target_states(aws: AwsCaller, region: str, group: str) -> list[str]:
    described = await aws.call("elbv2", region, "DescribeTargetHealth", TargetGroupArn=group)
    return [item["TargetHealth"]["State"] for item in described["TargetHealthDescriptions"]]
