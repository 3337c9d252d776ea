"""Carries out what the page orders: the lab's commands at once, the rest as processes."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import client
from ops.console import actions
from ops.console.actions import LabCommand
from ops.console.facts import Stack
from ops.console.model import Tone
from ops.console.runs import Runs
from ops.console.timeline import Moment

LAB: Mapping[str, Callable[..., Any]] = {
    "outage": client.outage,
    "restore": client.restore,
    "fault": client.fault,
    "clock": client.set_clock,
}
"""The lab's commands, by the name of the order."""


@dataclass
class Orders:
    """The orders of one stack; ``kept`` is called with each that was carried out."""

    stack: Stack
    lab_state: Path
    runs: Runs
    kept: Callable[[Moment], None]
    lab: Mapping[str, Callable[..., Any]] = field(default_factory=lambda: LAB)

    def carry_out(self, name: str, given: Mapping[str, str]) -> str:
        """One line for the person; raises OperatorError and LabError, and nothing was touched."""
        wanted = actions.order(self.stack, name, given)
        if isinstance(wanted, LabCommand):
            self.lab[wanted.name](self.lab_state, *wanted.arguments)
            said = "done"
        else:
            self.runs.start(wanted.words)
            said = "started: its output is below"
        command = f"./inv {shlex.join(wanted.words)}"
        self.kept(Moment(time.time(), "Ordered here", "-", command, Tone.PLAIN))
        return f"{command}: {said}"
