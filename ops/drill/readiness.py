"""Waiting until the system is ready to be broken: a drill on less proves nothing."""

from __future__ import annotations

from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from ops.drill.prepare import Prepared
from ops.drill.scenario import Scenario
from ops.errors import ExitCode, OperatorError
from ops.recovery.items import minute_of
from ops.recovery.standing import settings_of
from ops.waiting import announced
from recovery.mode import effective_mode
from recovery.model import Mode, State
from tapstack.naming import physical_name
from tapstack.well_known import VALIDATE

LONGEST_SECONDS = 900.0
"""Real seconds until a fresh deployment's controllers and validation are there, at any clock:
functions run in real time."""
PAUSE_SECONDS = 1.0
ASKED_SECONDS = 30.0
"""The system's seconds between two runs of the validators on demand; a run takes three or four."""
UNPROVEN = "the mode to be automatic"


def lacking(ready: Prepared, chosen: Scenario) -> list[str]:
    """What keeps the drill from beginning: none is readiness."""
    system = ready.system
    primary, standby = system.regions
    found = [f"{one}'s application" for one in system.regions if not system.healthy(one)]
    if (writer := system.writer()) != primary:
        found.append(f"the writer in {primary} (now {writer})")
    if (answer := system.dns()) != primary:
        found.append(f"DNS to answer {primary} (now {answer})")
    if not system.synchronised():
        found.append("the regions' databases to be synchronised")
    state = system.state(standby)
    if state is None:
        return [*found, f"the recovery table of {standby}"]
    if not state.armed:
        found.append(f"the controller of {standby} to be armed ({state.stage.value})")
    on_aws = ready.lab_state is None
    if chosen.expect.promotions or chosen.expect.stage or on_aws:
        found += _mode(ready, state)
    return found


def wait(
    ready: Prepared,
    chosen: Scenario,
    report: Callable[[str], None],
    pause: Callable[[float], None],
) -> None:
    """Waits for readiness 1. Raises ``OperatorError`` with what is still missing: on AWS at once,
    in the lab after some minutes."""
    end = ready.now() + LONGEST_SECONDS * ready.clock
    reported: list[str] = []
    asked = float("-inf")
    with announced("both regions, the controllers and the validation to be ready"):
        while missing := lacking(ready, chosen):
            if missing != reported:
                reported = missing
                report(f"waiting for {'; '.join(missing)}")
            if ready.lab_state is None or ready.now() > end:
                raise OperatorError(
                    f"not ready for a drill: {'; '.join(missing)}; ./inv recovery.status says more",
                    ExitCode.DIFFERENCE,
                )
            if missing[-1].startswith(UNPROVEN) and ready.now() - asked >= ASKED_SECONDS:
                asked = ready.now()
                validate(ready)
            pause(PAUSE_SECONDS)


def validate(ready: Prepared) -> None:
    """Has both validators run now instead of at their next five minutes; who can't be asked runs
    by its schedule."""
    system = ready.system
    for region in system.regions:
        name = physical_name("function", VALIDATE, region, system.suffix)
        try:
            client = system.clients.get("lambda", region)
            client.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
        except (BotoCoreError, ClientError):
            continue


def _mode(ready: Prepared, state: State) -> list[str]:
    system = ready.system
    settings = settings_of(ready.stack_file, system.regions[1])
    found = effective_mode(state, settings, minute_of(ready.items.read()))
    if found.mode is Mode.AUTOMATIC:
        return []
    return [f"{UNPROVEN} (now {found.mode.value}: {'; '.join(found.reasons)})"]
