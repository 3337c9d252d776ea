"""``./inv doctor``: what would stand in the way of a deployment, each with its remedy.

It changes nothing, starts nothing, and continues after each thing that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

from ops import lab, workspace
from ops.cloud.clients import Clients
from ops.doctor import account, backend, concurrency, machine
from ops.doctor.finding import Finding, State, missing, ok
from ops.errors import ExitCode, OperatorError
from ops.printing import make_console, print_json
from ops.stack_file import load
from ops.waiting import announced
from ops.workspace import Workspace

SIGNS = {State.OK: ("✓", "green"), State.ADVICE: ("!", "yellow"), State.MISSING: ("✗", "red")}


def examine(space: Workspace, stack: str) -> Iterator[Finding]:
    """All findings for one stack, as they are made."""
    yield from machine.examine(space)
    try:
        stack_file = load(space, stack)
    except OperatorError as error:
        yield missing("configuration", str(error), f"edit Pulumi.{stack}.yaml, or ./inv init")
        return
    settings = stack_file.settings
    warnings = settings.warnings()
    yield ok("configuration", "; ".join(warnings) or f"Pulumi.{stack}.yaml is valid")
    if settings.is_lab:
        yield from machine.lab(space, lab.endpoint(stack_file))
        return
    clients = Clients(stack_file)
    yield from machine.cli()
    yield backend.examine(clients)
    yield backend.encryption(space.stack_file(stack))
    yield from account.examine(clients, settings)
    yield from concurrency.examine(clients, settings)


def show(stack: str, as_json: bool) -> None:
    """Prints the findings; raises with exit code 3 when something is missing."""
    found: list[Finding] = []
    console = make_console()
    findings = examine(workspace.find(), stack)
    while True:
        with announced(f"what comes after {found[-1].what}" if found else "the first finding"):
            finding = next(findings, None)
        if finding is None:
            break
        found.append(finding)
        if as_json:
            continue
        sign, style = SIGNS[finding.state]
        console.print(f"{sign} {finding.what}: {finding.detail}", style=style)
        if finding.remedy:
            console.print(f"    {finding.remedy}")
    if as_json:
        print_json([finding.as_dict() for finding in found])
    lacking = [finding.what for finding in found if finding.state is State.MISSING]
    if lacking:
        raise OperatorError(
            f"stack {stack} can't be deployed from here: {', '.join(lacking)}",
            ExitCode.ENVIRONMENT,
        )
