"""What ``/ready`` of a region answers: whether it could serve, and reaches its writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud import web
from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from tapstack.naming import physical_name
from tapstack.well_known import READINESS_TOKEN, READY_PATH, TOKEN_HEADER

WRITER = "writer"


@dataclass(frozen=True)
class Readiness:
    """One region's answer."""

    status: int = 0
    """0: no answer."""
    failing: Mapping[str, str] = field(default_factory=dict)
    """Part → reason (lambda_src/api/README.md, Readiness)."""
    detail: str = ""
    """Why it says nothing."""

    @property
    def is_known(self) -> bool:
        """Whether the application said how it is."""
        return self.status in (200, 503) and not self.detail

    @property
    def writes(self) -> bool | None:
        """Whether this region reaches a writer that takes its writes; None: not known."""
        return WRITER not in self.failing if self.is_known else None

    def __str__(self) -> str:
        """As a table shows it."""
        if not self.is_known:
            return f"unknown ({self.detail})"
        failing = ", ".join(f"{part} {why}" for part, why in self.failing.items())
        return f"not ready: {failing}" if failing else "ready"


def readiness(
    host: str | None,
    clients: Clients,
    region: str,
    suffix: str,
    lab_endpoint: str | None,
    server_name: str = "",
) -> Readiness:
    """Asks one region's load balancer, with the token that the region itself keeps; over TLS where
    its certificate has a ``server_name``."""
    if not host:
        return Readiness(detail="not deployed")
    headers, without = _token(clients, region, suffix)
    answer = web.get(host, READY_PATH, lab_endpoint, headers, server_name)
    if answer.status == 404:
        return Readiness(404, detail=without or "the token was refused")
    parts = answer.body.get("parts")
    if answer.status not in (200, 503) or not isinstance(parts, dict):
        return Readiness(answer.status, detail=answer.detail or f"answers {answer.status}")
    failing = {
        str(name): str(part.get("reason", "failed"))
        for name, part in parts.items()
        if isinstance(part, dict) and not part.get("ready")
    }
    return Readiness(answer.status, failing)


def _token(clients: Clients, region: str, suffix: str) -> tuple[dict[str, str], str]:
    """The header that opens ``/ready``, or none and why.

    A replica has the name of the secret in the primary region.
    """
    name = physical_name("secret", READINESS_TOKEN, clients.regions[0], suffix)
    try:
        answer = clients.get("secretsmanager", region).get_secret_value(SecretId=name)
    except (ClientError, BotoCoreError) as error:
        why = reason(error)
        missing = why == "ResourceNotFoundException"
        return {}, "no token is deployed" if missing else f"the token can't be read: {why}"
    return {TOKEN_HEADER: answer["SecretString"]}, ""
