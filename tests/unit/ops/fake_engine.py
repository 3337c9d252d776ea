"""An engine that remembers what it was asked, for tests of what drives engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ops.engines.engine import OnEvent
from pulumi_protocol.events import EngineError, Operation, ResourceEvent, Summary
from tapstack.contracts import LAYERS, field_paths


class FakeEngine:
    """Layers are deployed or not; each operation is recorded as ``(verb, layer)``."""

    name = "embedded"

    def __init__(self, *deployed: str) -> None:
        self.state = {layer: exported(layer) for layer in deployed}
        self.calls: list[tuple[str, str]] = []
        self.undeployed: dict[str, frozenset[str]] = {}
        self.fails: dict[tuple[str, str], Exception] = {}
        self.during: Callable[[str], None] = lambda _layer: None
        self.interruptions = 0

    def preview(self, layer: str, on_event: OnEvent, undeployed: frozenset[str]) -> Summary:
        self.undeployed[layer] = undeployed
        self._called("preview", layer)
        on_event(event(layer, "planned"))
        return Summary(created=1) if layer not in self.state else Summary(same=1)

    def up(self, layer: str, on_event: OnEvent) -> Summary:
        on_event(event(layer, "started"))
        self._called("up", layer)
        on_event(event(layer, "done"))
        made = layer not in self.state
        self.state[layer] = exported(layer)
        return Summary(created=1) if made else Summary(same=1)

    def refresh(self, layer: str, on_event: OnEvent, preview: bool = False) -> Summary:
        self._called("drift" if preview else "refresh", layer)
        return Summary(same=1)

    def destroy(self, layer: str, on_event: OnEvent) -> Summary:
        self._called("destroy", layer)
        return Summary(deleted=1) if self.state.pop(layer, None) else Summary()

    def outputs(self, layer: str) -> dict[str, Any] | None:
        return self.state.get(layer)

    def resources(self, layer: str) -> list[dict[str, Any]]:
        return [{"urn": layer}] if layer in self.state else []

    def interrupt(self) -> None:
        self.interruptions += 1

    def _called(self, verb: str, layer: str) -> None:
        self.calls.append((verb, layer))
        self.during(layer)
        if error := self.fails.get((verb, layer)):
            raise error


def exported(layer: str) -> dict[str, Any]:
    """A layer's outputs as its contract wants them: texts are the field's own path."""
    values: dict[str, Any] = {"contract_version": 1}
    for path in field_paths(LAYERS[layer].outputs):
        inside = values
        for part in path[:-1]:
            inside = inside.setdefault(part, {})
        text = ".".join(path)
        plural = path[-1].endswith(("_ids", "_zones", "_servers", "_addresses"))
        inside[path[-1]] = 5432 if path[-1] == "database_port" else [text] if plural else text
    return values


def event(layer: str, phase: Any, operation: Operation = Operation.CREATE) -> ResourceEvent:
    """An event of one resource of a layer."""
    return ResourceEvent(operation, f"urn::{layer}", "aws:ec2/vpc:Vpc", f"vpc-{layer}", phase)


__all__ = ["EngineError", "FakeEngine", "event"]
