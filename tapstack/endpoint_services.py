"""The AWS services that functions inside the VPC call, with who calls them, and for what.

Each needs NAT or an interface endpoint; S3 has its gateway endpoint and isn't here. Cost and the
network layer read this one list.
"""

from dataclasses import dataclass
from typing import Final

from tapstack.well_known import PROJECT


@dataclass(frozen=True)
class Called:
    """One service: its callers, the actions that they need, and on which of our resources."""

    by: str
    actions: tuple[str, ...]
    ours: str
    """End of the ARN, after the account; ``{region}`` and ``{suffix}`` are filled in."""

    def arn(self, service: str, region: str, suffix: str, account: str) -> str:
        """The resources as one pattern; the other region's epoch is read there, not here."""
        end = self.ours.format(region=region, suffix=suffix)
        return f"arn:aws:{service}:{region}:{account}:{end}"


INTERFACE_SERVICES: Final[dict[str, Called]] = {
    "events": Called(
        "the API function publishes record.created",
        ("events:PutEvents", "events:DescribeEventBus"),
        "event-bus/bus-*-{region}-{suffix}",
    ),
    "secretsmanager": Called(
        "the API and migration functions read their database user",
        ("secretsmanager:GetSecretValue",),
        # A replica has the name that the primary region gave it.
        "secret:secret-*-us-east-1-{suffix}-*",
    ),
    "ssm": Called(
        "the API function reads epochs, the standby's the failover switch too",
        ("ssm:GetParameter",),
        f"parameter/{PROJECT}/{{region}}/{{suffix}}/*",
    ),
}
"""Endpoint service (``com.amazonaws.<region>.<service>``) → what calls it."""
