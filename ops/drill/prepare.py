"""What a drill works with: the deployed stack's names, clients and addresses."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lab import client
from ops.cloud.clients import Clients
from ops.cloud.roles import ROLES
from ops.cloud.traffic import DNS_PORT, MOST_SERVERS
from ops.deploy.driver import Driver
from ops.drill.restoration import Restoration
from ops.drill.site import Site
from ops.drill.watch import System
from ops.errors import bad_input
from ops.recovery.items import Items
from ops.stack_file import StackFile
from ops.workspace import Workspace


@dataclass(frozen=True)
class Prepared:
    """``lab_state`` is None on AWS. ``pause`` waits real seconds."""

    workspace: Workspace
    stack_file: StackFile
    system: System
    outputs: Mapping[str, Any]
    restoration: Restoration
    lab_state: Path | None
    pause: Callable[[float], None]

    @property
    def clock(self) -> float:
        """The system's seconds in a real one."""
        return 1.0 if self.lab_state is None else client.status(self.lab_state).clock

    def now(self) -> float:
        """The system's time, in seconds since 1970."""
        if self.lab_state is None:
            return time.time()
        return datetime.fromisoformat(client.status(self.lab_state).now).timestamp()

    @property
    def items(self) -> Items:
        """What recovery remembers in both regions."""
        return Items.of(self.system.clients, self.stack_file)

    def bucket(self, region: str) -> str:
        """The content bucket of a region."""
        key = ("PrimaryBucketName", "SecondaryBucketName")
        return str(self.outputs[key[self.system.regions.index(region)]])


def prepared(driver: Driver, pause: Callable[[float], None]) -> Prepared:
    """From a driver to what a drill needs; names that aren't deployed are empty."""
    outputs = driver.outputs()
    clients = Clients(driver.stack_file, driver.lab_endpoint, impatient=True)
    lab_state = driver.workspace.lab_state if driver.lab_endpoint else None
    settings = driver.stack_file.settings
    site = Site(
        str(outputs.get("global.fqdn", "")),
        {
            region: str(outputs.get(f"app.{role}.load_balancer_dns_name", ""))
            for role, region in zip(ROLES, clients.regions, strict=True)
        },
        _servers(outputs, lab_state),
        driver.lab_endpoint,
        bool(settings.app.certificate_arns),
    )
    system = System(site, clients, settings.suffix, str(outputs.get("data.global_cluster_id", "")))
    restoration = Restoration(driver.workspace.directory, clients, lab_state)
    return Prepared(
        driver.workspace, driver.stack_file, system, outputs, restoration, lab_state, pause
    )


def commit(repository: Path) -> str:
    """The commit of what is deployed from, ``-dirty`` where files differ from it; ``unknown``
    outside a repository."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
            cwd=repository, capture_output=True, text=True, check=True, timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found.stdout.strip()


def configuration_hash(file: StackFile) -> str:
    """SHA-256 of the stack's configuration."""
    text = json.dumps(dict(sorted(file.config.items())), separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _servers(outputs: Mapping[str, Any], lab_state: Path | None) -> tuple[tuple[str, int], ...]:
    if lab_state is not None:
        host, _, port = client.status(lab_state).dns.partition(":")
        return ((host, int(port)),) if port else ()
    names = list(outputs.get("global.name_servers", ()))[:MOST_SERVERS]
    try:
        return tuple((socket.gethostbyname(name), DNS_PORT) for name in names)
    except OSError as error:
        raise bad_input(f"the zone's name servers can't be resolved: {error}") from None
