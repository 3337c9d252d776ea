"""Resource states and the checkpoint document, in Pulumi's deployment format (version 3).

On disk secrets are encrypted with a key file of the state directory; both files have mode 0600.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.engine.events import EngineError
from lab.engine.values import SIGNATURE, is_secret, transform

ENGINE_VERSION = "v3.272.0"
STACK_TYPE = "pulumi:pulumi:Stack"
STACK_REFERENCE_TYPE = "pulumi:pulumi:StackReference"
PROVIDER_PREFIX = "pulumi:providers:"
INTERNAL_PROVIDER_TYPE = "pulumi:providers:pulumi"

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
        return self.urn.rpartition("::")[2]

    @property
    def is_provider(self) -> bool:
        """Whether this is a provider resource."""
        return self.type.startswith(PROVIDER_PREFIX)

    @property
    def managed(self) -> bool:
        """Whether a plugin makes, changes and deletes it: what a summary counts."""
        return self.custom and not self.external and not self.is_provider

    @property
    def provider_urn(self) -> str:
        """The URN in the provider reference `urn::id`."""
        return self.provider.rpartition("::")[0]

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
        """The checkpoint's form; secrets are still `{signature, value}`."""
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
        """Read the checkpoint's form."""
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
        """What tells one pending operation from another."""
        return (self.resource.urn, self.type, self.resource.delete)


@dataclass(frozen=True)
class Checkpoint:
    """The state of one stack: its resources in an order in which each follows what it needs."""

    resources: tuple[ResourceState, ...] = ()
    pending: tuple[PendingOperation, ...] = ()


class Vault:
    """Encrypts secrets with the state directory's own key file (AES-256-GCM), made when needed."""

    _PREFIX = "embedded:v1:"

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "secrets.key"
        self._cipher: Any = None

    def seal(self, value: Any) -> Any:
        """The value with the content of every secret encrypted."""
        return transform(value, self._seal_one)

    def open(self, value: Any) -> Any:
        """The value with every secret readable again; takes `plaintext` secrets too."""
        return transform(value, self._open_one)

    def _seal_one(self, fields: dict[str, Any]) -> dict[str, Any]:
        if not is_secret(fields) or "value" not in fields:
            return fields
        nonce = os.urandom(12)
        content = self._aead(create=True).encrypt(nonce, json.dumps(fields["value"]).encode(), b"")
        text = self._PREFIX + base64.b64encode(nonce + content).decode()
        return {SIGNATURE: fields[SIGNATURE], "ciphertext": text}

    def _open_one(self, fields: dict[str, Any]) -> dict[str, Any]:
        if not is_secret(fields) or "value" in fields:
            return fields
        if "plaintext" in fields:
            return {SIGNATURE: fields[SIGNATURE], "value": json.loads(fields["plaintext"])}
        text = str(fields.get("ciphertext", ""))
        if not text.startswith(self._PREFIX):
            raise EngineError(
                "the state holds secrets that another engine encrypted; export it with "
                "`pulumi stack export --show-secrets`"
            )
        sealed = base64.b64decode(text.removeprefix(self._PREFIX))
        content = self._aead(create=False).decrypt(sealed[:12], sealed[12:], b"")
        return {SIGNATURE: fields[SIGNATURE], "value": json.loads(content)}

    def _aead(self, *, create: bool) -> Any:
        if self._cipher is None:
            # Imported late: most operations see no secret, and the import takes a while.
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._cipher = AESGCM(self._key(create=create))
        return self._cipher

    def _key(self, *, create: bool) -> bytes:
        if not self._path.exists():
            if not create:
                raise EngineError(
                    f"the state's secrets can't be read: their key {self._path} is missing"
                )
            private_directory(self._path.parent)
            # Written aside and linked, so that two layers that start at once share one key.
            draft = self._path.with_name(f".{self._path.name}.{os.getpid()}.{id(self)}")
            write_private(draft, os.urandom(32))
            try:
                os.link(draft, self._path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return self._path.read_bytes()


def manifest() -> dict[str, str]:
    """The deployment's manifest; `magic` is what the CLI checks against `version`."""
    return {
        "time": now(),
        "magic": hashlib.sha256(ENGINE_VERSION.encode()).hexdigest(),
        "version": ENGINE_VERSION,
    }


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
    """Read a deployment document (`{"version": 3, "deployment": …}`)."""
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


def read(path: Path, vault: Vault) -> Checkpoint | None:
    """The checkpoint in a file; None when there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        document = json.loads(text)
    except ValueError:
        raise EngineError(f"the state file {path} is damaged: it is no JSON") from None
    return parse(document, vault.open)


def private_directory(path: Path) -> None:
    """Make the directory, and those above that are missing, readable for their owner alone."""
    if not path.is_dir():
        private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)


def write_atomically(path: Path, text: str) -> None:
    """Replace the file in one step: a reader, or a kill, sees the old content or the new."""
    # One writer holds the lock, so one name will do, and a kill leaves at most one draft.
    draft = path.with_name(f".{path.name}.draft")
    write_private(draft, text.encode())
    draft.replace(path)
