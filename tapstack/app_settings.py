"""Settings of the application layer: the ``app:`` namespace."""

import re
from dataclasses import dataclass

from tapstack.errors import SettingsError
from tapstack.fields import between, one_of, setting
from tapstack.network_settings import LOG_RETENTION_DAYS

TARGET_GROUP_INTERVAL = 30
"""Seconds between the load balancer's own health checks of its function."""

LONGEST_REQUEST_SECONDS = 10
"""The application ends a request after this time at the latest, whatever hangs
(lambda_src/api/src/application.mjs)."""


def _certificates(value: dict[str, str]) -> str | None:
    for region, arn in value.items():
        match = re.fullmatch(r"arn:aws[a-z-]*:acm:([a-z0-9-]+):\d{12}:certificate/[\w-]+", arn)
        if not match:
            return f"must map regions to certificate ARNs; {region} has {arn}"
        if match[1] != region:
            return f"has a certificate of {match[1]} for {region}: a load balancer takes only one of its own region"  # noqa: E501
    return None


def _pools(value: dict[str, str]) -> str | None:
    for region, pool in value.items():
        if not re.fullmatch(r"ipam-pool-[a-z0-9]+", pool):
            return f"must map regions to IPAM pools (ipam-pool-…); {region} has {pool}"
    return None


@dataclass(frozen=True)
class AppSettings:
    """The function and the load balancer, the same in both regions."""

    architecture: str = setting(
        "arm64", check=one_of("arm64", "x86_64"), help="Processor of the functions"
    )
    memory_mb: int = setting(512, check=between(128, 10240), help="Memory of the function in MB")
    timeout_seconds: int = setting(
        15, check=between(1, 900), help="Longest run of the function in seconds"
    )
    expected_concurrency: int = setting(
        100,
        check=between(1, 10000),
        help="Function instances at the peak, both regions together; each holds two connections",
    )
    certificate_arns: dict[str, str] = setting(
        {}, check=_certificates, help="Region → ACM certificate ARN; adds HTTPS on 443"
    )
    ipam_pool_ids: dict[str, str] = setting(
        {},
        check=_pools,
        help="Region → IPAM pool of public addresses that the load balancer takes its own from",
    )
    allow_plain_http: bool = setting(
        False, help="Accept an environment `prod` without certificates"
    )
    deletion_protection: bool = setting(
        False, help="Deletion protection of the load balancers; true blocks destroy-all"
    )
    emergency_days: int = setting(
        90,
        check=between(1, 36500),
        help="Patients with a record in so many days are in the nightly emergency export",
    )
    log_retention_days: int = setting(
        90, check=one_of(*LOG_RETENTION_DAYS), help="Days that the functions' logs are kept"
    )

    def __post_init__(self) -> None:
        if self.timeout_seconds >= TARGET_GROUP_INTERVAL:
            raise SettingsError(
                f"app:timeoutSeconds ({self.timeout_seconds}) must be below the target group's "
                f"health-check interval of {TARGET_GROUP_INTERVAL} s, or checks overlap"
            )
