"""A workspace with a lab of its own, used as an operator uses one."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import client
from ops.cloud.clients import Clients
from ops.cloud.inventory import Found, take
from ops.stack_file import StackFile, load
from ops.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Lab:
    """One workspace with its own lab, and how to use it as an operator does."""

    directory: Path
    """The workspace: ``.lab`` and ``cfn-outputs`` are below it."""
    port: int
    repository: Path = REPOSITORY
    """The working copy whose programs are deployed."""
    _clients: list[Clients] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        """The lab's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def state_dir(self) -> Path:
        """The lab's state."""
        return self.directory / ".lab"

    @property
    def workspace(self) -> Workspace:
        """As ops sees it."""
        return Workspace(self.repository, self.directory)

    @property
    def stack_file(self) -> StackFile:
        """The lab's stack file."""
        return load(self.workspace, "lab")

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which ``./inv`` means this lab."""
        return {
            **os.environ,
            "WARM_STANDBY_WORKSPACE": str(self.directory),
            "WARM_STANDBY_LAB_ENDPOINT": self.endpoint,
            "PYTHONPATH": str(self.repository),
        }

    def inv(
        self, *arguments: str, environment: dict[str, str] | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Runs ``./inv`` with these arguments in this workspace; never raises for its exit code."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.repository,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def up(self) -> None:
        """Starts the lab alone."""
        answer = self.inv("lab.up")
        assert answer.returncode == 0, answer.stdout + answer.stderr

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts ``./inv`` and doesn't wait; in a process group of its own."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.repository,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @staticmethod
    def command(*arguments: str) -> list[str]:
        """What ``./inv`` runs once its environment is complete."""
        return [sys.executable, "-m", "ops.program", *arguments]

    @property
    def outputs(self) -> dict[str, Any]:
        """``cfn-outputs/flat-outputs.json``."""
        return json.loads(self.workspace.flat_outputs.read_text())

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A boto3 client of the lab."""
        if not self._clients:
            self._clients.append(Clients(self.stack_file, self.endpoint))
        return self._clients[0].get(service, region)

    def inventory(self) -> list[Found]:
        """What carries the environment's tags, over AWS's APIs."""
        return take(Clients(self.stack_file, self.endpoint), self.stack_file.settings.suffix)

    def request(
        self,
        host: str,
        path: str = "/health",
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """An HTTP request to the load balancer of that name, as the printed curls make it."""
        request = urllib.request.Request(  # noqa: S310 - an http address
            f"{self.endpoint}{path}",
            data=body,
            method=method,
            headers={"Host": host, **(headers or {})},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read())

    def stop(self) -> None:
        """Stops the lab."""
        client.stop(self.state_dir)


def free_port() -> int:
    """A port of this machine that nothing holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def copied(to: Path) -> Path:
    """A working copy: everything but what running leaves behind."""
    left_out = shutil.ignore_patterns(
        ".git", ".venv", ".lab", "cfn-outputs", "tests", "__pycache__", "*.egg-info", ".*_cache",
        ".hypothesis",
    )  # fmt: skip
    shutil.copytree(REPOSITORY, to, ignore=left_out, symlinks=True)
    return to


def table(text: str) -> dict[str, dict[str, str]]:
    """The printed table of results: layer → heading → cell."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("layer "))
    headings = lines[start].split()
    rows = (line.split() for line in lines[start + 1 : start + 6])
    return {row[0]: dict(zip(headings, row, strict=False)) for row in rows if row}
