"""The embedded engine behind the operators' interface: the lab stack without Pulumi's CLI."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.engine.embedded import EmbeddedEngine
from lab.engine.kept import Kept
from ops.engines.ahead import package_path, used_names
from ops.engines.engine import OnEvent, Options
from ops.errors import bad_input
from ops.workspace import Workspace
from pulumi_protocol.events import Summary
from tapstack.well_known import provider_name

PLUGIN = (sys.executable, "-m", "lab.provider")
"""The lab's provider, started as Pulumi's CLI starts its plugin."""
PARALLEL = 32
"""Resources moved at a time unless the options say otherwise."""


class Embedded:
    """An engine in this process: the lab's, one for each of the stack's four projects."""

    name = "embedded"

    def __init__(
        self,
        workspace: Workspace,
        stack: str,
        environment: Mapping[str, str],
        options: Options = Options(),  # noqa: B008 - frozen
    ) -> None:
        if options.targets:
            raise bad_input(
                "the embedded engine moves whole layers: --target needs --engine pulumi"
            )
        self._workspace = workspace
        self._stack = stack
        # Programs and plugins find the packages of this copy, whatever is installed.
        self._environment = {**package_path(workspace), **environment}
        self._options = options
        self._projects: dict[str, EmbeddedEngine] = {}
        self._kept = Kept(used_names(workspace), options.runner)

    def preview(self, layer: str, on_event: OnEvent, undeployed: frozenset[str]) -> Summary:
        """What ``up`` would do."""
        variables = self._options.variables(undeployed) or None
        if not self._options.refresh:
            return self._project(layer).preview(on_event, environment=variables)
        with self._copy() as copy:
            project = self._make(layer, copy)
            project.refresh(on_event)
            return project.preview(on_event, environment=variables)

    def up(self, layer: str, on_event: OnEvent) -> Summary:
        """Makes the lab what the program says."""
        project = self._project(layer)
        if self._options.refresh:
            project.refresh(on_event)
        return project.up(on_event, environment=self._options.variables() or None)

    def refresh(self, layer: str, on_event: OnEvent, preview: bool = False) -> Summary:
        """Reads every resource anew; a preview does so on a copy of the state."""
        if not preview:
            return self._project(layer).refresh(on_event)
        with self._copy() as copy:
            return self._make(layer, copy).refresh(on_event)

    def destroy(self, layer: str, on_event: OnEvent) -> Summary:
        """Removes all that the layer made."""
        return self._project(layer).destroy(on_event)

    def outputs(self, layer: str) -> dict[str, Any] | None:
        """A layer's outputs, secrets masked."""
        return self._project(layer).outputs()

    def resources(self, layer: str) -> list[dict[str, Any]]:
        """The resources in the layer's state."""
        return self._project(layer).resources()

    def interrupt(self) -> None:
        """Lets the calls under way end, in every layer that works."""
        for project in self._projects.values():
            project.interrupt()

    def export(self, layer: str) -> dict[str, Any] | None:
        """The layer's state, secrets readable; None when nothing is deployed."""
        return self._project(layer).export() if self._project(layer).resources() else None

    def import_state(self, layer: str, deployment: dict[str, Any]) -> None:
        """Replaces the layer's state."""
        self._project(layer).import_state(deployment)

    def forget(self, layer: str) -> None:
        """Drops the layer's state, and nothing in the lab."""
        (self._workspace.checkpoints / layer / f"{self._stack}.json").unlink(missing_ok=True)

    @contextmanager
    def _copy(self) -> Iterator[Path]:
        """A copy of the state of all layers, gone after use."""
        with tempfile.TemporaryDirectory(prefix="warm-standby-") as directory:
            copy = Path(directory) / "stacks"
            if self._workspace.checkpoints.exists():
                shutil.copytree(self._workspace.checkpoints, copy)
            yield copy

    def _project(self, layer: str) -> EmbeddedEngine:
        if layer not in self._projects:
            self._projects[layer] = self._make(layer, self._workspace.checkpoints)
        return self._projects[layer]

    def _make(self, layer: str, state_dir: Path) -> EmbeddedEngine:
        return EmbeddedEngine(
            project_dir=self._workspace.project(layer),
            stack=self._stack,
            state_dir=state_dir,
            plugin=PLUGIN,
            environment=self._environment,
            parallel=self._options.parallel or PARALLEL,
            required_config={"TapStack:environment": "lab"},
            spared=[provider_name(spared)] if (spared := self._options.spared_region) else (),
            kept=self._kept,
        )
