"""What a program asks for, read once into typed values: a resource, a look at one, a function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pulumi_protocol.checkpoint import ResourceState
from pulumi_protocol.paths import ignoring
from pulumi_protocol.urns import is_provider_type
from pulumi_protocol.values import Properties


@dataclass(frozen=True)
class Registration:
    """A resource as the program registers it. Assets in ``inputs`` carry their hash."""

    urn: str
    type: str
    custom: bool
    inputs: Properties
    parent: str = ""
    provider: str = ""
    """Reference ``urn::id``; empty for components and for what was given no explicit provider."""
    version: str = ""
    """Of the provider's package, for providers."""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    deleted_with: str = ""
    aliases: tuple[str, ...] = ()
    """Other URNs that it may be known under, the likeliest first."""
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    delete_before_replace: bool | None = None
    """None: the program leaves it to the provider."""
    additional_secret_outputs: tuple[str, ...] = ()
    custom_timeouts: Mapping[str, float] = field(default_factory=dict)
    """Of ``create``, ``update``, ``delete`` and ``read``, in seconds."""

    @property
    def is_provider(self) -> bool:
        """Whether it is a provider."""
        return is_provider_type(self.type)

    def keeping(self, old: ResourceState | None) -> Registration:
        """The registration with the old values at the paths whose changes it ignores."""
        if old is None or not self.ignore_changes:
            return self
        return replace(self, inputs=ignoring(self.inputs, old.inputs, self.ignore_changes))

    def state(self, inputs: Properties, moment: str) -> ResourceState:
        """The resource as wanted with these checked inputs; id and outputs aren't known yet."""
        return ResourceState(
            urn=self.urn,
            type=self.type,
            custom=self.custom,
            inputs=inputs,
            parent=self.parent,
            provider=self.provider if self.custom else "",
            dependencies=self.dependencies,
            property_dependencies=dict(self.property_dependencies),
            created=moment,
            modified=moment,
            deleted_with=self.deleted_with,
            ignore_changes=self.ignore_changes,
            additional_secret_outputs=self.additional_secret_outputs,
            custom_timeouts=dict(self.custom_timeouts),
        )


@dataclass(frozen=True)
class Reading:
    """A resource that the program only looks at (``.get()``, a StackReference)."""

    urn: str
    type: str
    id: str
    properties: Properties
    parent: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()

    def state(self, inputs: Properties, provider: str, moment: str) -> ResourceState:
        """The resource as it is remembered; id and outputs aren't known yet."""
        return ResourceState(
            urn=self.urn,
            type=self.type,
            custom=True,
            inputs=inputs,
            parent=self.parent,
            provider=provider,
            dependencies=self.dependencies,
            created=moment,
            modified=moment,
            external=True,
            additional_secret_outputs=self.additional_secret_outputs,
        )


@dataclass(frozen=True)
class Invocation:
    """A call of a provider's function."""

    token: str
    arguments: Properties
    provider: str = ""
    depends_on: tuple[str, ...] = ()
