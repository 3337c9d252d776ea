"""From the flags of a task to a driver: everything that can be wrong is checked here, before
anything is touched."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from invoke.exceptions import Exit

from lab.errors import LabError, LabInputError
from ops import lab, node, workspace
from ops import stack_file as settings_file
from ops.cloud import account
from ops.cloud.clients import Clients
from ops.deploy.driver import Driver, lab_environment
from ops.engines import choice as engines
from ops.engines import state as pulumi_cli_state
from ops.engines.engine import Options
from ops.errors import ExitCode, OperatorError, bad_input
from ops.stack_file import StackFile
from ops.teardown import destroy as teardown
from pulumi_protocol.events import EngineError
from pulumi_protocol.lock import locked
from tapstack.contracts import LAYERS
from tapstack.errors import TapStackError

F = TypeVar("F", bound=Callable[..., Any])


def stack_of(stack: str) -> StackFile:
    """The stack's file, checked."""
    return settings_file.load(workspace.find(), stack)


def lab_stack(stack: str) -> StackFile:
    """The file of a stack that lives in the lab."""
    stack_file = stack_of(stack)
    if not stack_file.settings.is_lab:
        raise bad_input(
            f"stack {stack} is {stack_file.settings.environment}: the lab is for stacks of "
            "environment lab only"
        )
    return stack_file


def driver_for(
    stack: str,
    engine: str | None = None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> Driver:
    """A driver over the stack; starts the lab when the stack is one."""
    space = workspace.find()
    stack_file = settings_file.load(space, stack)
    name = engines.choose(engine, stack_file)
    endpoint = lab.endpoint(stack_file) if stack_file.settings.is_lab else None
    environment = lab_environment(endpoint) if endpoint else {}
    made = engines.make(name, space, stack_file, environment, options)
    node.ensure()
    if endpoint:
        lab.start(space, stack_file)
    clients = Clients(stack_file, endpoint)
    driver = Driver(
        space,
        stack_file,
        made,
        default_engine=name == engines.choose(None, stack_file),
        lab_endpoint=endpoint,
        before_destroy=teardown.preparations(clients, stack_file.settings),
        permit=lambda: None if endpoint else account.check(clients, stack_file.settings),
    )
    for warning in stack_file.settings.warnings():
        driver.errors.print(f"warning: {warning}", style="yellow", markup=False)
    return driver


def move_state(stack: str, to: str) -> dict[str, int]:
    """Hands a lab stack's state to the named engine; layer → resources moved."""
    space = workspace.find()
    stack_file = lab_stack(stack)
    target = engines.choose(to, stack_file)
    environment = lab_environment(lab.endpoint(stack_file))
    both = {name: engines.any_of(name, space, stack_file, environment) for name in engines.NAMES}
    (source,) = both.keys() - {target}
    try:
        with locked(space.lab_state / "locks" / f"{stack}.lock", f"state.move of stack {stack}"):
            return pulumi_cli_state.move(both[source], both[target], list(LAYERS))
    except EngineError as error:
        raise OperatorError(str(error)) from None


def reported(body: F) -> F:
    """A task whose faults end in one line and an exit code, never in a traceback."""

    @functools.wraps(body)
    def task(*arguments: Any, **options: Any) -> Any:
        try:
            return body(*arguments, **options)
        except OperatorError as error:
            raise Exit(str(error), error.code) from None
        except (TapStackError, LabInputError) as error:
            raise Exit(str(error), ExitCode.BAD_INPUT) from None
        except (EngineError, LabError) as error:
            raise Exit(str(error), ExitCode.FAILED) from None
        except KeyboardInterrupt:
            raise Exit("interrupted", ExitCode.INTERRUPTED) from None

    return task  # type: ignore[return-value]
