"""From the flags of a task to a driver or clients: everything that can be wrong is checked here,
before anything is touched."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from lab import client
from ops import lab, node, stack_file, workspace
from ops.cloud import account
from ops.cloud.clients import Clients
from ops.deploy.driver import Driver
from ops.deploy.membership import missing_members
from ops.doctor import offers
from ops.engines import choice, state
from ops.engines.engine import Options
from ops.errors import OperatorError, bad_input
from ops.stack_file import StackFile
from ops.teardown import destroy
from ops.waiting import announced
from ops.workspace import Workspace
from pulumi_protocol.events import EngineError
from pulumi_protocol.lock import locked
from tapstack.contracts import LAYERS

if TYPE_CHECKING:
    from ops.recovery.place import World


def driver_for(
    stack: str,
    engine: str | None = None,
    options: Options = Options(),  # noqa: B008 - frozen
    *,
    start: bool = True,
) -> Driver:
    """A driver over the stack; starts the lab when the stack is one, unless it is only looked at:
    then a stopped lab is refused."""
    space = workspace.find()
    file = stack_file.load(space, stack)
    name = choice.choose(engine, file)
    endpoint = lab.endpoint(file) if file.settings.is_lab else None
    variables = lab.environment(endpoint) if endpoint else {}
    chosen = choice.engine_for(name, space, file, variables, options)
    node.ensure()
    if endpoint and start:
        lab.start(space, file)
    elif endpoint:
        lab.require_running(space)
    clients = Clients(file, endpoint)
    driver = Driver(
        space,
        file,
        chosen,
        default_engine=name == choice.choose(None, file),
        lab_endpoint=endpoint,
        before_destroy=destroy.preparations(clients, file.settings),
        permit=lambda: None if endpoint else account.check(clients, file.settings),
        ready=lambda: (
            None if endpoint or options.spared_region else offers.check(clients, file.settings)
        ),
        announced=lambda report: _held(file, endpoint, report),
        missing_members=lambda: missing_members(
            Clients(file, endpoint, impatient=True), file.settings
        ),
    )
    for warning in file.settings.warnings():
        driver.errors.print(f"warning: {warning}", style="yellow")
    return driver


def sparing(stack: str, region: str) -> str:
    """The region that a run leaves alone which is to move ``region`` only; empty: none."""
    if not region:
        return ""
    settings = stack_file.load(workspace.find(), stack).settings
    both = (settings.primary_region, settings.standby_region)
    if region not in both:
        raise bad_input(f"--region {region} is neither {both[0]} nor {both[1]}")
    return both[1 - both.index(region)]


def clients_for(stack: str) -> tuple[Clients, str]:
    """Clients of the stack's account, or of its lab, which is started; and the stack's suffix."""
    space = workspace.find()
    file = stack_file.load(space, stack)
    endpoint = lab.start(space, file).endpoint if file.settings.is_lab else None
    return Clients(file, endpoint), file.settings.suffix


def looking_at(stack: str) -> tuple[Workspace, StackFile, Clients]:
    """The stack and clients that don't wait for a lost region; a stopped lab is refused."""
    space = workspace.find()
    file = stack_file.load(space, stack)
    endpoint = lab.endpoint(file) if file.settings.is_lab else None
    if endpoint:
        lab.require_running(space)
    return space, file, Clients(file, endpoint, impatient=True)


def waiting_on(stack: str, seconds: int) -> tuple[StackFile, Clients]:
    """The stack and clients for calls that work for so long and mustn't be repeated unseen. The
    account is the stack's; a stopped lab is refused."""
    space = workspace.find()
    file = stack_file.load(space, stack)
    endpoint = lab.endpoint(file) if file.settings.is_lab else None
    if endpoint:
        lab.require_running(space)
    else:
        account.check(Clients(file), file.settings)
    return file, Clients(file, endpoint, once=True, seconds=seconds)


def _held(
    file: StackFile, endpoint: str | None, report: Callable[[str], None]
) -> AbstractContextManager[None]:
    # Only a deployment needs recovery's code; previews and everything that looks go without.
    from ops.recovery import holding
    from ops.recovery.items import Items

    clients = Clients(file, endpoint, impatient=True)
    return holding.held(Items.of(clients, file), report)


def acting_on(stack: str) -> World:
    """The stack's recovery for commands that move the writer: each call is one try. The account is
    the stack's; a stopped lab is refused."""
    from ops.recovery.place import World

    space = workspace.find()
    file = stack_file.load(space, stack)
    endpoint = lab.endpoint(file) if file.settings.is_lab else None
    dns = None
    if endpoint:
        lab.require_running(space)
        dns = client.status(space.lab_state).dns
    else:
        account.check(Clients(file), file.settings)
    # What is logged for a function's log group is nothing for a terminal.
    logging.getLogger("recovery").addHandler(logging.NullHandler())
    return World(file, Clients(file, endpoint, once=True), dns)


def move_state(stack: str, to: str) -> dict[str, int]:
    """Hands a lab stack's state to the named engine; layer → resources moved."""
    space = workspace.find()
    file = stack_file.load_lab(space, stack)
    target = choice.choose(to, file)
    variables = lab.environment(lab.endpoint(file))
    both = {name: choice.movable(name, space, file, variables) for name in choice.NAMES}
    (source,) = both.keys() - {target}
    try:
        with (
            locked(space.stack_lock(stack), f"state.move of stack {stack}"),
            announced(f"the {target} engine to take the state"),
        ):
            return state.move(both[source], both[target], list(LAYERS))
    except EngineError as error:
        raise OperatorError(str(error)) from None
