"""Aliases: a resource that is known under another URN continues under its new one."""

from __future__ import annotations

from collections.abc import Iterator
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


class Aliases:
    """Under which other URNs the resources of one program may be known.

    A child has its parent's type in its URN, and often its name in its own: it continues under a
    URN of its parent's aliases as well, as Pulumi's engine has it (``generateAliases`` in
    pkg/resource/deploy/step_generator.go).
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._of: dict[str, tuple[str, ...]] = {}
        """URN → the others, inherited ones among them."""

    def follow(self, registration: Registration) -> ResourceState | None:
        """Renames what is known under one of the aliases; the first that is known counts.

        Returns the resource under its new URN; None when there was nothing to rename.
        """
        others = (*registration.aliases, *self._inherited(registration))
        self._of[registration.urn] = others
        if self._journal.previous(registration.urn) is not None:
            return None
        for alias in others:
            old = self._journal.previous(alias)
            if old is not None:
                renamed = old.changed(urn=registration.urn, type=registration.type)
                self._journal.rename(alias, renamed)
                return renamed
        return None

    def _inherited(self, registration: Registration) -> Iterator[str]:
        parent_name = urns.name_of(registration.parent)
        stack, project = urns.place_of(registration.urn)
        for parent in self._of.get(registration.parent, ()):
            for own in (registration.urn, *registration.aliases):
                name = urns.name_of(own)
                if name.startswith(parent_name):
                    name = urns.name_of(parent) + name.removeprefix(parent_name)
                yield urns.make(stack, project, parent, urns.type_of(own), name)
