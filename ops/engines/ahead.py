"""What the embedded engine's programs need, begun while this process still imports its own.

Importing Pulumi's SDK and the provider's package is most of an unchanged deployment. So this module
imports little itself, and a task that will run programs calls :func:`begin` first.
"""

from __future__ import annotations

from lab.engine import runner
from lab.engine.runner import Runner
from ops import stack_file
from ops.errors import OperatorError
from ops.workspace import Workspace, find
from pulumi_protocol.environment import isolated

LAYERS = ("network", "data", "app", "global")
"""In the order in which their programs run."""


def package_path(workspace: Workspace) -> dict[str, str]:
    """Returns the variable by which programs and plugins find the packages of this copy."""
    return {"PYTHONPATH": str(workspace.repository)}


def used_names(workspace: Workspace) -> list[str]:
    """Returns what the programs use of Pulumi's packages, each name once, the first layer's first:
    while one layer's program works, what the others use is imported."""
    names = [name for layer in LAYERS for name in runner.used_names(workspace.project(layer))]
    return list(dict.fromkeys(names))


def begin(stack: str, engine: str | None) -> Runner | None:
    """Starts the runner of programs if the embedded engine will want it. Whatever is wrong with
    the stack is left to the task itself, which says so."""
    workspace = find()
    if engine not in (None, "", "embedded"):
        return None
    try:
        is_lab = stack_file.load(workspace, stack).settings.is_lab
    except OperatorError:
        return None
    if not is_lab:
        return None
    return Runner(isolated(package_path(workspace)), used_names(workspace))
