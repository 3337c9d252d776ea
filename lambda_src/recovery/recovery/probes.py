"""The probes of one region, each one bounded question to the world outside the function."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from recovery import database_answers, describe, http_get, signs, txt_query
from recovery.database_probe import DatabaseProbe
from recovery.environment import Environment
from recovery.model import State
from recovery.observation import Observation, Ready, Signal, Witness
from recovery.observe import LIMIT_SECONDS, Probes, observe
from recovery.parameters import RecoveryParameters
from recovery.recorded_events import RecordedEvents, Validations

HEALTH, READY = "/health", "/ready"
TOKEN_HEADER = "x-readiness-token"  # noqa: S105 - the header's name
DNS_PORT = 53
DNS_SECONDS = 3.0
ASKED_SERVERS = 2


class Secrets(Protocol):
    """What is used of boto3's Secrets Manager client."""

    def get_secret_value(self, **arguments: Any) -> Mapping[str, Any]:
        """One secret's value."""
        ...


@dataclass(frozen=True)
class RegionalObserver:
    """Port ``Observer``."""

    environment: Environment
    rds: describe.Rds
    secrets: Secrets
    database: DatabaseProbe
    parameters: RecoveryParameters
    events: RecordedEvents
    validations: Validations
    get: http_get.Get | None = None
    """Another way to the load balancers than by their names."""
    seconds: float = LIMIT_SECONDS
    """Longest observation."""

    def observe(self, minute: int, state: State) -> Observation:
        """Takes at most ``seconds``; a probe that fails is unknown."""
        del state
        env, rds, get = self.environment, self.rds, self.get or http_get.get
        answer = self.database.observe()
        return observe(
            Probes(
                own_load_balancer=lambda: own_load_balancer(env.load_balancer, get),
                peer_application=lambda: peer_application(env.peer_load_balancer, get),
                ready=lambda: peer_ready(
                    env.peer_load_balancer, env.server_name, self.readiness_token(), get
                ),
                witness=lambda: witness(env.name_servers, env.witness),
                writer_sql=lambda: database_answers.writer(answer()),
                reader=lambda: database_answers.reader(answer(), env.settings.region),
                own_cluster=lambda: describe.own_cluster(rds, env.cluster),
                global_cluster=lambda: describe.global_cluster(
                    rds, env.global_cluster, env.cluster_arn
                ),
                validation=self.validations.newest,
                events=lambda: self.events.recent(minute),
                own_writer=lambda: database_answers.own_writer(answer()),
                old_writer=lambda: database_answers.old_writer(answer()),
                switch=self.parameters.position,
            ),
            minute,
            self.seconds,
        )

    def readiness_token(self) -> str:
        """Returns the token that opens ``/ready``, from this region's replica of the secret."""
        arn = self.environment.readiness_token_secret
        return str(self.secrets.get_secret_value(SecretId=arn)["SecretString"])


def own_load_balancer(host: str, get: http_get.Get = http_get.get) -> Signal:
    """Asks the own load balancer by its own name."""
    answer = get(host, HEALTH)
    return signs.own_load_balancer(answer.status, answer.fault)


def peer_application(host: str, get: http_get.Get = http_get.get) -> Signal:
    """Asks the other region's application over its load balancer."""
    answer = get(host, HEALTH)
    return signs.application(answer.status, answer.fault)


def peer_ready(host: str, server_name: str, token: str, get: http_get.Get = http_get.get) -> Ready:
    """Asks the other region's application what it knows of its writer."""
    answer = get(host, READY, {TOKEN_HEADER: token}, server_name)
    return writer_as_reported(answer.status, answer.body)


def writer_as_reported(status: int | None, body: bytes) -> Ready:
    """Returns what ``/ready`` says of the writer alone: 503 may be another part's.

    Codes that the controller doesn't know are no statement.
    """
    try:
        part = json.loads(body)["parts"]["writer"]
    except (ValueError, KeyError, TypeError):
        return signs.ready(status, "")
    if status == 503 and part.get("ready") is True:
        return Ready.READY
    return signs.ready(status, str(part.get("reason", "")))


def witness(servers: tuple[str, ...], name: str) -> Witness:
    """Asks two of the zone's name servers; one that doesn't answer is as good as none."""
    return signs.witness([_texts(server, name) for server in servers[:ASKED_SERVERS]])


def _texts(server: str, name: str) -> tuple[str, ...] | None:
    number = random.SystemRandom().getrandbits(16)
    try:
        address, port = resolved(server)
        return txt_query.ask(address, name, number, DNS_SECONDS, port)
    except (OSError, txt_query.TxtError):
        return None


def resolved(server: str) -> tuple[str, int]:
    """Returns a name server's address and port; raises OSError."""
    found = socket.getaddrinfo(server, DNS_PORT, socket.AF_INET, socket.SOCK_DGRAM)
    address, port = found[0][4][:2]
    return str(address), int(port)
