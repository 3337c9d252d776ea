"""Aliases: a resource that is known under another URN continues under its new one."""

from __future__ import annotations

from dataclasses import dataclass

from lab.engine.journal import Journal
from lab.engine.registration import Registration
from pulumi_protocol import urns
from pulumi_protocol.checkpoint import ResourceState


@dataclass(frozen=True)
class AliasSpec:
    """An alias as programs write it: which parts of the URN were others; empty: the same."""

    stack: str = ""
    project: str = ""
    type: str = ""
    name: str = ""
    parent: str = ""
    no_parent: bool = False

    def urn(self, stack: str, project: str, parent: str, type: str, name: str) -> str:
        """The URN meant, for a resource of this stack, project, parent (URN), type and name."""
        parent = "" if self.no_parent else self.parent or parent
        # The parent's chain of types comes from its URN, whatever stack that names.
        return urns.make(
            self.stack or stack,
            self.project or project,
            parent,
            self.type or type,
            self.name or name,
        )


def follow(registration: Registration, journal: Journal) -> ResourceState | None:
    """Renames what is known under one of the aliases; the first that is known counts.

    Returns the resource under its new URN; None when there was nothing to rename.
    """
    if journal.previous(registration.urn) is not None:
        return None
    for alias in registration.aliases:
        old = journal.previous(alias)
        if old is not None:
            renamed = old.changed(urn=registration.urn, type=registration.type)
            journal.rename(alias, renamed)
            return renamed
    return None
