"""Deploy, watch, break and take down both regions: the front door to ops/.

Exit codes: 0 done, 1 failed (the message names the command that resumes), 2 bad input and nothing
touched, 3 this machine lacks something, 4 busy, 5 a check found a difference, 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit

from ops.front import drill, lab, looking, quality, recovery, upkeep
from ops.front.command import command

if find_spec("pulumi") is None or find_spec("rich") is None:
    raise Exit(
        "the packages of requirements.txt aren't installed here: run ./inv instead of invoke, or "
        "activate its environment first (. .venv/bin/activate)",
        3,
    )


REGION = "Only what this region has, while the other one is lost"


def _move(
    verb: str,
    stack: str,
    engine: str | None,
    layer: str | None = None,
    *,
    part: tuple[str, str] = ("", ""),
    refresh: bool = False,
    target: Sequence[str] = (),
    parallel: int = 0,
    confirm: str = "",
    region: str = "",
) -> None:
    """Moves one layer, or all, or those from the first to the last of ``part``, in their order."""
    from ops.engines import ahead

    runner = ahead.begin(stack, engine) if verb in ("up", "preview") else None
    from ops import exits, session
    from ops.deploy import sequence
    from ops.deploy.driver import exit_code
    from ops.engines.engine import Options
    from ops.teardown import destroy

    layers = sequence.chosen(sequence.contract_graph(), layer, *part)
    spared = session.sparing(stack, region)
    options = Options(refresh, tuple(target), spared, parallel or None, runner)
    driver = session.driver_for(stack, engine, options)
    if verb == "destroy":
        results = destroy.destroy(driver, layers, confirm)
    else:
        results = getattr(driver, verb)(layers)
    exits.end_with(exit_code(results))


@command(
    **{"from": "First layer to deploy; those before it must be deployed"},
    to="Last layer to deploy",
)
def deploy_all(
    _c: Context,
    stack: str = "lab",
    engine: str | None = None,
    from_: str = "",
    to: str = "",
    refresh: bool = False,
    parallel: int = 0,
) -> None:
    """Deploy all layers in their order, and print the endpoints."""
    _move("up", stack, engine, part=(from_, to), refresh=refresh, parallel=parallel)


@command()
def preview_all(
    _c: Context,
    stack: str = "lab",
    engine: str | None = None,
    refresh: bool = False,
    parallel: int = 0,
) -> None:
    """Show what deploy-all would change; works before anything was deployed."""
    _move("preview", stack, engine, refresh=refresh, parallel=parallel)


@command()
def refresh_all(
    _c: Context, stack: str = "lab", engine: str | None = None, parallel: int = 0
) -> None:
    """Read every resource anew and take what changed into the state."""
    _move("refresh", stack, engine, parallel=parallel)


@command()
def destroy_all(
    _c: Context,
    stack: str = "lab",
    engine: str | None = None,
    parallel: int = 0,
    confirm: str = "",
) -> None:
    """Take all layers down, consumers first, and look whether anything is left."""
    _move("destroy", stack, engine, parallel=parallel, confirm=confirm)


@command(region=REGION)
def up(
    _c: Context,
    layer: str,
    stack: str = "lab",
    engine: str | None = None,
    refresh: bool = False,
    target: Sequence[str] = (),
    region: str = "",
    parallel: int = 0,
) -> None:
    """Deploy one layer; the layers it reads must be deployed."""
    _move(
        "up",
        stack,
        engine,
        layer,
        refresh=refresh,
        target=target,
        region=region,
        parallel=parallel,
    )


@command(region=REGION)
def preview(
    _c: Context,
    layer: str,
    stack: str = "lab",
    engine: str | None = None,
    refresh: bool = False,
    target: Sequence[str] = (),
    region: str = "",
    parallel: int = 0,
) -> None:
    """Show what up would change in one layer."""
    _move(
        "preview",
        stack,
        engine,
        layer,
        refresh=refresh,
        target=target,
        region=region,
        parallel=parallel,
    )


@command()
def refresh(
    _c: Context,
    layer: str,
    stack: str = "lab",
    engine: str | None = None,
    target: Sequence[str] = (),
    parallel: int = 0,
) -> None:
    """Read one layer's resources anew."""
    _move("refresh", stack, engine, layer, target=target, parallel=parallel)


@command()
def destroy(
    _c: Context,
    layer: str,
    stack: str = "lab",
    engine: str | None = None,
    target: Sequence[str] = (),
    parallel: int = 0,
    confirm: str = "",
) -> None:
    """Take one layer down; the layers that read it must be gone."""
    _move("destroy", stack, engine, layer, target=target, parallel=parallel, confirm=confirm)


@command()
def outputs(_c: Context, stack: str = "lab", engine: str | None = None, json: bool = False) -> None:
    """Print all layers' outputs and write cfn-outputs/flat-outputs.json."""
    from ops import session

    session.driver_for(stack, engine).show_outputs(json)


namespace = Collection(
    deploy_all, preview_all, refresh_all, destroy_all, up, preview, refresh, destroy, outputs,
    *looking.TASKS, *upkeep.TASKS, *quality.TASKS, *recovery.TASKS,
    drill.DRILL, lab.LAB, recovery.RECOVERY, upkeep.STATE, upkeep.EVENTS, upkeep.SECRETS,
    upkeep.OBJECTS, upkeep.APP, upkeep.EMERGENCY,
    quality.PINS,
)  # fmt: skip
