"""Node.js and npm for commands that operators run; ``tapstack.node`` finds them."""

from __future__ import annotations

import os
import shlex
from collections.abc import MutableMapping

from ops.errors import ExitCode, OperatorError
from tapstack import node
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


def failure(what: str, output: str) -> OperatorError:
    """An npm command that failed, in one line: what npm said, and the network where that was it."""
    cause = "check the network, then run again" if node.is_network(output) else "run again"
    return OperatorError(f"{what} ({node.complaint(output)}): {cause}", ExitCode.ENVIRONMENT)
