"""Which addresses each subnet of a VPC has: a pure plan, the same in both regions.

A VPC's /16 is cut into four /18 tiers; each tier holds a /20 (4091 usable addresses) a zone. A
zone's subnets depend on its position alone, so that adding a zone renumbers nothing. The fourth
tier is kept free.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network

from tapstack.errors import SettingsError

ANYWHERE = "0.0.0.0/0"
"""Every IPv4 address: the way to the internet, and whoever comes from there."""

TIERS = ("private", "public", "database")
ZONES_AT_MOST = 4


@dataclass(frozen=True)
class SubnetPlan:
    """One tier's subnets, one a zone, in the zones' order, as ``10.0.16.0/20``."""

    private: tuple[str, ...]
    public: tuple[str, ...]
    database: tuple[str, ...]


def plan_subnets(vpc_cidr: str, zone_count: int) -> SubnetPlan:
    """Plans the subnets of a /16; raises :class:`SettingsError` where it has no room."""
    vpc = IPv4Network(vpc_cidr)
    if vpc.prefixlen != 16:
        raise SettingsError(f"a VPC needs a /16 for the subnet plan (got {vpc_cidr})")
    if not 1 <= zone_count <= ZONES_AT_MOST:
        raise SettingsError(
            f"the subnet plan has room for 1 to {ZONES_AT_MOST} zones (got {zone_count}): "
            "a /18 tier holds four /20 subnets"
        )
    tiers = vpc.subnets(new_prefix=18)
    cidrs = {
        tier: tuple(str(subnet) for subnet in list(block.subnets(new_prefix=20))[:zone_count])
        for tier, block in zip(TIERS, tiers, strict=False)
    }
    return SubnetPlan(**cidrs)
