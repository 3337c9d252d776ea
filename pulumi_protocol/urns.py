"""URNs (``urn:pulumi:stack::project::parentType$type::name``), provider references, own types."""

from __future__ import annotations

STACK_TYPE = "pulumi:pulumi:Stack"
STACK_REFERENCE_TYPE = "pulumi:pulumi:StackReference"
PROVIDER_PREFIX = "pulumi:providers:"
INTERNAL_PROVIDER_TYPE = "pulumi:providers:pulumi"


def is_provider_type(type: str) -> bool:
    """Whether resources of this type are providers."""
    return type.startswith(PROVIDER_PREFIX)


def make(stack: str, project: str, parent: str, type: str, name: str) -> str:
    """The URN of a resource; ``parent`` is its parent's URN or empty.

    The parent's own chain of types comes first, save that the stack's is left out.
    """
    chain = _chain(parent) if parent else ""
    chain = "" if chain in ("", STACK_TYPE) else f"{chain}$"
    return f"urn:pulumi:{stack}::{project}::{chain}{type}::{name}"


def name_of(urn: str) -> str:
    """The resource's name in its program."""
    return urn.rpartition("::")[2]


def type_of(urn: str) -> str:
    """The resource's own type, without its parents'."""
    return _chain(urn).rpartition("$")[2]


def place_of(urn: str) -> tuple[str, str]:
    """The stack and the project."""
    stack, project, *_ = urn.removeprefix("urn:pulumi:").split("::")
    return stack, project


def reference(urn: str, id: str) -> str:
    """A provider as resources name it: ``urn::id``."""
    return f"{urn}::{id}"


def referred(reference: str) -> str:
    """The URN in a provider reference; empty for an empty one."""
    return reference.rpartition("::")[0]


def _chain(urn: str) -> str:
    return urn.split("::")[2]
