"""Resource states and the checkpoint document, in Pulumi's deployment format (version 3)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pulumi_protocol.events import EngineError
from pulumi_protocol.urns import is_provider_type, name_of, referred

ENGINE_VERSION = "v3.272.0"
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
        """Reads the checkpoint's form."""
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
    def key(self) -> tuple[str, str, bool]:
        """What is different for any two pending operations."""
        return (self.resource.urn, self.type, self.resource.delete)


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


def holds_resources(document: dict[str, Any]) -> bool:
    """Whether anything is deployed, by a state in the engine's form or the CLI's own backend's."""
    deployment = document.get("deployment") or document.get("checkpoint", {}).get("latest") or {}
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


def parse(document: dict[str, Any], reveal: Callable[[Any], Any]) -> Checkpoint:
    """Reads a deployment document (``{"version": 3, "deployment": …}``)."""
    deployment = document.get("deployment")
    if document.get("version") != 3 or not isinstance(deployment, dict):
        raise EngineError("the document is no Pulumi deployment of version 3")

    def state(entry: dict[str, Any]) -> ResourceState:
        return ResourceState.from_json(reveal(entry))

    pending: Iterable[dict[str, Any]] = deployment.get("pending_operations") or ()
    return Checkpoint(
        tuple(state(entry) for entry in deployment.get("resources") or ()),
        tuple(PendingOperation(entry["type"], state(entry["resource"])) for entry in pending),
    )
