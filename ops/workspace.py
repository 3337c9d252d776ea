"""Where things are: the repository, and the directory that holds what running leaves behind."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

WORKSPACE_VARIABLE = "WARM_STANDBY_WORKSPACE"
"""Puts the lab's state and the outputs elsewhere than into the repository."""


@dataclass(frozen=True)
class Workspace:
    """Paths of one working copy."""

    repository: Path
    """Holds the four projects and the stack files."""
    directory: Path
    """Holds ``.lab`` and ``cfn-outputs``; the repository unless the variable says otherwise."""

    @property
    def lab_state(self) -> Path:
        """The lab's state."""
        return self.directory / ".lab"

    @property
    def checkpoints(self) -> Path:
        """The embedded engine's checkpoints, ``{project}/{stack}.json``."""
        return self.lab_state / "stacks"

    @property
    def flat_outputs(self) -> Path:
        """All stacks' outputs, flat; integration tests read it."""
        return self.directory / "cfn-outputs" / "flat-outputs.json"

    def project(self, layer: str) -> Path:
        """A layer's Pulumi project."""
        return self.repository / layer

    def stack_lock(self, stack: str) -> Path:
        """Held by whoever changes that stack: one deployment, rollback or move at a time."""
        return self.lab_state / "locks" / f"{stack}.lock"

    def stack_file(self, stack: str) -> Path:
        """The configuration that the four projects share."""
        return self.repository / f"Pulumi.{stack}.yaml"


def find(environment: Mapping[str, str] = os.environ) -> Workspace:
    """The workspace of this process."""
    repository = Path(__file__).resolve().parent.parent
    directory = environment.get(WORKSPACE_VARIABLE)
    return Workspace(repository, Path(directory).absolute() if directory else repository)
