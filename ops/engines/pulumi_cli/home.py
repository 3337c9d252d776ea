"""Where Pulumi's CLI lives: with the operator's own settings, or, for the lab, all by itself.

The lab's CLI has a home, a backend and an environment of its own: whatever account, profile or
backend the operator uses, a lab stack can't reach it (architecture.md, Engines).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from ops.workspace import Workspace
from pulumi_protocol.environment import isolated
from pulumi_protocol.files import private_directory

PLUGIN = "pulumi-resource-aws"


def operator_environment(
    workspace: Workspace, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The operator's environment: their backend, passphrase, profile and plugins."""
    paths = (str(workspace.repository), environment.get("PYTHONPATH", ""))
    return {**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def lab_environment(workspace: Workspace, additions: Mapping[str, str]) -> dict[str, str]:
    """The lab's: nothing of AWS's or Pulumi's variables gets in, and nothing is downloaded."""
    return isolated(
        {"PYTHONPATH": str(workspace.repository)},
        additions,
        {
            "PULUMI_HOME": str(home(workspace)),
            "PULUMI_BACKEND_URL": f"file://{backend(workspace)}",
            # Test data only; as with the embedded engine nobody but the owner can read the files.
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "WARM_STANDBY_PYTHON": sys.executable,
        },
    )


def home(workspace: Workspace) -> Path:
    """The lab's PULUMI_HOME."""
    return workspace.lab_state / "pulumi-home"


def backend(workspace: Workspace) -> Path:
    """The directory that is the lab's backend."""
    return workspace.lab_state / "pulumi-state"


def state_file(workspace: Workspace, layer: str, stack: str) -> Path:
    """Where the lab's backend keeps a layer's state."""
    return backend(workspace) / ".pulumi" / "stacks" / layer / f"{stack}.json"


def prepare(workspace: Workspace) -> None:
    """Makes home and backend, and puts the lab's provider where the CLI looks for pulumi-aws.

    In PULUMI_HOME, not in ``Pulumi.yaml``, which would replace the real provider for all stacks.
    """
    private_directory(backend(workspace))
    plugins = home(workspace) / "plugins" / f"resource-aws-v{version('pulumi-aws')}"
    private_directory(plugins)
    link, wanted = plugins / PLUGIN, workspace.repository / "lab" / "provider" / PLUGIN
    if link.is_symlink() and link.readlink() == wanted:
        return
    draft = plugins / f".{PLUGIN}.{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(wanted)
    draft.replace(link)
