"""Resource states and the checkpoint document, in Pulumi's deployment format (version 3)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pulumi_protocol.events import EngineError
from pulumi_protocol.urns import is_provider_type, name_of, referred

ENGINE_VERSION = "v3.272.0"
_VERSION = 3
_OPERATIONS = ("creating", "updating", "deleting", "reading", "importing")
_LISTS = {
    "dependencies": "dependencies",
    "ignore_changes": "ignoreChanges",
    "additional_secret_outputs": "additionalSecretOutputs",
    "init_errors": "initErrors",
}
_TEXTS = {
    "id": "id",
    "parent": "parent",
    "provider": "provider",
    "created": "created",
    "modified": "modified",
    "deleted_with": "deletedWith",
}
_FLAGS = {"external": "external", "delete": "delete"}
_KNOWN = {
    "urn", "custom", "type", "inputs", "outputs", "propertyDependencies", "customTimeouts",
    *_LISTS.values(), *_TEXTS.values(), *_FLAGS.values(),
}  # fmt: skip


def now() -> str:
    """The time as checkpoints write it (RFC 3339, UTC)."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True, eq=False)
class ResourceState:
    """What is remembered of one resource. Never changed in place: a new step makes a new one."""

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    created: str = ""
    modified: str = ""
    external: bool = False
    delete: bool = False
    deleted_with: str = ""
    ignore_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    init_errors: tuple[str, ...] = ()
    # Fields of the CLI's that mean nothing here, kept for the way back.
    extra: dict[str, Any] = field(default_factory=dict)
    _cache: list[str] = field(default_factory=list, repr=False)

    @property
    def name(self) -> str:
        """The resource's name in its program."""
        return name_of(self.urn)

    @property
    def key(self) -> tuple[str, str, bool]:
        """What is different for any two resources of a state: URN, id, whether it was replaced."""
        return (self.urn, self.id, self.delete)

    @property
    def is_provider(self) -> bool:
        """Whether this is a provider resource."""
        return is_provider_type(self.type)

    @property
    def managed(self) -> bool:
        """Whether a plugin makes, changes and deletes it: what a summary counts."""
        return self.custom and not self.external and not self.is_provider

    @property
    def provider_urn(self) -> str:
        """The URN in the provider reference ``urn::id``."""
        return referred(self.provider)

    @property
    def needs(self) -> set[str]:
        """URNs that must exist as long as this resource does."""
        urns = {*self.dependencies, self.parent, self.provider_urn, self.deleted_with}
        for listed in self.property_dependencies.values():
            urns.update(listed)
        return urns - {"", self.urn}

    def changed(self, **fields: Any) -> ResourceState:
        """A copy with these fields changed."""
        return replace(self, **fields, _cache=[])

    def to_json(self) -> dict[str, Any]:
        """The checkpoint's form; secrets are still ``{signature, value}``."""
        document: dict[str, Any] = {**self.extra, "urn": self.urn, "custom": self.custom}
        for attribute, key in _TEXTS.items():
            if value := getattr(self, attribute):
                document[key] = value
        document["type"] = self.type
        document["inputs"] = self.inputs
        document["outputs"] = self.outputs
        for attribute, key in _LISTS.items():
            if value := getattr(self, attribute):
                document[key] = list(value)
        if self.property_dependencies:
            document["propertyDependencies"] = {
                key: list(urns) for key, urns in self.property_dependencies.items()
            }
        if self.custom_timeouts:
            document["customTimeouts"] = self.custom_timeouts
        for attribute, key in _FLAGS.items():
            if getattr(self, attribute):
                document[key] = True
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> ResourceState:
        """Reads the checkpoint's form; EngineError says what in it is no resource's."""
        _check_entry(document)
        fields: dict[str, Any] = {name: document.get(key) or "" for name, key in _TEXTS.items()}
        fields |= {name: tuple(document.get(key) or ()) for name, key in _LISTS.items()}
        fields |= {name: bool(document.get(key)) for name, key in _FLAGS.items()}
        return cls(
            urn=document["urn"],
            type=document["type"],
            custom=bool(document.get("custom")),
            inputs=document.get("inputs") or {},
            outputs=document.get("outputs") or {},
            property_dependencies={
                key: tuple(urns or ())
                for key, urns in (document.get("propertyDependencies") or {}).items()
            },
            custom_timeouts=document.get("customTimeouts") or {},
            extra={key: value for key, value in document.items() if key not in _KNOWN},
            **fields,
        )

    def fragment(self, seal: Callable[[Any], Any]) -> str:
        """The JSON text of this state, its secrets sealed; made once, as states don't change."""
        if not self._cache:
            self._cache.append(json.dumps(seal(self.to_json())))
        return self._cache[0]

    def same_as(self, other: ResourceState) -> bool:
        """Whether nothing but the time of change differs."""
        mine, theirs = self.to_json(), other.to_json()
        for document in (mine, theirs):
            document.pop("modified", None)
            document.pop("created", None)
        return mine == theirs


@dataclass(frozen=True)
class PendingOperation:
    """A call to a plugin that had begun when the checkpoint was written."""

    type: str  # creating, updating or deleting
    resource: ResourceState

    @property
    def key(self) -> tuple[str, str, str, bool]:
        """What is different for any two pending operations."""
        return (self.type, *self.resource.key)


@dataclass(frozen=True)
class Checkpoint:
    """The state of one stack: its resources in an order in which each follows what it needs."""

    resources: tuple[ResourceState, ...] = ()
    pending: tuple[PendingOperation, ...] = ()


def manifest() -> dict[str, str]:
    """The deployment's manifest; ``magic`` is what the CLI checks against ``version``."""
    return {
        "time": now(),
        "magic": hashlib.sha256(ENGINE_VERSION.encode()).hexdigest(),
        "version": ENGINE_VERSION,
    }


def holds_resources(document: Any) -> bool:
    """Whether anything is deployed, by a state in the engine's form or the CLI's own backend's.

    A document that is neither counts as something: the engine that reads it says what is wrong.
    """
    if not isinstance(document, dict):
        return True
    deployment = document.get("deployment") or document.get("checkpoint") or {}
    if isinstance(deployment, dict):
        deployment = deployment.get("latest", deployment) or {}
    if not isinstance(deployment, dict):
        return True
    return bool(deployment.get("resources") or deployment.get("pending_operations"))


def render(checkpoint: Checkpoint, seal: Callable[[Any], Any]) -> str:
    """The checkpoint as the JSON text of a deployment."""
    resources = ", ".join(state.fragment(seal) for state in checkpoint.resources)
    pending = ", ".join(
        f'{{"resource": {operation.resource.fragment(seal)}, "type": "{operation.type}"}}'
        for operation in checkpoint.pending
    )
    return (
        f'{{"version": 3, "deployment": {{"manifest": {json.dumps(manifest())}, '
        f'"resources": [{resources}], "pending_operations": [{pending}], "metadata": {{}}}}}}'
    )


def parse(document: Any, reveal: Callable[[Any], Any]) -> Checkpoint:
    """Reads a deployment document (``{"version": 3, "deployment": …}``).

    EngineError says in one line what is wrong with one that isn't whole.
    """
    version = document.get("version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > _VERSION:
        raise EngineError(
            f"it has version {version}, which a newer release has written; this one reads "
            f"version {_VERSION}"
        )
    deployment = document.get("deployment") if version == _VERSION else None
    if not isinstance(deployment, dict):
        raise EngineError(f"it is no Pulumi deployment of version {_VERSION}")

    def state(entry: Any) -> ResourceState:
        return ResourceState.from_json(reveal(entry))

    def operation(entry: Any) -> PendingOperation:
        if not isinstance(entry, dict) or entry.get("type") not in _OPERATIONS:
            raise EngineError("one of its pending operations is none")
        return PendingOperation(entry["type"], state(entry.get("resource")))

    return Checkpoint(
        tuple(state(entry) for entry in _listed(deployment, "resources")),
        tuple(operation(entry) for entry in _listed(deployment, "pending_operations")),
    )


def _listed(deployment: dict[str, Any], key: str) -> list[Any]:
    found = deployment.get(key) or []
    if not isinstance(found, list):
        raise EngineError(f"its {key} are no list")
    return found


def _check_entry(document: Any) -> None:
    """Refuses what can't be a resource's entry, before anything is done by it."""
    if not isinstance(document, dict):
        raise EngineError("one of its resources is none")
    urn = document.get("urn")
    if not isinstance(urn, str) or not urn:
        raise EngineError("one of its resources has no urn")
    for key in ("type", *_TEXTS.values()):
        if not isinstance(document.get(key) or "", str):
            raise EngineError(f"the {key} of {urn} is no text")
    if not document.get("type"):
        raise EngineError(f"{urn} has no type")
    for key in ("inputs", "outputs", "propertyDependencies", "customTimeouts"):
        if not isinstance(document.get(key) or {}, dict):
            raise EngineError(f"the {key} of {urn} are no mapping")
    listed = [(key, document.get(key)) for key in _LISTS.values()]
    wiring = document.get("propertyDependencies") or {}
    listed += [("propertyDependencies", one) for one in wiring.values()]
    for key, found in listed:
        texts = found or []
        if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
            raise EngineError(f"the {key} of {urn} are no list of texts")
