"""The recovery budget: how long an outage may last and how much may be lost, by configuration.

RTO and RPO are promised as 15 minutes each. This module adds up what the configuration allows in
the worst case, piece by piece, and refuses a configuration whose sum is larger (N6). It is pure;
the settings call it, so a bare `pulumi up` is refused as well.

Traffic and writes recover apart: traffic by Route 53 alone, writes by a promotion of the standby.
"""

from dataclasses import asdict, dataclass
from typing import Any

from tapstack.errors import SettingsError

OBJECTIVE_SECONDS = 15 * 60
"""RTO and RPO, each."""

HEALTH_DECISION_MARGIN_SECONDS = 10
"""From the last failed probe to changed answers on Route 53's servers."""
RECORD_TTL_SECONDS = 60
"""An alias to a load balancer is answered with this TTL; it can't be changed (trap 15)."""
CONTROLLER_PERIOD_SECONDS = 60
"""The controller runs each minute, so an outage waits for its next run."""
CONTROLLER_THRESHOLD_RUNS = 3
"""Runs in a row that must find application and database dead before it promotes."""
PROMOTION_ALLOWANCE_SECONDS = 300
"""For failover_global_cluster with data loss allowed; AWS states minutes, without a promise."""
DATABASE_LAG_ALARM_SECONDS = 60
"""The alarm on AuroraGlobalDBRPOLag; Aurora's lag is typically under a second."""
OBJECT_REPLICATION_SECONDS = 15 * 60
"""S3 Replication Time Control's only value (trap 23); it equals the whole objective."""
EVENT_DELIVERY_ALARM_SECONDS = 5 * 60
"""The alarm on the forwarding rules' delivery latency."""


@dataclass(frozen=True)
class Piece:
    """One part of a budget, in seconds."""

    name: str
    seconds: int


@dataclass(frozen=True)
class Budget:
    """What the configuration allows; traffic and writes are sums, data is the largest piece."""

    traffic: tuple[Piece, ...]
    writes: tuple[Piece, ...]
    data: tuple[Piece, ...]

    @property
    def traffic_rto(self) -> int:
        """Seconds until clients reach the standby."""
        return sum(piece.seconds for piece in self.traffic)

    @property
    def write_rto(self) -> int:
        """Seconds until the standby takes writes."""
        return sum(piece.seconds for piece in self.writes)

    @property
    def rpo(self) -> int:
        """Seconds of data that may be lost."""
        return max(piece.seconds for piece in self.data)

    def as_dict(self) -> dict[str, Any]:
        """Sums and pieces, in seconds."""
        return {
            "objective_seconds": OBJECTIVE_SECONDS,
            "traffic_rto_seconds": self.traffic_rto,
            "write_rto_seconds": self.write_rto,
            "rpo_seconds": self.rpo,
            **asdict(self),
        }


def recovery_budget(health_check_interval: int, health_check_threshold: int) -> Budget:
    """The budget of a configuration; interval in seconds, threshold in probes."""
    traffic = (
        Piece(
            f"health decision ({health_check_interval} s x {health_check_threshold} probes)",
            health_check_interval * health_check_threshold + HEALTH_DECISION_MARGIN_SECONDS,
        ),
        Piece("record TTL", RECORD_TTL_SECONDS),
    )
    writes = (
        *traffic,
        Piece("controller's next run", CONTROLLER_PERIOD_SECONDS),
        Piece(
            f"controller threshold ({CONTROLLER_THRESHOLD_RUNS} runs)",
            CONTROLLER_THRESHOLD_RUNS * CONTROLLER_PERIOD_SECONDS,
        ),
        Piece("promotion of the standby database", PROMOTION_ALLOWANCE_SECONDS),
    )
    data = (
        Piece("database replication lag", DATABASE_LAG_ALARM_SECONDS),
        Piece("object replication (S3 RTC)", OBJECT_REPLICATION_SECONDS),
        Piece("event delivery", EVENT_DELIVERY_ALARM_SECONDS),
    )
    return Budget(traffic, writes, data)


def check_budget(budget: Budget) -> None:
    """Raises :class:`SettingsError`, naming the pieces, when a sum is above the objective."""
    if budget.write_rto > OBJECTIVE_SECONDS:
        pieces = " + ".join(f"{piece.name} {piece.seconds} s" for piece in budget.writes)
        raise SettingsError(
            f"RTO {budget.write_rto} s is above the objective of {OBJECTIVE_SECONDS} s: {pieces}; "
            "lower global:healthCheckInterval or global:healthCheckThreshold"
        )
    if budget.rpo > OBJECTIVE_SECONDS:
        pieces = ", ".join(f"{piece.name} {piece.seconds} s" for piece in budget.data)
        raise SettingsError(
            f"RPO {budget.rpo} s is above the objective of {OBJECTIVE_SECONDS} s: {pieces}"
        )
