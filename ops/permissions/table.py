"""What a role may do, typed: for each resource type (``types.toml``), and for each module that
calls AWS for an operators' command (``operators.toml``)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ops.errors import OperatorError

TABLE = Path(__file__).with_name("types.toml")
OPERATORS = Path(__file__).with_name("operators.toml")


@dataclass(frozen=True)
class Grant:
    """One entry of the table: actions of the reading role, and what the deploying role adds."""

    on: tuple[str, ...] = ()
    """Names of resources, to which ``read`` and ``write`` are limited."""
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    read_any: tuple[str, ...] = ()
    write_any: tuple[str, ...] = ()
    tagged_read: tuple[str, ...] = ()
    tagged: tuple[str, ...] = ()
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of resources → further actions of the deploying role."""
    passes: tuple[str, ...] = ()
    """Services that get a role of ours."""
    hands: str = "role"
    """Name of the resources that are handed to them."""
    service_roles: tuple[str, ...] = ()
    """Services whose own role the first use in an account makes."""
    attaches: bool = False


@dataclass(frozen=True)
class Table:
    """Resource names → ARN templates, types → grants, tasks → grants, and of operators' roles."""

    resources: Mapping[str, tuple[str, ...]]
    types: Mapping[str, Grant]
    deploying: tuple[Grant, ...] = ()
    reading: tuple[Grant, ...] = ()
    operators: Mapping[str, Mapping[str, Grant]] = field(default_factory=dict)
    """Operators' role → module that calls → its grant."""
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Resource name → the condition under which it is reached."""
    implied: Mapping[str, str] = field(default_factory=dict)
    """Action that no call names → why AWS asks for it."""
    lab_alone: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Module → actions that it calls in a lab alone."""

    def of(self, types: Iterable[str]) -> list[Grant]:
        """The grants of these types; one that the table lacks is named, never left out."""
        wanted = sorted(set(types))
        missing = [type_ for type_ in wanted if type_ not in self.types]
        if missing:
            raise OperatorError(
                f"ops/permissions/types.toml has no actions for {', '.join(missing)}: a policy "
                "without them would stop a deployment halfway; add them there"
            )
        return [self.types[type_] for type_ in wanted]


@cache
def table() -> Table:
    """The tables as they are kept."""
    kept = tomllib.loads(TABLE.read_text("utf-8"))
    operators = tomllib.loads(OPERATORS.read_text("utf-8"))
    resources = {**kept["resources"], **operators["resources"]}
    return Table(
        {name: tuple(arns) for name, arns in resources.items()},
        {name: _grant(entry) for name, entry in kept.items() if name.startswith("aws:")},
        tuple(map(_grant, kept["tasks"]["deploy"])),
        tuple(map(_grant, kept["tasks"]["read"])),
        _operators(operators["calls"]),
        operators["conditions"],
        operators["implied"],
        {module: tuple(actions.split()) for module, actions in operators["lab_alone"].items()},
    )


def _operators(calls: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Grant]]:
    names = {"any": "read_any", "on": "also"}
    found: dict[str, dict[str, Grant]] = {}
    for entry in calls:
        given = {names.get(key, key): value for key, value in entry.items()}
        module, roles = given.pop("module"), given.pop("roles")
        for role in roles.split():
            found.setdefault(role, {})[module] = _grant(given)
    return found


def _grant(entry: Mapping[str, Any]) -> Grant:
    def typed(value: Any) -> Any:
        if isinstance(value, str):
            return tuple(value.split())
        if isinstance(value, dict):
            return {name: tuple(actions.split()) for name, actions in value.items()}
        return tuple(value) if isinstance(value, list) else value

    hands = {"hands": entry["hands"]} if "hands" in entry else {}
    others = {name: typed(value) for name, value in entry.items() if name != "hands"}
    return Grant(**others, **hands)
