"""How Route 53 decides whether a health check is healthy, without the probing.

Sources: Route 53 developer guide, "How Amazon Route 53 determines whether a health check is
healthy" and "Values that you specify when you create or update health checks". One checker stands
in for AWS's global fleet, so the rule that a check is healthy while more than 18 % of the checkers
say so becomes: while the one checker says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CheckConfig:
    """A deployed health check."""

    id: str
    type: str
    """``HTTP``, ``HTTPS``, ``HTTP_STR_MATCH``, ``HTTPS_STR_MATCH``, ``TCP``, ``CALCULATED`` or
    ``CLOUDWATCH_METRIC``."""
    host: str = ""
    address: str = ""
    port: int = 80
    path: str = "/"
    search: str = ""
    interval: int = 30
    """Seconds between probes: 10 or 30."""
    threshold: int = 3
    """Probes in a row that turn the status."""
    inverted: bool = False
    disabled: bool = False
    children: tuple[str, ...] = ()
    healthy_children: int = 0
    """CALCULATED: so many children must be healthy."""
    alarm_name: str = ""
    alarm_region: str = ""
    insufficient_data: str = "LastKnownStatus"
    sends_name: bool = False
    """HTTPS: whether the TLS handshake names the host."""

    @property
    def server_name(self) -> str:
        """What the TLS handshake names; empty for nothing."""
        return self.host if self.sends_name else ""

    @property
    def probes(self) -> bool:
        """Whether Route 53 itself sends requests for this check."""
        return self.type not in ("CALCULATED", "CLOUDWATCH_METRIC") and not self.disabled


def check_config(listed: dict[str, Any]) -> CheckConfig:
    """From one item of ListHealthChecks."""
    config = listed["HealthCheckConfig"]
    kind = config["Type"]
    alarm = config.get("AlarmIdentifier") or {}
    return CheckConfig(
        id=listed["Id"],
        type=kind,
        host=config.get("FullyQualifiedDomainName", ""),
        address=config.get("IPAddress", ""),
        port=int(config.get("Port") or (443 if kind.startswith("HTTPS") else 80)),
        path=config.get("ResourcePath") or "/",
        search=config.get("SearchString", ""),
        interval=int(config.get("RequestInterval") or 30),
        threshold=int(config.get("FailureThreshold") or 3),
        inverted=bool(config.get("Inverted")),
        disabled=bool(config.get("Disabled")),
        children=tuple(config.get("ChildHealthChecks") or ()),
        healthy_children=int(config.get("HealthThreshold") or 0),
        alarm_name=alarm.get("Name", ""),
        alarm_region=alarm.get("Region", ""),
        insufficient_data=config.get("InsufficientDataHealthStatus") or "LastKnownStatus",
        sends_name=bool(config.get("EnableSNI")),
    )


@dataclass
class ProbeStatus:
    """What the probes of one check add up to; a new check counts as healthy until they say no."""

    threshold: int
    healthy: bool = True
    probes: int = 0
    """Probes so far."""
    against: int = 0
    """Probes in a row that contradict the status."""
    last: str = "no probe yet"
    """``Success: HTTP Status Code 200, OK`` or ``Failure: …``."""
    at: float = 0.0
    """Lab time of the last probe."""

    @property
    def settled(self) -> bool:
        """Whether there is enough data for the status to mean something."""
        return self.probes >= self.threshold

    def observe(self, success: bool, report: str, at: float) -> bool:
        """Takes one probe; returns whether the status turned."""
        self.last = f"{'Success' if success else 'Failure'}: {report}"
        self.at = at
        self.probes += 1
        self.against = 0 if success == self.healthy else self.against + 1
        if self.against < self.threshold:
            return False
        self.healthy, self.against = success, 0
        return True


@dataclass
class Verdicts:
    """The status of every check, those included that are made of others."""

    checks: Mapping[str, CheckConfig]
    probes: Mapping[str, ProbeStatus]
    alarms: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(region, alarm name) → ``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``."""
    last_known: dict[str, bool] = field(default_factory=dict)

    def healthy(self, check_id: str, seen: Sequence[str] = ()) -> bool:
        """Whether the check is healthy. One that doesn't exist (any more) counts as healthy."""
        check = self.checks.get(check_id)
        if check is None or check_id in seen:
            return True
        return self._upright(check, (*seen, check_id)) != check.inverted

    def _upright(self, check: CheckConfig, seen: Sequence[str]) -> bool:
        if check.disabled:
            return True
        if check.type == "CALCULATED":
            healthy = sum(self.healthy(child, seen) for child in check.children)
            return healthy >= check.healthy_children
        if check.type == "CLOUDWATCH_METRIC":
            return self._alarm(check)
        status = self.probes.get(check.id)
        return status.healthy if status else True

    def _alarm(self, check: CheckConfig) -> bool:
        state = self.alarms.get((check.alarm_region, check.alarm_name), "INSUFFICIENT_DATA")
        if state == "INSUFFICIENT_DATA":
            known = {"Healthy": True, "Unhealthy": False}
            if check.insufficient_data in known:
                return known[check.insufficient_data]
            return self.last_known.get(check.id, True)
        self.last_known[check.id] = state == "OK"
        return state == "OK"
