"""All stacks' outputs, flat, under the names that tests, scripts and people rely on (R8)."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tapstack.contracts import LAYERS, field_paths
from tapstack.well_known import HEALTH_PATH

NAMED: dict[str, str] = {
    "PrimaryEndpoint": "http://{global.fqdn}",
    "FailoverEndpoint": "http://{app.secondary.load_balancer_dns_name}",
    "NameServers": "global.name_servers",
    "GlobalClusterId": "data.global_cluster_id",
    "PrimaryBucketName": "data.primary.bucket_name",
    "SecondaryBucketName": "data.secondary.bucket_name",
    "VpcPeeringConnectionId": "network.peering_connection_id",
    "DashboardUrl": "global.dashboard_url",
}
"""R8's outputs and the contract field that each one is, or is made of."""


def flat(stack: str, layers: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """``{"Stack": …, "layer.field[.subfield]": …, "PrimaryEndpoint": …}`` of what is deployed."""
    found: dict[str, Any] = {"Stack": stack}
    for name, layer in LAYERS.items():
        outputs = layers.get(name)
        for path in field_paths(layer.outputs) if outputs else ():
            value: Any = outputs
            for part in path:
                value = value.get(part) if isinstance(value, Mapping) else None
            if value is not None:
                found[".".join((name, *path))] = value
    for key, source in NAMED.items():
        head, brace, rest = source.partition("{")
        value = found.get(rest.removesuffix("}") if brace else source)
        if value is not None:
            found[key] = head + value if brace else value
    return found


def write(path: Path, outputs: Mapping[str, Any]) -> None:
    """Replaces the file as a whole, so that no reader sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".flat-outputs-")
    with os.fdopen(descriptor, "w") as file:
        json.dump(outputs, file, indent=2, sort_keys=True)
        file.write("\n")
    Path(temporary).chmod(0o644)
    Path(temporary).replace(path)


def health_commands(outputs: Mapping[str, Any], endpoint: str | None) -> dict[str, str]:
    """region → a curl that asks its load balancer for ``/health``; ``endpoint`` is the lab's."""
    commands = {}
    for role, region in (("primary", "us-east-1"), ("secondary", "us-west-2")):
        host = outputs.get(f"app.{role}.load_balancer_dns_name")
        if host and endpoint:
            commands[region] = f"curl -H 'Host: {host}' {endpoint}{HEALTH_PATH}"
        elif host:
            commands[region] = f"curl http://{host}{HEALTH_PATH}"
    return commands
