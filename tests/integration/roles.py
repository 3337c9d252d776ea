"""Commands as whoever has one of the roles that ``./inv iam`` prints, and nothing more."""

from __future__ import annotations

import json
from typing import Any

from deployed_lab import Lab

from lab import client

SIGNER = "lab"
"""The access key of the programs' providers and of ``./inv``."""
_POLICIES: dict[str, list[Any]] = {}
"""Role → its policies, printed once."""


def act_as(lab: Lab, role: str) -> None:
    """From now on ``./inv`` may do what ``./inv iam`` prints for the role, and no more; with an
    empty ``role`` everything again."""
    if role and role not in _POLICIES:
        printed = lab.inv("iam", "--role", role)
        assert printed.returncode == 0, printed.stderr
        _POLICIES[role] = json.loads(printed.stdout)["policies"]
    client.limit(lab.state_dir, SIGNER, _POLICIES[role] if role else ())


def refused(lab: Lab) -> list[str]:
    """What the role lacked since it is acted as."""
    return client.access(lab.state_dir)["refused"]
