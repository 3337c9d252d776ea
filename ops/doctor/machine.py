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

from packaging.requirements import Requirement

from lab import client
from ops import bootstrap, node
from ops.doctor.finding import Finding, advice, missing, ok
from ops.engines.pulumi_cli import command
from ops.errors import OperatorError
from ops.lab import ENDPOINT_VARIABLE
from ops.workspace import Workspace

LEAST_FREE_BYTES = 1 << 30
LAB_PORTS = ("API", "DNS", "front door")
"""At the configured port and the two above it."""


def examine(workspace: Workspace) -> Iterator[Finding]:
    """What every stack needs."""
    yield ok("Python", platform.python_version())
    yield _packages(workspace)
    try:
        yield ok("Node.js", node.ensure())
    except OperatorError as error:
        yield missing("Node.js", str(error), "install Node.js 20 or newer")
    try:
        yield ok("npm", node.npm())
    except OperatorError as error:
        yield missing("npm", str(error), "install npm, or the one that your Node.js came with")
    free = shutil.disk_usage(workspace.directory).free
    shown = f"{free / (1 << 30):.1f} GiB free"
    if free < LEAST_FREE_BYTES:
        yield missing("disk", shown, "free at least 1 GiB")
    else:
        yield ok("disk", shown)


def _packages(workspace: Workspace) -> Finding:
    wrong = []
    requirements = (workspace.repository / "requirements.txt").read_text("utf-8")
    for pin in bootstrap.groups_of(requirements)[bootstrap.RUN]:
        wanted = Requirement(pin.partition(" --hash=")[0])
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
    return ok("packages", "as pinned in requirements.txt")


def lab(workspace: Workspace, endpoint: str) -> Iterator[Finding]:
    """The lab, if it runs; otherwise whether its ports are free."""
    status = client.status(workspace.lab_state)
    if status.running and status.endpoint == endpoint:
        unhealthy = [name for name, part in status.parts.items() if not part["healthy"]]
        if unhealthy:
            yield advice("lab", f"unhealthy: {', '.join(unhealthy)}", "./inv lab.status says why")
        else:
            yield ok("lab", f"runs at {endpoint}, all {len(status.parts)} parts healthy")
        return
    first = urlsplit(endpoint).port or client.DEFAULT_PORT
    for name, port in zip(LAB_PORTS, range(first, first + 3), strict=True):
        if _taken(port):
            yield missing(
                f"port {port}",
                f"the lab's {name} needs it, and something else listens there",
                f"stop that, or set TapStack:endpoint or {ENDPOINT_VARIABLE} to another port",
            )
        else:
            yield ok(f"port {port}", f"free for the lab's {name}")


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
        executable = command.find(environment)
        yield ok("Pulumi's CLI", f"{command.version_of(executable)}, {executable}")
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
        yield ok("AWS plugin", wanted)
    else:
        yield advice(
            "AWS plugin",
            f"{wanted} isn't installed: the first preview downloads it",
            f"pulumi plugin install resource aws {wanted}",
        )
