"""A lab stack's state with either engine: who holds it, and moving it to the other one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

from ops.engines.pulumi_cli import home
from ops.errors import bad_input
from ops.workspace import Workspace
from pulumi_protocol.checkpoint import holds_resources
from pulumi_protocol.events import EngineError
from tapstack.contracts import LAYERS


class Movable(Protocol):
    """An engine whose state can leave it and come to it."""

    name: str

    def export(self, layer: str) -> dict[str, Any] | None:
        """The layer's state, secrets readable; None when nothing is deployed."""
        ...

    def import_state(self, layer: str, deployment: dict[str, Any]) -> None:
        """Replaces the layer's state."""
        ...

    def forget(self, layer: str) -> None:
        """Drops the layer's state, and nothing in the cloud."""
        ...

    def resources(self, layer: str) -> list[dict[str, Any]]:
        """The resources in the layer's state."""
        ...


def held(workspace: Workspace, stack: str) -> dict[str, list[str]]:
    """engine → the layers of the lab stack that it has deployed."""
    files = {
        "embedded": lambda layer: workspace.checkpoints / layer / f"{stack}.json",
        "pulumi": lambda layer: home.state_file(workspace, layer, stack),
    }
    return {
        name: [layer for layer in LAYERS if _has_resources(path(layer))]
        for name, path in files.items()
    }


def refuse_other(workspace: Workspace, stack: str, engine: str) -> None:
    """One line when another engine than this one has deployed the lab stack."""
    for name, layers in held(workspace, stack).items():
        if layers and name != engine:
            flags = ("" if stack == "lab" else f" --stack {stack}") + (
                "" if name == "embedded" else f" --engine {name}"
            )
            raise bad_input(
                f"stack {stack} was deployed with the {name} engine ({', '.join(layers)}): "
                f"continue with ./inv deploy-all{flags}, take it down with "
                f"./inv destroy-all{flags}, or move its state with ./inv state.move --to {engine}"
                + ("" if stack == "lab" else f" --stack {stack}")
            )


def move(source: Movable, target: Movable, layers: Sequence[str]) -> dict[str, int]:
    """Moves the layers' states; answers how many resources of each.

    The source forgets a layer once the target has all of it. Interrupted in between both have it,
    and the same command again resumes: importing replaces what the target has.
    """
    moved: dict[str, int] = {}
    for layer in layers:
        document = source.export(layer)
        if document is None:
            continue
        target.import_state(layer, document)
        wanted = len(document["deployment"]["resources"])
        found = len(target.resources(layer))
        if found != wanted:
            raise EngineError(
                f"{layer}: the {target.name} engine took {found} of {wanted} resources; nothing "
                f"was removed from the {source.name} engine"
            )
        source.forget(layer)
        moved[layer] = wanted
    return moved


def _has_resources(path: Any) -> bool:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except ValueError:
        return True  # half of something; the engine that wrote it says more
    return holds_resources(document)
