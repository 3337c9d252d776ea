"""What Route 53's health checkers last saw of a load balancer, one by one.

Route 53's API answers from us-east-1 alone (trap 11): with that region lost nothing is known here,
and DNS answers all the same (:mod:`ops.cloud.traffic`).
"""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason
from ops.cloud.clients import Clients

SUCCESS = "Success"


@dataclass(frozen=True)
class Probe:
    """One checker's newest observation; ``at`` in seconds since the epoch."""

    checker: str
    at: float
    success: bool
    report: str
    """``HTTP Status Code 200, OK``"""


@dataclass(frozen=True)
class Probes:
    """The newest observations of one region's check, oldest first; ``unknown`` says why none."""

    seen: tuple[Probe, ...] = ()
    unknown: str = ""


def probes(clients: Clients, health_check_id: str | None) -> Probes:
    """Asks Route 53 for the observations of one health check that probes an endpoint."""
    if not health_check_id:
        return Probes(unknown="not deployed")
    try:
        answer = clients.get("route53", clients.regions[0]).get_health_check_status(
            HealthCheckId=health_check_id
        )
    except (ClientError, BotoCoreError) as error:
        return Probes(unknown=reason(error))
    found = []
    for observed in answer["HealthCheckObservations"]:
        said = observed["StatusReport"]
        outcome, _, report = said["Status"].partition(": ")
        checker = f"{observed.get('Region', '')} {observed.get('IPAddress', '')}".strip()
        at = said["CheckedTime"].timestamp()
        found.append(Probe(checker, at, outcome == SUCCESS, report))
    return Probes(tuple(sorted(found, key=lambda probe: probe.at)))
