"""What a deployment says when the gate between the regions held it (app/standby_gate.py)."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SERVES = re.compile(r"standby gate: ([^\"\\]+)")
_PROBES = re.compile(r"probes-gate-|invoking Lambda Function \(function-probe-")


def held_by(lines: Iterable[str], primary: str, standby: str, flags: str) -> str | None:
    """One line for the operator where ``lines``, an error's, come from the gate; else None."""
    text = "\n".join(lines)
    served = _SERVES.search(text)
    if served:
        why = served[1].strip()
    elif _PROBES.search(text):
        why = f"{standby}'s probe of the database fails when it is called"
    else:
        return None
    return (
        f"the new code stopped at the gate, {primary} keeps what it had: {why}; mend the code and "
        f"run ./inv up --layer app{flags} again, or put {standby} back with ./inv app.rollback"
        f"{flags}"
    )
