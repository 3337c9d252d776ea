"""Whether the shared parameters are the same in both regions."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from tapstack.naming import parameter_path


@dataclass(frozen=True)
class Parameters:
    """How many keys are equal, and those that aren't; ``unknown`` says why nothing is known."""

    equal: int = 0
    differ: tuple[str, ...] = ()
    unknown: str = ""


def parameters(clients: Clients, suffix: str) -> Parameters:
    """Reads the shared parameters of both regions and compares them; no value leaves this
    function."""
    read: list[dict[str, str]] = []
    for region in clients.regions:
        path = parameter_path(region, suffix, "shared", "").rstrip("/")
        try:
            pages = clients.get("ssm", region).get_paginator("get_parameters_by_path")
            found = [item for page in pages.paginate(Path=path) for item in page["Parameters"]]
        except (ClientError, BotoCoreError) as error:
            return Parameters(unknown=f"{region}: {reason(error)}")
        read.append({item["Name"].removeprefix(f"{path}/"): item["Value"] for item in found})
    first, second = read
    keys = sorted(first.keys() | second.keys())
    differ = tuple(key for key in keys if first.get(key) != second.get(key))
    return Parameters(len(keys) - len(differ), differ)
