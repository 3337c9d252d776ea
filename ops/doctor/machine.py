"""What this machine has: Python, packages, Node.js, Pulumi's CLI and plugin, the lab's ports."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from lab import client
from ops import node
from ops.doctor.finding import Finding, advice, missing, well
from ops.engines.pulumi_cli import command as pulumi_cli_command
from ops.errors import OperatorError
from ops.workspace import Workspace

LEAST_FREE_BYTES = 1 << 30
LAB_PORTS = ("API", "DNS", "front door")
"""At the configured port and the two above it."""


def examine(workspace: Workspace) -> Iterator[Finding]:
    """What every stack needs."""
    yield well("Python", platform.python_version())
    yield _packages(workspace)
    try:
        yield well("Node.js", node.ensure())
    except OperatorError as error:
        yield missing("Node.js", str(error), "install Node.js 20 or newer")
    free = shutil.disk_usage(workspace.directory).free
    shown = f"{free / (1 << 30):.1f} GiB free"
    if free < LEAST_FREE_BYTES:
        yield missing("disk", shown, "free at least 1 GiB")
    else:
        yield well("disk", shown)


def _packages(workspace: Workspace) -> Finding:
    wrong = []
    for line in (workspace.repository / "requirements.txt").read_text("utf-8").splitlines():
        try:
            wanted = Requirement(line.partition("#")[0].strip())
        except InvalidRequirement:
            continue  # a comment or an empty line
        if wanted.marker and not wanted.marker.evaluate():
            continue
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            found = "absent"
        if found == "absent" or not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} is {found}, {wanted.specifier} is pinned")
    if wrong:
        return missing("packages", "; ".join(wrong), "run ./inv, which completes .venv")
    return well("packages", "as pinned in requirements.txt")


def lab(workspace: Workspace, endpoint: str) -> Iterator[Finding]:
    """The lab, if it runs; otherwise whether its ports are free."""
    status = client.status(workspace.lab_state)
    if status.running and status.endpoint == endpoint:
        ill = [name for name, part in status.parts.items() if not part["healthy"]]
        if ill:
            yield advice("lab", f"not well: {', '.join(ill)}", "./inv lab.status says why")
        else:
            yield well("lab", f"runs at {endpoint}, all {len(status.parts)} parts well")
        return
    first = urlsplit(endpoint).port or client.DEFAULT_PORT
    for name, port in zip(LAB_PORTS, range(first, first + 3), strict=True):
        if _taken(port):
            yield missing(
                f"port {port}",
                f"the lab's {name} needs it, and something else listens there",
                f"stop that, or set TapStack:endpoint or {_variable()} to another port",
            )
        else:
            yield well(f"port {port}", f"free for the lab's {name}")


def _variable() -> str:
    from ops.lab import ENDPOINT_VARIABLE

    return ENDPOINT_VARIABLE


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def cli(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Pulumi's CLI with what it needs beside it."""
    try:
        executable = pulumi_cli_command.find(environment)
        yield well("Pulumi's CLI", f"{pulumi_cli_command.version_of(executable)}, {executable}")
    except OperatorError as error:
        yield missing("Pulumi's CLI", str(error), "./inv setup")
        return
    host = "pulumi-language-python"
    if not (executable.parent / host).exists() and not shutil.which(
        host, path=environment.get("PATH", "")
    ):
        yield missing("Pulumi for Python", f"{host} isn't beside {executable}", "./inv setup")
    wanted = version("pulumi-aws")
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    if (home / "plugins" / f"resource-aws-v{wanted}").exists():
        yield well("AWS plugin", wanted)
    else:
        yield advice(
            "AWS plugin",
            f"{wanted} isn't installed: the first preview downloads it",
            f"pulumi plugin install resource aws {wanted}",
        )
