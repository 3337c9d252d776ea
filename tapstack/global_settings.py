"""Settings of the global layer: the ``global:`` namespace."""

import re
from dataclasses import dataclass

from tapstack.fields import between, matching, one_of, setting

AUTOMATIC, NOTIFY, OBSERVE = "automatic", "notify", "observe"

RESERVED_DOMAINS = ("example.com", "example.net", "example.org")
"""Route 53 refuses zones of these with InvalidDomainName ("is reserved by AWS")."""


def _domain(value: str) -> str | None:
    if any(value == name or value.endswith("." + name) for name in RESERVED_DOMAINS):
        return "is reserved: AWS refuses a hosted zone for it (InvalidDomainName)"
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    if (
        not re.fullmatch(rf"({label}\.)+([a-z]{{2,63}}|xn--[a-z0-9-]{{1,59}})", value)
        or len(value) > 200
    ):
        return "must be a domain name in lower case"
    return None


@dataclass(frozen=True)
class GlobalSettings:
    """DNS, its health checks, and who is notified."""

    domain: str = setting(
        "", check=_domain, help="Domain of the hosted zone; absent: warm-standby-<suffix>.net"
    )
    hosted_zone_id: str = setting(
        "",
        check=matching(r"Z[A-Z0-9]{1,31}", "a hosted zone id such as Z0123456789ABC"),
        help="An existing public hosted zone of the domain, used instead of a new one",
    )
    health_check_interval: int = setting(
        30, check=one_of(10, 30), help="Seconds between health checks: 30, or 10 (costs more)"
    )
    health_check_threshold: int = setting(
        3, check=between(1, 10), help="Failed checks in a row that make a region unhealthy"
    )
    alarm_email: str = setting(
        "",
        check=matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address"),
        help="Who is notified of alarms; they must confirm AWS's mail",
    )
    pager_endpoint: str = setting(
        "",
        check=matching(r"https://[^\s@]{1,200}", "an https:// address without credentials"),
        help="Where a pager takes SNS's messages: of alarms and of recovery, in both regions",
    )
    failover_test_days: int = setting(
        0,
        check=between(0, 90),
        help="Days between two failover tests in each region; 0: on demand only",
    )
    recovery_mode: str = setting(
        AUTOMATIC,
        check=one_of(AUTOMATIC, NOTIFY, OBSERVE),
        help="The most that recovery may do: automatic promotes, notify pages, observe records",
    )
    recovery_lag_limit_seconds: int = setting(
        300,
        check=between(60, 900),
        help="Seconds of writes that a promotion without a person may lose at most",
    )
    accepted_by: str = setting(
        "",
        check=matching(r"[^\n]{1,100}", "one line of at most 100 characters"),
        help="The data owner who accepts that loss; environment prod promotes only with one",
    )
