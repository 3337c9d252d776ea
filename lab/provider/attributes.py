"""SNS and SQS keep most of a resource in one map of attributes, all of them text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lab.provider import shapes
from lab.provider.aws import Aws
from lab.provider.declaration import Op, Properties
from lab.provider.resource import ResourceType


def text(value: Any) -> str:
    """Returns a value as an attribute has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def typed(seen: Any, written: Any) -> Any:
    """Returns an attribute as its input has it."""
    if seen is None or shapes.same(seen, written):
        return written
    if isinstance(written, bool):
        return str(seen) == "true"
    return int(seen) if isinstance(written, int) and str(seen).isdigit() else seen


class AttributesType(ResourceType):
    """A resource with attributes."""

    attributes: ClassVar[Mapping[str, str]] = {}
    """Input → attribute."""
    fixed_attributes: ClassVar[str] = ""
    """Inputs whose attribute can't be changed."""
    clear: ClassVar[Mapping[str, str]] = {}
    """What an attribute becomes when the program no longer sets it; else an empty text."""
    get_attributes: ClassVar[Op]

    @property
    def known(self) -> frozenset[str]:
        return super().known | set(self.attributes)

    def replaces(self, prop: str) -> bool:
        if prop in self.attributes:
            return prop in self.fixed_attributes.split()
        return super().replaces(prop)

    def wanted(self, props: Mapping[str, Any]) -> dict[str, str]:
        """Returns the attributes that the inputs mean."""
        return {
            name: text(props[key])
            for key, name in self.attributes.items()
            if props.get(key) not in (None, "", False) or (key in props and props[key] is False)
        }

    def set_attribute(self, aws: Aws, ident: str, values: Mapping[str, str]) -> None:
        """Writes some attributes."""
        raise NotImplementedError

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        had, wanted = self.wanted(before), self.wanted(after)
        values = {key: value for key, value in wanted.items() if had.get(key) != value}
        values |= {key: self.clear.get(key, "") for key in had.keys() - wanted.keys()}
        if values:
            self.set_attribute(aws, ident, values)

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        return self.ask(aws, self.get_attributes, ident, props)

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key in self.attributes:
            return typed((raw.get("Attributes") or {}).get(self.attributes[key]), written)
        return written

    def imported(self, aws: Aws, ident: str, raw: Properties) -> Properties:
        seen = raw.get("Attributes") or {}
        return {
            "region": aws.region,
            **{key: seen[name] for key, name in self.attributes.items() if name in seen},
        }
