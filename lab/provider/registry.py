"""Every resource type that the plugin has: what the modules of ``lab.provider.types`` declare.

A new module there needs no entry anywhere.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from lab.provider import types
from lab.provider.resource import ResourceType


class UnknownTypeError(Exception):
    """A type that the lab's provider doesn't have."""

    def __init__(self, token: str) -> None:
        super().__init__(f"resource type {token} is not supported by the lab's provider")


def _declared() -> Iterator[type[ResourceType]]:
    """Yields the classes that declare a type, in the modules' order."""
    for info in pkgutil.iter_modules(types.__path__):
        module = import_module(f"{types.__name__}.{info.name}")
        for value in vars(module).values():
            is_type = isinstance(value, type) and issubclass(value, ResourceType)
            if is_type and value.__module__ == module.__name__ and "pulumi_type" in vars(value):
                yield value


@cache
def all_types() -> Mapping[str, ResourceType]:
    """Returns every type, by token (``aws:ec2/vpc:Vpc``)."""
    return MappingProxyType({kind.pulumi_type: kind() for kind in _declared()})


def resource_type(token: str) -> ResourceType:
    """Returns the declaration of a type."""
    found = all_types().get(token)
    if found is None:
        raise UnknownTypeError(token)
    return found
