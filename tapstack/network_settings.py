"""Settings of the network layer: the ``network:`` namespace."""

from dataclasses import dataclass
from ipaddress import IPv4Network

from tapstack.errors import SettingsError
from tapstack.fields import one_of, setting

LOG_RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
)  # fmt: skip
"""The retentions that CloudWatch Logs accepts (API reference, PutRetentionPolicy)."""


PRIVATE = tuple(IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
"""RFC 1918. Python's ``is_private`` also counts loopback and link-local, which no VPC may have."""


def _vpc_cidr(value: str) -> str | None:
    try:
        network = IPv4Network(value)
    except ValueError:
        return "must be a network such as 10.0.0.0/16"
    if network.prefixlen != 16 or not any(network.subnet_of(block) for block in PRIVATE):
        return "must be a private /16, which the subnet plan divides"
    return None


@dataclass(frozen=True)
class NetworkSettings:
    """How each region's network reaches AWS and the internet, and how long its flow logs stay."""

    primary_cidr: str = setting(
        "10.0.0.0/16", check=_vpc_cidr, help="Addresses of the VPC in us-east-1, a private /16"
    )
    standby_cidr: str = setting(
        "10.1.0.0/16", check=_vpc_cidr, help="Addresses of the VPC in us-west-2, a private /16"
    )
    nat_gateways: int = setting(
        1,
        check=one_of(0, 1, 3),
        help="NAT gateways a region: 0 (then vpcEndpoints must be true), 1, or 3 (one a zone)",
    )
    vpc_endpoints: bool = setting(
        False, help="Interface endpoints for the AWS APIs that functions in the VPC call"
    )
    endpoint_zones: int = setting(
        1, check=one_of(1, 2, 3), help="Zones that each interface endpoint stands in: 1, 2 or 3"
    )
    flow_log_retention_days: int = setting(
        90, check=one_of(*LOG_RETENTION_DAYS), help="Days that VPC flow logs are kept"
    )

    def __post_init__(self) -> None:
        if IPv4Network(self.primary_cidr).overlaps(IPv4Network(self.standby_cidr)):
            raise SettingsError(
                f"network:primaryCidr {self.primary_cidr} and network:standbyCidr "
                f"{self.standby_cidr} overlap: peered VPCs need addresses of their own"
            )
        if self.nat_gateways == 0 and not self.vpc_endpoints:
            raise SettingsError(
                "network:natGateways is 0 while network:vpcEndpoints is false: functions could "
                "reach no AWS API; set vpcEndpoints to true or natGateways to 1 or 3"
            )
