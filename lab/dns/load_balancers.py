"""What DNS needs to know of the deployed load balancers: where they are, and are they healthy."""

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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

        Nothing listens there; it tells load balancers apart for a reader of ``dig`` and for the
        front door.
        """
        digest = hashlib.sha256(self.name.encode()).digest()
        block = 1 + REGIONS.index(self.region)
        return str(ipaddress.IPv4Address(bytes((127, block, digest[0], 1 + digest[1] % 254))))


def deployed_load_balancers(clients: Mapping[str, Any]) -> dict[str, LoadBalancer]:
    """Every load balancer by its DNS name; ``clients`` has an elbv2 client a region (blocking).

    Route 53 takes a load balancer for healthy while every target group with targets has a healthy
    one (developer guide, "Evaluate target health": "if any target group contains only unhealthy
    targets, Route 53 considers the load balancer unhealthy"); one without any target is unhealthy.
    """
    found = {}
    for region, client in clients.items():
        for listed in client.describe_load_balancers()["LoadBalancers"]:
            groups = client.describe_target_groups(LoadBalancerArn=listed["LoadBalancerArn"])
            states = [
                [
                    target["TargetHealth"]["State"]
                    for target in client.describe_target_health(
                        TargetGroupArn=group["TargetGroupArn"]
                    )["TargetHealthDescriptions"]
                ]
                for group in groups["TargetGroups"]
            ]
            # "unavailable" is a target whose health checks are off; it counts as healthy.
            healthy = bool(states) and all(
                any(state in ("healthy", "unavailable") for state in group) for group in states
            )
            name = normal_name(listed["DNSName"])
            found[name] = LoadBalancer(name, region, listed["CanonicalHostedZoneId"], healthy)
    return found
