"""The events of an engine's operation while it works, and its summary at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

Phase = Literal["planned", "started", "done", "failed"]
Severity = Literal["debug", "info", "warning", "error"]


class Operation(StrEnum):
    """What happens to one resource."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    READ = "read"
    REFRESH = "refresh"


@dataclass(frozen=True)
class PropertyDiff:
    """One changed property: its path as Pulumi writes it (``tags.Name``, ``rules[0].port``).

    ``old`` and ``new`` are plain values; a secret is shown as "[secret]", a value not known before
    deployment as "[unknown]", an absent one as None. ``replaces``: the change forces replacement.
    """

    path: str
    old: Any
    new: Any
    replaces: bool = False


@dataclass(frozen=True)
class ResourceEvent:
    """One step of one resource. ``seconds`` counts from "started" to "done" or "failed".

    A preview gives "planned" alone; every other operation "started" and then "done" or "failed",
    and for an unchanged resource "done" alone.
    """

    operation: Operation
    urn: str
    type: str
    name: str
    phase: Phase
    seconds: float = 0
    message: str = ""
    diff: tuple[PropertyDiff, ...] = ()


@dataclass(frozen=True)
class LogEvent:
    """A line from the program or a plugin; ``urn`` is empty when it concerns no one resource."""

    severity: Severity
    urn: str
    message: str


Event = ResourceEvent | LogEvent


@dataclass(frozen=True)
class Summary:
    """How many managed resources an operation touched (planned to touch, in a preview).

    Managed resources alone are counted: no components, no providers, no stack, nothing that is
    only read. After a refresh ``updated`` counts the ones that had drifted and ``deleted`` the ones
    that were gone.
    """

    created: int = 0
    updated: int = 0
    replaced: int = 0
    deleted: int = 0
    same: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, counts: Mapping[Operation, int], seconds: float) -> Summary:
        """Returns the summary of what was counted by operation, over so many seconds."""
        return cls(
            created=counts.get(Operation.CREATE, 0),
            updated=counts.get(Operation.UPDATE, 0),
            replaced=counts.get(Operation.REPLACE, 0),
            deleted=counts.get(Operation.DELETE, 0),
            same=counts.get(Operation.SAME, 0),
            seconds=round(seconds, 3),
        )

    @property
    def changed(self) -> int:
        """Everything but the unchanged."""
        return self.created + self.updated + self.replaced + self.deleted


class EngineError(Exception):
    """An operation that did not succeed: one line, and further lines in ``details``.

    A detail reads "resource name: what the provider said". Secrets are masked in both.
    """

    def __init__(self, message: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.details = details
