"""Scripts in place of Pulumi's CLI, and steps as its events describe them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

URN = "urn:pulumi:dev::network::aws:ec2/vpc:Vpc::vpc"


def script(path: Path, body: str, version: str = "v3.260.0") -> Path:
    """An executable that answers ``version``, and otherwise does as the test configured it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\n[ "$1" = version ] && {{ echo "{version}"; exit; }}\n{body}\n')
    path.chmod(0o755)
    return path


def metadata(op: str, urn: str = URN, **more: Any) -> dict[str, Any]:
    """A step's metadata; ``old`` and ``new`` are inputs."""
    kind = urn.split("::")[2]
    custom = more.pop("custom", True)
    states = {
        side: {"type": kind, "urn": urn, "custom": custom, "inputs": more.pop(side), "outputs": {}}
        for side in ("old", "new")
        if side in more
    }
    if not states:
        states = {"new": {"type": kind, "urn": urn, "custom": custom, "inputs": {}}}
    return {"op": op, "urn": urn, "type": kind, "provider": "", **states, **more}
