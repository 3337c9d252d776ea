"""The recovery budget: how long an outage may last and how much may be lost, by configuration.

RTO and RPO are promised as 15 minutes each. This module adds up what the configuration allows in
the worst case, piece by piece, and refuses a configuration whose sum is larger (N6). It is pure;
the settings call it, so a bare ``pulumi up`` is refused as well.

Traffic and writes recover apart: traffic by Route 53 alone, writes by a promotion of the standby,
which the recovery controller decides on (lambda_src/recovery). It waits for no DNS change: clients
reach the standby by then.
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
"""The controller runs each minute: so long an outage waits for a run, and a step for the next."""
CONTROLLER_RUNS = 4
"""Runs until a promotion: three dead ones and the minute before the first; of the database-only
path four that call the writer unreachable."""
WITNESS_MARGIN_SECONDS = 80
"""From the last failed probe to the run that reads Route 53's verdict: its decision, the TXT
record's TTL, and the wait for a run."""
RUN_SECONDS = 30
"""Of a run until its call, or until its proof that writes work."""
PROMOTION_ALLOWANCE_SECONDS = 480
"""For failover_global_cluster with data loss allowed: AWS states minutes, without a promise, and a
public test saw eight (keycloak-benchmark #445). After that a person is paged."""
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
    def write_rto_with_a_lost_run(self) -> int:
        """The same where one of the controller's runs is lost, which is within the promise."""
        return self.write_rto + CONTROLLER_PERIOD_SECONDS

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
            "write_rto_with_a_lost_run_seconds": self.write_rto_with_a_lost_run,
            "rpo_seconds": self.rpo,
            **asdict(self),
        }


def recovery_budget(health_check_interval: int, health_check_threshold: int) -> Budget:
    """The budget of a configuration; interval in seconds, threshold in probes."""
    probes = f"{health_check_interval} s x {health_check_threshold} probes"
    traffic = (
        Piece(
            f"health decision ({probes})",
            health_check_interval * health_check_threshold + HEALTH_DECISION_MARGIN_SECONDS,
        ),
        Piece("record TTL", RECORD_TTL_SECONDS),
    )
    runs = CONTROLLER_RUNS * CONTROLLER_PERIOD_SECONDS
    witness = health_check_interval * health_check_threshold + WITNESS_MARGIN_SECONDS
    writes = (
        Piece(f"proof of the loss ({CONTROLLER_RUNS} runs)", runs)
        if runs >= witness
        else Piece(f"Route 53's verdict ({probes})", witness),
        Piece("the run that decides", RUN_SECONDS),
        Piece("promotion of the standby database", PROMOTION_ALLOWANCE_SECONDS),
        Piece("the next run, which sees it", CONTROLLER_PERIOD_SECONDS),
        Piece("proof that writes work", RUN_SECONDS),
    )
    data = (
        Piece("database replication lag", DATABASE_LAG_ALARM_SECONDS),
        Piece("object replication (S3 RTC)", OBJECT_REPLICATION_SECONDS),
        Piece("event delivery", EVENT_DELIVERY_ALARM_SECONDS),
    )
    return Budget(traffic, writes, data)


def check_budget(budget: Budget) -> None:
    """Raises :class:`SettingsError`, naming the pieces, when a sum is above the objective."""
    if budget.write_rto_with_a_lost_run > OBJECTIVE_SECONDS:
        lost = Piece("one lost run", CONTROLLER_PERIOD_SECONDS)
        pieces = " + ".join(f"{piece.name} {piece.seconds} s" for piece in (*budget.writes, lost))
        raise SettingsError(
            f"RTO {budget.write_rto_with_a_lost_run} s is above the objective of "
            f"{OBJECTIVE_SECONDS} s: {pieces}; "
            "lower global:healthCheckInterval or global:healthCheckThreshold"
        )
    if budget.rpo > OBJECTIVE_SECONDS:
        pieces = ", ".join(f"{piece.name} {piece.seconds} s" for piece in budget.data)
        raise SettingsError(
            f"RPO {budget.rpo} s is above the objective of {OBJECTIVE_SECONDS} s: {pieces}"
        )
