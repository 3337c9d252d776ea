"""The lab as operators use it: started when a lab stack needs it, found by its address, shown and
commanded by the tasks ``lab.…``."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lab import client, faults
from lab import outage as outages
from lab.errors import LabError
from ops import node, stack_file, workspace
from ops.errors import ExitCode, OperatorError, bad_input
from ops.printing import flat_lines, make_console, print_json
from ops.stack_file import StackFile
from ops.waiting import announced
from ops.workspace import Workspace

ENDPOINT_VARIABLE = "WARM_STANDBY_LAB_ENDPOINT"
"""The lab's address, over what configuration and checkpoint say."""


def endpoint(file: StackFile, environment: Mapping[str, str] = os.environ) -> str:
    """The lab's address for this stack; refused when it isn't on this machine."""
    given = environment.get(ENDPOINT_VARIABLE)
    address = given or file.settings.stack.endpoint
    if not _is_local(address):
        raise bad_input(
            f"{ENDPOINT_VARIABLE if given else 'TapStack:endpoint'} is {address!r}: the lab is on "
            f"this machine only, such as http://127.0.0.1:{client.DEFAULT_PORT}"
        )
    return address.rstrip("/")


def _is_local(address: str) -> bool:
    """Whether it is ``http://127.0.0.1:PORT`` or ``http://localhost:PORT`` and nothing more."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    plain = f"http://{host}:{port}" in (address, address.rstrip("/"))
    return plain and host in ("127.0.0.1", "localhost") and bool(port)


def environment(address: str) -> dict[str, str]:
    """The variables by which programs and plugins of a lab stack find the lab."""
    return {ENDPOINT_VARIABLE: address}


def start(space: Workspace, file: StackFile, clock: float | None = None) -> client.Status:
    """The running lab of this workspace, started if need be."""
    node.ensure()  # the lab runs functions by the Node.js that stands first on PATH
    port = urlsplit(endpoint(file)).port
    try:
        with announced(f"the lab to start; {space.lab_state / 'lab.log'} says more"):
            found = client.start(space.lab_state, port=port, clock=clock)
    except LabError as error:
        code = ExitCode.BUSY if "port" in str(error) else ExitCode.FAILED
        raise OperatorError(str(error), code) from None
    if changed := client.changed_since(space.lab_state):
        make_console(stderr=True).print(
            f"the lab runs since before {changed} changed: ./inv lab.down, then this command "
            "again, runs it as it is now; what is deployed stays"
        )
    return found


def require_running(space: Workspace) -> None:
    """Refuses a stopped lab: who only looks starts nothing."""
    if not client.status(space.lab_state).running:
        raise OperatorError(
            "the lab isn't running, so there is nothing to look at: ./inv lab.up starts it with "
            "what is deployed in it",
            ExitCode.ENVIRONMENT,
        )


# The tasks


def up(stack: str, clock: float | str | None, rtt: float | str | None = None) -> None:
    """Starts the lab and shows it; ``rtt`` in lab milliseconds."""
    factor = None if clock is None else _factor(clock)
    milliseconds = None if rtt is None else _number(rtt, "lab milliseconds to the other region")
    space = workspace.find()
    found = start(space, stack_file.load_lab(space, stack), factor)
    if milliseconds is not None:
        found = client.set_round_trip(space.lab_state, milliseconds)
    show(found)


def down() -> None:
    """Stops the lab."""
    with announced("the lab to save its state and stop"):
        stopped = client.stop(workspace.find().lab_state)
    make_console().print("the lab is stopped" if stopped else "the lab wasn't running")


def status(as_json: bool) -> None:
    """Shows the lab, running or not."""
    found = client.status(workspace.find().lab_state)
    if as_json:
        print_json(found.as_dict())
    else:
        show(found)


def outage(region: str, part: str | None, mode: str | None) -> None:
    """Takes a region, or one part of it, in one of the modes of outages."""
    outages.check_region(region)
    outages.parse_kinds(part)
    outages.parse_mode(mode or outages.Mode.DOWN)
    with announced(f"the lab to take {part or 'all'} of {region}"):
        found = client.outage(workspace.find().lab_state, region, part, mode)
    show(found)


def restore(region: str) -> None:
    """Gives a region back."""
    outages.check_region(region)
    with announced(f"the lab to give back {region}"):
        found = client.restore(workspace.find().lab_state, region)
    show(found)


def fault(name: str, value: str) -> None:
    """Turns a fault on or off; without a name it lists them all."""
    state = workspace.find().lab_state
    if name:
        faults.parse(name, value or None)
        found = client.fault(state, name, value or None)
    elif not (found := client.status(state)).running:
        raise OperatorError("the lab isn't running: run ./inv lab.up")
    console = make_console()
    for line in flat_lines({known: _said(found.faults.get(known)) for known in faults.Fault}):
        console.print(line)


def _said(value: float | str | bool | None) -> str:
    """A fault's value as it is shown."""
    if isinstance(value, bool) or value is None:
        return "on" if value else "off"
    return value if isinstance(value, str) else f"{value:g} s"


def clock(factor: float | str) -> None:
    """Sets the lab's speed."""
    show(client.set_clock(workspace.find().lab_state, _factor(factor)))


def _number(given: float | str, what: str) -> float:
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise bad_input(f"{given!r} isn't a number from 0 on: {what}")
    return number


def _factor(given: float | str) -> float:
    """Lab seconds in one real second; the lab itself refuses what is out of its range."""
    try:
        factor = float(given)
    except ValueError:
        factor = math.nan
    if not math.isfinite(factor) or factor <= 0:
        raise bad_input(f"{given!r} isn't a number above 0: lab seconds in one real second")
    return factor


def show(found: client.Status) -> None:
    """Prints the lab's addresses, regions and parts."""
    console = make_console()
    if not found.running:
        console.print("the lab isn't running: ./inv lab.up starts it")
        return
    regions = {
        name: state + (f" (lost: {', '.join(lost)})" if (lost := found.outages.get(name)) else "")
        for name, state in found.regions.items()
    }
    shown: dict[str, Any] = {
        "endpoint": found.endpoint,
        **({"front door": found.front_door} if found.front_door else {}),
        **({"dns server": found.dns} if found.dns else {}),
        "process": found.pid,
        "state": found.state_dir,
        "clock": f"{found.clock:g}" + (f", {found.now} in the lab" if found.now else ""),
        **({"round trip": f"{found.rtt_ms:g} ms"} if found.rtt_ms else {}),
        **regions,
        **(
            {"faults": ", ".join(f"{n} ({_said(v)})" for n, v in found.faults.items())}
            if found.faults
            else {}
        ),
    }
    for name, part in found.parts.items():
        shown[name] = ("healthy" if part["healthy"] else "unhealthy") + (
            f": {part['detail']}" if part.get("detail") else ""
        )
    for line in flat_lines(shown):
        console.print(line)
