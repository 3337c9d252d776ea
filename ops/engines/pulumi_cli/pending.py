"""What a killed deployment had begun to make: found in the cloud, so that the next one resumes.

Pulumi's CLI keeps each creation under way in the state, without the id that it didn't live to hear
of. A next ``up`` would make the same again: AWS refuses a name twice, and makes everything else a
second time (trap 44). What was made is put into the state and read by ``pulumi refresh --target``,
which refuses what isn't in the state yet: so the CLI's own ``--import-pending-creates`` would read
everything. How a resource is found by its inputs is declared once, in ``lab/provider``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from lab.provider.aws import Aws, explain
from lab.provider.registry import all_types
from ops.cloud.clients import Clients
from pulumi_protocol.events import EngineError
from pulumi_protocol.values import SIGNATURE

CREATING = "creating"
READY_SECONDS = 120 * 60.0
"""As long as the provider itself waits for what takes longest, a cluster (trap 48)."""
PAUSE_SECONDS = 5.0

T = TypeVar("T")
Find = Callable[["PendingCreate"], str | None]
"""Returns the id of what was made, or None where nothing was; waits until it can be used."""


@dataclass(frozen=True)
class PendingCreate:
    """A creation whose end the engine didn't live to see."""

    urn: str
    type: str
    """``aws:s3/bucket:Bucket``."""
    inputs: Mapping[str, Any]
    """Without secrets, by which nothing is found."""
    provider: str
    """The provider's reference, which names its region."""


def begun(document: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Returns the creations under way in an exported state, as the CLI keeps them."""
    operations = _deployment(document).get("pending_operations") or []
    return [one["resource"] for one in operations if one.get("type") == CREATING]


def creates(document: Mapping[str, Any] | None) -> list[PendingCreate]:
    """Returns those of them that AWS may have: components and providers are the state's alone."""
    return [
        PendingCreate(
            str(resource["urn"]),
            str(resource["type"]),
            {
                name: value
                for name, value in (resource.get("inputs") or {}).items()
                if not _is_secret(value)
            },
            str(resource.get("provider") or ""),
        )
        for resource in begun(document)
        if resource.get("custom") and not str(resource["type"]).startswith("pulumi:")
    ]


def settled(document: Mapping[str, Any], found: Mapping[str, str]) -> dict[str, Any]:
    """Returns the state with what was made as resources, URN → id, and without the creations that
    came to nothing. A resource's outputs are what it was made with, until it is read.

    ``pulumi stack import`` drops every other pending operation as well; the next deployment finds
    out what became of a change or a deletion by itself.
    """
    deployment = _deployment(document)
    made = [
        {**resource, "id": ident, "outputs": {**(resource.get("inputs") or {}), "id": ident}}
        for resource in begun(document)
        if (ident := found.get(resource["urn"]))
    ]
    # What a resource uses was there before it was begun: at the end it comes after all of it.
    resources = [*(deployment.get("resources") or []), *made]
    changed = {**deployment, "resources": resources, "pending_operations": []}
    return {**document, "deployment": changed}


def ids(wanted: Iterable[PendingCreate], document: Mapping[str, Any], find: Find) -> dict[str, str]:
    """Returns URN → id of what was made; what the state has under another URN, or as what is to be
    replaced, is something else. Raises ``EngineError`` for a type that can't be found."""
    held = {
        (str(one["type"]), str(one.get("id")))
        for one in _deployment(document).get("resources") or []
    }
    found = {one.urn: (one.type, ident) for one in wanted if (ident := find(one)) is not None}
    return {urn: ident for urn, (type_, ident) in found.items() if (type_, ident) not in held}


def finder(make_clients: Callable[[], Clients]) -> Find:
    """Returns what finds resources in the account, or in the lab, of these clients, which are made
    when something is to be found."""

    @cache
    def in_region() -> dict[str, _Account]:
        clients = make_clients()
        return {region: _Account(region=region, clients=clients) for region in clients.regions}

    def find(begun: PendingCreate) -> str | None:
        kind, accounts = all_types().get(begun.type), in_region()
        region = next((name for name in accounts if name in begun.provider), "")
        if kind is None or not region:
            raise EngineError(
                f"{begun.urn.rpartition('::')[2]} ({begun.type}) was being made when a deployment "
                "was killed, and can't be looked for: see whether it is there, delete it, then run "
                "pulumi refresh --clear-pending-creates"
            )
        aws = accounts[region]
        try:
            ident = kind.look_up(aws, dict(begun.inputs))
            if ident is not None:
                kind.wait_ready(aws, ident, dict(begun.inputs))
            return ident
        except Exception as fault:
            raise EngineError(
                f"{begun.urn.rpartition('::')[2]} was being made when a deployment was killed, and "
                f"can't be looked for ({explain(fault)}): run the same command again"
            ) from None

    return find


@dataclass
class _Account(Aws):
    """The account's APIs as the declarations call them, through the operators' clients."""

    clients: Any = None

    def client(self, service: str, region: str | None = None) -> Any:
        """The operators' client."""
        return self.clients.get(service, region or self.region)

    def until(self, what: str, seconds: float, probe: Callable[[], T | None]) -> T:
        """As long as the provider waits, which is longer than a lab takes."""
        return super().until(what, max(seconds, READY_SECONDS), probe)


def _deployment(document: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return (document or {}).get("deployment") or {}


def _is_secret(value: Any) -> bool:
    return isinstance(value, Mapping) and SIGNATURE in value
