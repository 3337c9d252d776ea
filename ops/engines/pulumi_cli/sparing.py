"""What a run of the CLI targets when it leaves one region alone."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from pulumi.automation import EngineEvent, OpType

from pulumi_protocol.urns import is_provider_type, name_of, referred, type_of

MADE = (OpType.CREATE, OpType.CREATE_REPLACEMENT)


class Planned:
    """Takes the events of a preview, and keeps what it would make: URN → provider reference."""

    def __init__(self) -> None:
        self.new: dict[str, str] = {}
        self.ended = threading.Event()
        """Set by the last event, which may come after the CLI's own end."""

    def take(self, event: EngineEvent) -> None:
        """One event of the CLI's."""
        if event.resource_pre_event and event.resource_pre_event.metadata.op in MADE:
            step = event.resource_pre_event.metadata
            self.new[step.urn] = step.provider
        elif event.cancel_event:
            self.ended.set()


def targets(
    resources: Iterable[Mapping[str, Any]], planned: Mapping[str, str], provider: str
) -> list[str]:
    """The URNs that a run touches which leaves alone what ``provider`` (a name) makes, sorted.

    ``resources``: what the state holds, in checkpoint form. ``planned``: what a preview would
    make, URN → provider reference. Components and the stack belong to both regions, and cost
    nothing.
    """
    known = {str(one["urn"]): str(one.get("provider", "")) for one in resources}
    return sorted(
        urn for urn, reference in {**known, **planned}.items() if not _of(provider, urn, reference)
    )


def _of(provider: str, urn: str, reference: str) -> bool:
    kind = type_of(urn)
    if is_provider_type(kind):
        return name_of(urn) == provider
    return name_of(referred(reference)) == provider
