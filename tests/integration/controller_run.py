"""One run of a region's controller in a process of its own, which may be killed at a step:
``python controller_run.py REGION MINUTE SHIFT [STEP]``.

The controller's own code over the lab's AWS, as its function runs it. MINUTE is the scheduled one,
SHIFT the seconds that its clock is ahead of this machine's, STEP one of ``STEPS`` with ``before``
or ``after``. Prints what became of the call and of the run, one line each.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ops import session
from ops.recovery.place import Place
from recovery.act import Run, run
from recovery.model import PROMOTES, Notice, Stage, State
from recovery.outside import SystemClock
from recovery.ports import UnavailableError

StepOf = Callable[[str, tuple[Any, ...]], str]
"""From a method and its arguments to the step that it is, or nothing."""
KILLED = 9
TRIES = 20
STEPS = ("intent", "call", "record", "switch", "verify", "notice")


class Shifted(SystemClock):
    """A clock of a later minute."""

    def __init__(self, shift: float) -> None:
        self._shift = shift

    def now(self) -> float:
        """Seconds since 1970."""
        return super().now() + self._shift


class Deadly:
    """A port whose steps may be a process's last one."""

    def __init__(self, port: Any, step_of: StepOf, fatal: str) -> None:
        self._port, self._step_of, self._fatal = port, step_of, fatal

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def taken(*arguments: Any) -> Any:
            step = self._step_of(name, arguments)
            self._die(f"before {step}")
            answer = method(*arguments)
            if name == "fail_over":
                print(f"called {answer.answer}", flush=True)
            self._die(f"after {step}")
            return answer

        return taken

    def _die(self, moment: str) -> None:
        if moment == self._fatal:
            # As Lambda ends a process: nothing is cleaned up.
            os._exit(KILLED)


def saved(_: str, arguments: tuple[Any, ...]) -> str:
    """Which step a write of the item is: the intent, or the record of what became of it."""
    state = arguments[0] if arguments else None
    if not isinstance(state, State):
        return ""
    if state.stage is Stage.INTENT:
        return "intent"
    return "record" if state.stage in PROMOTES and state.incident is not None else ""


def notified(_: str, arguments: tuple[Any, ...]) -> str:
    """The promotion's own notice."""
    given = arguments[0] if arguments else None
    return "notice" if isinstance(given, Notice) and given.key == "promoted" else ""


def place_of(region: str) -> Place:
    """The region as deployed: what a function gets with its environment. Beside a hundred others
    the lab may not say so in time."""
    for _ in range(TRIES):
        with suppress(UnavailableError):
            return session.acting_on("lab").place(region)
    return session.acting_on("lab").place(region)


def main(region: str, minute: str, shift: str, fatal: str = "") -> None:
    """Makes the run."""
    place = place_of(region)
    ports = place.ports
    named = {"fail_over": "call", "set_switch": "switch", "verify": "verify"}

    def by_name(name: str, _: tuple[Any, ...]) -> str:
        return named.get(name, "")

    deadly: dict[str, Any] = {
        "table": Deadly(ports.table, saved, fatal),
        "rds": Deadly(ports.rds, by_name, fatal),
        "parameters": Deadly(ports.parameters, by_name, fatal),
        "database": Deadly(ports.database, by_name, fatal),
        "notifier": Deadly(ports.notifier, notified, fatal),
        "clock": Shifted(float(shift)),
    }
    this = Run(f"run-{uuid.uuid4()}", int(minute))
    print(run(replace(ports, **deadly), place.environment.settings, this), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
