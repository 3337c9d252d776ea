"""The resource graph that rules look at, whichever engine or tool it comes from."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

PROVIDER = "pulumi:providers:aws"


class NotKnownError(Exception):
    """A property's value that isn't known before it is deployed; reading one raises this."""


@dataclass(frozen=True)
class Resource:
    """One resource. ``properties`` in camelCase, as pulumi-aws gives them."""

    urn: str
    type: str
    properties: Mapping[str, Any]
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Property → URNs of the resources that its value comes from."""
    provider: str = ""
    """URN of the provider that makes it; empty for the default one and for components."""

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.rpartition("::")[2]

    def get(self, property_name: str, default: Any = None) -> Any:
        """A property, or ``default`` where it is absent or null."""
        value = self.properties.get(property_name)
        return default if value is None else value

    def statements(self, property_name: str = "policy") -> list[dict[str, Any]]:
        """The statements of an IAM policy document in a property (JSON text)."""
        document = self.get(property_name)
        if not isinstance(document, str):
            return []
        try:
            statements = json.loads(document).get("Statement", [])
        except (ValueError, AttributeError):
            return []
        return [statements] if isinstance(statements, dict) else list(statements)


class Graph:
    """All resources of the layers that are looked at together."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources = list(resources)
        self._by_urn = {resource.urn: resource for resource in self.resources}

    def of(self, *types: str) -> list[Resource]:
        """Resources of these types, given without the ``aws:`` in front."""
        wanted = {f"aws:{type_}" for type_ in types}
        return [resource for resource in self.resources if resource.type in wanted]

    def attached(self, type_: str, property_name: str, target: Resource) -> list[Resource]:
        """Resources of a type whose property names ``target``."""
        return [
            resource for resource in self.of(type_) if self.names(resource, property_name, target)
        ]

    def names(self, resource: Resource, property_name: str, target: Resource) -> bool:
        """Whether a property's value comes from ``target``, or is its id, ARN or name."""
        if target.urn in resource.references.get(property_name, ()):
            return True
        try:
            value = resource.get(property_name)
        except NotKnownError:
            return False  # it comes from a resource that is yet to be made, and from another one
        values = value if isinstance(value, list) else [value]
        own = {_known(target, key) for key in ("id", "arn", "name", "bucket")} - {None}
        return any(isinstance(item, str) and item in own for item in values)

    def provider_of(self, resource: Resource) -> Resource | None:
        """The provider resource that makes a resource."""
        return self._by_urn.get(resource.provider)

    @classmethod
    def of_checkpoint(cls, resources: Iterable[Mapping[str, Any]]) -> "Graph":
        """From the resources of a deployment, as ``pulumi stack export`` writes them."""
        return cls(
            Resource(
                urn=item["urn"],
                type=item["type"],
                properties={
                    **item.get("inputs", {}),
                    **item.get("outputs", {}),
                    **({"id": item["id"]} if item.get("id") else {}),
                },
                references={
                    key: tuple(urns or ())
                    for key, urns in (item.get("propertyDependencies") or {}).items()
                },
                provider=str(item.get("provider", "")).rpartition("::")[0],
            )
            for item in resources
            if item.get("custom") and not item.get("delete")
        )


def _known(resource: Resource, property_name: str) -> Any:
    try:
        return resource.get(property_name)
    except NotKnownError:
        return None  # what is known already can't be equal to it


def actions(statement: Mapping[str, Any]) -> list[str]:
    """The actions of a statement, as a list."""
    return _listed(statement.get("Action", ()))


def targets(statement: Mapping[str, Any]) -> list[str]:
    """The resources of a statement, as a list."""
    return _listed(statement.get("Resource", ()))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
