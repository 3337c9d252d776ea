"""Node.js and npm for commands that operators run; ``tapstack.node`` finds them."""

from __future__ import annotations

import os
import shlex
from collections.abc import MutableMapping
from pathlib import Path

from ops.errors import ExitCode, OperatorError
from tapstack import node, node_packages
from tapstack.node import NodeError


def ensure(environment: MutableMapping[str, str] = os.environ) -> str:
    """Puts a Node.js that is new enough first on PATH and answers its version, ``v20.20.2``."""
    path = environment.get("PATH", "")
    try:
        found = node.find(path)
    except NodeError as error:
        raise OperatorError(str(error), ExitCode.ENVIRONMENT) from None
    if found.from_wheel:
        environment["PATH"] = found.path(path)
    return found.version


def npm(environment: MutableMapping[str, str] = os.environ) -> str:
    """The start of a shell command that runs npm with the Node.js of ``ensure``."""
    ensure(environment)
    path = environment.get("PATH", "")
    try:
        return shlex.join(node.npm(node.find(path), path))
    except NodeError as error:
        raise OperatorError(str(error), ExitCode.ENVIRONMENT) from None


def install(project: Path) -> None:
    """Installs a Node.js project's packages as its lock file has them, unless they are there.

    Raises OperatorError (3), one line with what npm said.
    """
    try:
        with node_packages.held(project):
            found = node.find(os.environ.get("PATH", ""))
            node_packages.install(project, found, "run again")
    except NodeError as error:
        message = f"npm couldn't install the functions' packages: {error}"
        raise OperatorError(message, ExitCode.ENVIRONMENT) from None
