"""``./inv doctor``: what would stand in the way of a deployment, each with its remedy.

It changes nothing, starts nothing, and goes on after each thing that is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.text import Text

from ops import lab, workspace
from ops import stack_file as settings_file
from ops.cloud.clients import Clients
from ops.deploy.view import make_console
from ops.doctor import account as doctor_account
from ops.doctor import backend as doctor_backend
from ops.doctor import machine as doctor_machine
from ops.doctor.finding import Finding, State, missing, well
from ops.errors import ExitCode, OperatorError
from ops.workspace import Workspace

SIGNS = {State.WELL: ("✓", "green"), State.ADVICE: ("!", "yellow"), State.MISSING: ("✗", "red")}


def examine(space: Workspace, stack: str) -> Iterator[Finding]:
    """All findings for one stack, as they are made."""
    yield from doctor_machine.examine(space)
    try:
        stack_file = settings_file.load(space, stack)
    except OperatorError as error:
        yield missing("configuration", str(error), f"edit Pulumi.{stack}.yaml, or ./inv init")
        return
    settings = stack_file.settings
    warnings = settings.warnings()
    yield well("configuration", "; ".join(warnings) or f"Pulumi.{stack}.yaml is valid")
    if settings.is_lab:
        yield from doctor_machine.lab(space, lab.endpoint(stack_file))
        return
    clients = Clients(stack_file)
    yield from doctor_machine.cli()
    yield doctor_backend.examine(clients)
    yield doctor_backend.encryption(space.stack_file(stack))
    yield from doctor_account.examine(clients, settings)


def show(stack: str, as_json: bool) -> None:
    """Prints the findings; raises with exit code 3 when something is missing."""
    found: list[Finding] = []
    console = make_console()
    for finding in examine(workspace.find(), stack):
        found.append(finding)
        if as_json:
            continue
        sign, style = SIGNS[finding.state]
        console.print(Text(f"{sign} {finding.what}: {finding.detail}", style=style))
        if finding.remedy:
            console.print(Text(f"    {finding.remedy}"))
    if as_json:
        print(json.dumps([finding.as_dict() for finding in found], indent=2))
    lacking = [finding.what for finding in found if finding.state is State.MISSING]
    if lacking:
        raise OperatorError(
            f"stack {stack} can't be deployed from here: {', '.join(lacking)}",
            ExitCode.ENVIRONMENT,
        )
