"""The embedded engine behind the operators' interface: the lab stack without Pulumi's CLI."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.engine.embedded import EmbeddedEngine
from lab.engine.events import Summary
from ops.engine import OnEvent
from ops.workspace import Workspace
from tapstack.contracts import UNDEPLOYED_VARIABLE

PLUGIN = (sys.executable, "-m", "lab.provider")
"""The lab's provider, started as Pulumi's CLI starts its plugin."""


class Embedded:
    """One stack's four projects, each moved by an engine in this process."""

    name = "embedded"

    def __init__(
        self, workspace: Workspace, stack: str, environment: Mapping[str, str], parallel: int = 32
    ) -> None:
        self._workspace = workspace
        self._stack = stack
        # Programs and plugins find the packages of this copy, whatever is installed.
        self._environment = {"PYTHONPATH": str(workspace.repository), **environment}
        self._parallel = parallel
        self._engines: dict[str, EmbeddedEngine] = {}

    def preview(self, layer: str, on_event: OnEvent, undeployed: frozenset[str]) -> Summary:
        """What ``up`` would do."""
        variables = {UNDEPLOYED_VARIABLE: ",".join(sorted(undeployed))} if undeployed else None
        return self._engine(layer).preview(on_event, environment=variables)

    def up(self, layer: str, on_event: OnEvent) -> Summary:
        """Makes the lab what the program says."""
        return self._engine(layer).up(on_event)

    def refresh(self, layer: str, on_event: OnEvent, preview: bool = False) -> Summary:
        """Reads every resource anew; a preview does so on a copy of the state."""
        if not preview:
            return self._engine(layer).refresh(on_event)
        with tempfile.TemporaryDirectory(prefix="warm-standby-") as directory:
            copy = Path(directory) / "stacks"
            if self._workspace.checkpoints.exists():
                shutil.copytree(self._workspace.checkpoints, copy)
            return self._make(layer, copy).refresh(on_event)

    def destroy(self, layer: str, on_event: OnEvent) -> Summary:
        """Removes all that the layer made."""
        return self._engine(layer).destroy(on_event)

    def outputs(self, layer: str) -> dict[str, Any] | None:
        """A layer's outputs, secrets masked."""
        return self._engine(layer).outputs()

    def resources(self, layer: str) -> list[dict[str, Any]]:
        """The resources in the layer's state."""
        return self._engine(layer).resources()

    def interrupt(self) -> None:
        """Lets the calls under way end, in every layer that works."""
        for engine in self._engines.values():
            engine.interrupt()

    def _engine(self, layer: str) -> EmbeddedEngine:
        if layer not in self._engines:
            self._engines[layer] = self._make(layer, self._workspace.checkpoints)
        return self._engines[layer]

    def _make(self, layer: str, state_dir: Path) -> EmbeddedEngine:
        return EmbeddedEngine(
            project_dir=self._workspace.project(layer),
            stack=self._stack,
            state_dir=state_dir,
            plugin=PLUGIN,
            environment=self._environment,
            parallel=self._parallel,
            required_config={"TapStack:environment": "lab"},
        )
