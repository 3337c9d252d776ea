"""Which engine moves a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.engines import state
from ops.engines.engine import Options
from ops.errors import bad_input
from ops.stack_file import StackFile
from ops.workspace import Workspace

if TYPE_CHECKING:
    from ops.engines.embedded import Embedded
    from ops.engines.engine import Engine
    from ops.engines.pulumi_cli.adapter import PulumiCli

NAMES = ("embedded", "pulumi")


def choose(name: str | None, stack_file: StackFile) -> str:
    """The engine asked for, or the stack's default: embedded for the lab, else Pulumi's CLI.

    The embedded engine is a local test engine: it is refused for anything but the lab.
    """
    if name not in (None, "", *NAMES):
        raise bad_input(f"unknown engine {name}: --engine is {' or '.join(NAMES)}")
    if not name:
        return "embedded" if stack_file.settings.is_lab else "pulumi"
    if name == "embedded" and not stack_file.settings.is_lab:
        raise bad_input(
            f"--engine embedded is for the lab only, and stack {stack_file.stack} is "
            f"{stack_file.settings.environment}: leave --engine out to use Pulumi's CLI"
        )
    return name


def engine_for(
    name: str,
    workspace: Workspace,
    stack_file: StackFile,
    environment: dict[str, str],
    options: Options = Options(),  # noqa: B008 - frozen
) -> Engine:
    """The engine of that name over the stack's four projects.

    Refused when the other engine holds the stack's state: it would make everything twice.
    """
    if stack_file.settings.is_lab:
        state.refuse_other(workspace, stack_file.stack, name)
    return movable(name, workspace, stack_file, environment, options)


def movable(
    name: str,
    workspace: Workspace,
    stack_file: StackFile,
    environment: dict[str, str],
    options: Options = Options(),  # noqa: B008 - frozen
) -> PulumiCli | Embedded:
    """The same whoever holds the state, as the engine that a state leaves or comes to."""
    if name == "pulumi":
        from ops.engines.pulumi_cli import adapter as pulumi_cli

        return pulumi_cli.make(workspace, stack_file, environment, options)
    from ops.engines.embedded import Embedded

    return Embedded(workspace, stack_file.stack, environment, options)
