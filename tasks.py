"""Deploy, watch, break and take down both regions: the front door to ops/.

Exit codes: 0 done, 1 failed (the message names the command that goes on), 2 bad input and nothing
touched, 3 this machine lacks something, 4 busy, 5 a check found a difference, 130 interrupted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

if TYPE_CHECKING:
    from ops.engines.engine import Options

if find_spec("pulumi") is None or find_spec("rich") is None:
    raise Exit(
        "the packages of requirements.txt aren't installed here: run ./inv instead of invoke, or "
        "activate its environment first (. .venv/bin/activate)",
        3,
    )

STACK = "Environment: the name in Pulumi.<stack>.yaml (lab needs no account)"
ENGINE = "embedded (default for lab) or pulumi (Pulumi's CLI, default for all others)"
LAYER = "network, data, app or global"
REFRESH = "Read every resource anew first"
TARGET = "URN of a resource to touch alone; may be repeated (engine pulumi)"
PARALLEL = "Resources moved at a time"
CONFIRM = "The stack's name: destroys it without asking; the lab never asks"
JSON = "Print JSON instead of a table"


def reported(body: Callable[..., Any]) -> Callable[..., Any]:
    """A task whose faults end in one line and an exit code; imports ops when it runs."""

    @functools.wraps(body)
    def run(*arguments: Any, **options: Any) -> Any:
        from ops import session

        return session.reported(body)(*arguments, **options)

    return run


def _all(
    stack: str,
    engine: str | None,
    verb: str,
    part: tuple[str, str] = ("", ""),
    **options: Any,
) -> None:
    from ops import session
    from ops.deploy import sequence

    layers = sequence.between(sequence.contract_graph(), part[0] or None, part[1] or None)
    driver = session.driver_for(stack, engine, _options(**options))
    _end(getattr(driver, verb)(layers))


def _one(layer: str, stack: str, engine: str | None, verb: str, **options: Any) -> None:
    from ops import session
    from ops.deploy import sequence

    sequence.known(sequence.contract_graph(), layer)
    driver = session.driver_for(stack, engine, _options(**options))
    _end(getattr(driver, verb)([layer]))


def _options(refresh: bool = False, target: Sequence[str] = (), parallel: int = 0) -> Options:
    from ops.engines.engine import Options

    return Options(refresh, tuple(target), parallel or None)


def _end(results: Sequence[Any]) -> None:
    from ops.deploy.driver import exit_code

    if code := exit_code(results):
        raise Exit(code=code)


@task(
    help={
        "stack": STACK,
        "engine": ENGINE,
        "from": "First layer to deploy; those before it must be deployed",
        "to": "Last layer to deploy",
        "refresh": REFRESH,
        "parallel": PARALLEL,
    }
)
@reported
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
    _all(stack, engine, "up", (from_, to), refresh=refresh, parallel=parallel)


@task(help={"stack": STACK, "engine": ENGINE, "refresh": REFRESH, "parallel": PARALLEL})
@reported
def preview_all(
    _c: Context,
    stack: str = "lab",
    engine: str | None = None,
    refresh: bool = False,
    parallel: int = 0,
) -> None:
    """Show what deploy-all would change; works before anything was deployed."""
    _all(stack, engine, "preview", refresh=refresh, parallel=parallel)


@task(help={"stack": STACK, "engine": ENGINE, "parallel": PARALLEL})
@reported
def refresh_all(
    _c: Context,
    stack: str = "lab",
    engine: str | None = None,
    parallel: int = 0,
) -> None:
    """Read every resource anew and take what changed into the state."""
    _all(stack, engine, "refresh", parallel=parallel)


@task(help={"stack": STACK, "engine": ENGINE, "parallel": PARALLEL, "confirm": CONFIRM})
@reported
def destroy_all(
    _c: Context,
    stack: str = "lab",
    engine: str | None = None,
    parallel: int = 0,
    confirm: str = "",
) -> None:
    """Take all layers down, consumers first, and look whether anything is left."""
    from ops import session
    from ops.deploy import sequence
    from ops.teardown import destroy as teardown

    driver = session.driver_for(stack, engine, _options(parallel=parallel))
    _end(teardown.destroy(driver, list(sequence.contract_graph()), confirm))


@task(
    iterable=["target"],
    help={
        "layer": LAYER,
        "stack": STACK,
        "engine": ENGINE,
        "refresh": REFRESH,
        "target": TARGET,
        "parallel": PARALLEL,
    },
)
@reported
def up(
    _c: Context,
    layer: str,
    stack: str = "lab",
    engine: str | None = None,
    refresh: bool = False,
    target: Sequence[str] = (),
    parallel: int = 0,
) -> None:
    """Deploy one layer; the layers it reads must be deployed."""
    _one(layer, stack, engine, "up", refresh=refresh, target=target, parallel=parallel)


@task(
    iterable=["target"],
    help={
        "layer": LAYER,
        "stack": STACK,
        "engine": ENGINE,
        "refresh": REFRESH,
        "target": TARGET,
        "parallel": PARALLEL,
    },
)
@reported
def preview(
    _c: Context,
    layer: str,
    stack: str = "lab",
    engine: str | None = None,
    refresh: bool = False,
    target: Sequence[str] = (),
    parallel: int = 0,
) -> None:
    """Show what up would change in one layer."""
    _one(layer, stack, engine, "preview", refresh=refresh, target=target, parallel=parallel)


@task(
    iterable=["target"],
    help={"layer": LAYER, "stack": STACK, "engine": ENGINE, "target": TARGET, "parallel": PARALLEL},
)
@reported
def refresh(
    _c: Context,
    layer: str,
    stack: str = "lab",
    engine: str | None = None,
    target: Sequence[str] = (),
    parallel: int = 0,
) -> None:
    """Read one layer's resources anew."""
    _one(layer, stack, engine, "refresh", target=target, parallel=parallel)


@task(
    iterable=["target"],
    help={
        "layer": LAYER,
        "stack": STACK,
        "engine": ENGINE,
        "target": TARGET,
        "parallel": PARALLEL,
        "confirm": CONFIRM,
    },
)
@reported
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
    from ops import session
    from ops.deploy import sequence
    from ops.teardown import destroy as teardown

    sequence.known(sequence.contract_graph(), layer)
    driver = session.driver_for(stack, engine, _options(target=target, parallel=parallel))
    _end(teardown.destroy(driver, [layer], confirm))


@task(help={"stack": STACK, "engine": ENGINE, "json": JSON})
@reported
def outputs(_c: Context, stack: str = "lab", engine: str | None = None, json: bool = False) -> None:
    """Print all layers' outputs and write cfn-outputs/flat-outputs.json."""
    from ops import show

    show.outputs(stack, engine, json)


@task(help={"stack": STACK, "json": JSON})
@reported
def inventory(_c: Context, stack: str = "lab", json: bool = False) -> None:
    """List everything of this environment that AWS's APIs know, asking no state."""
    from ops import show

    show.inventory(stack, json)


@task(help={"stack": STACK, "engine": ENGINE, "json": JSON})
@reported
def drift(_c: Context, stack: str = "lab", engine: str | None = None, json: bool = False) -> None:
    """Tell what changed in the cloud behind the programs' backs; exit code 5 if anything did."""
    from ops.deploy import drift as drifts

    drifts.show(stack, engine, json)


@task(
    positional=["name"],
    help={
        "name": "Name of the environment: the file becomes Pulumi.<name>.yaml",
        "suffix": "Last part of every physical name, at most 14 characters",
        "environment": "The Environment tag: dev or prod",
        "domain": "Domain of the hosted zone",
        "account": "The only AWS account that may be deployed to",
        "alarm_email": "Who is told of alarms",
    },
)
@reported
def init(
    _c: Context,
    name: str,
    suffix: str = "",
    environment: str = "dev",
    domain: str = "",
    account: str = "",
    alarm_email: str = "",
) -> None:
    """Write the stack file of a new environment."""
    from ops import init as inits

    file = inits.write(
        name,
        {
            "TapStack:environmentSuffix": suffix,
            "TapStack:environment": environment,
            "TapStack:accountId": account,
            "aws:region": "us-east-1",
            "global:domain": domain,
            "global:alarmEmail": alarm_email,
        },
    )
    print(f"{file.name} written: ./inv preview-all --stack {name}")


@task(help={"stack": STACK, "json": JSON})
@reported
def doctor(_c: Context, stack: str = "lab", json: bool = False) -> None:
    """Examine machine, configuration, backend and account; exit code 3 if something is missing."""
    from ops.doctor import examination as doctors

    doctors.show(stack, json)


@task(help={"stack": STACK, "engine": ENGINE, "json": JSON})
@reported
def status(_c: Context, stack: str = "lab", engine: str | None = None, json: bool = False) -> None:
    """Show both regions: layers, health, and who writes."""
    from ops import show

    show.status(stack, engine, json)


@task(
    help={
        "stack": STACK,
        "compare": "Changes side by side: natGateways=1,instanceClass=db.serverless (+ joins keys)",
        "json": JSON,
        "markdown": "Print docs/cost.md",
    }
)
@reported
def cost(
    _c: Context,
    stack: str = "dev",
    compare: str | None = None,
    json: bool = False,
    markdown: bool = False,
) -> None:
    """Estimate what a month costs, from what the programs would create."""
    from ops.cost import estimate as report

    report.show(stack, compare, json=json, markdown=markdown)


@task(help={"stack": STACK, "engine": ENGINE, "json": JSON, "markdown": "The table of docs"})
@reported
def policy(
    _c: Context,
    stack: str = "lab",
    engine: str | None = None,
    json: bool = False,
    markdown: bool = False,
) -> None:
    """Judge what is deployed by the HIPAA conformance rules and the house's own."""
    from ops.policies import table

    table.show(stack, engine, as_json=json, markdown=markdown)


@task(name="up", help={"stack": STACK, "clock": "Lab seconds that pass in one real second"})
@reported
def lab_up(_c: Context, stack: str = "lab", clock: float | None = None) -> None:
    """Start the lab, or find it running."""
    from ops import show

    show.lab_up(stack, clock)


@task(name="down")
@reported
def lab_down(_c: Context) -> None:
    """Stop the lab; what is deployed in it stays for the next start."""
    from ops import show

    show.lab_down()


@task(name="status", help={"json": JSON})
@reported
def lab_status(_c: Context, json: bool = False) -> None:
    """Show the lab's address, regions and parts."""
    from ops import show

    show.lab_status(json)


@task(
    name="outage",
    positional=["region"],
    help={"region": "us-east-1 or us-west-2", "part": "api, compute, database or network; all"},
)
@reported
def lab_outage(_c: Context, region: str, part: str | None = None) -> None:
    """Take a region down, or one part of it."""
    from ops import show

    show.lab_outage(region, part)


@task(name="restore", positional=["region"], help={"region": "us-east-1 or us-west-2"})
@reported
def lab_restore(_c: Context, region: str) -> None:
    """Give a region back what it has lost."""
    from ops import show

    show.lab_restore(region)


@task(name="clock", positional=["factor"], help={"factor": "Lab seconds in one real second"})
@reported
def lab_clock(_c: Context, factor: float) -> None:
    """Let the lab's time pass faster than life's."""
    from ops import show

    show.lab_clock(factor)


@task
@reported
def lint(c: Context) -> None:
    """Check style and types of all code."""
    from ops.quality import checks

    checks.lint(c)


@task(
    help={
        "unit": "Unit tests alone",
        "integration": "Lab integration tests alone",
        "match": "Only tests whose names match this pytest expression",
    }
)
@reported
def test(c: Context, unit: bool = False, integration: bool = False, match: str = "") -> None:
    """Run unit, function and lab integration tests, with coverage enforced."""
    from ops.quality import checks

    checks.test(c, unit=unit, integration=integration, match=match)


@task(positional=["name"], help={"name": "lab (or deploy), kills, failover, outages or api"})
@reported
def bench(_c: Context, name: str) -> None:
    """Measure a promise on this machine, and hold it against its limit."""
    from ops.quality import benches

    benches.run(name)


@task
@reported
def setup(_c: Context) -> None:
    """Install Pulumi's own CLI, for stacks that aren't the lab."""
    from ops import setup as setups

    for line in setups.setup():
        print(line)


@task(name="move", help={"to": "Engine that shall hold it: embedded or pulumi", "stack": STACK})
@reported
def state_move(_c: Context, to: str, stack: str = "lab") -> None:
    """Hand a lab stack's state from one engine to the other; nothing is deployed anew."""
    from ops import session

    for layer, count in session.move_state(stack, to).items():
        print(f"{layer}: {count} resources are the {to} engine's now")


@task(name="redrive", help={"stack": STACK, "json": JSON})
@reported
def events_redrive(_c: Context, stack: str = "lab", json: bool = False) -> None:
    """Deliver again the events that couldn't be delivered, in both regions."""
    from ops import show

    show.redrive(stack, json)


_events = Collection("events", events_redrive)
_lab = Collection("lab", lab_up, lab_down, lab_status, lab_outage, lab_restore, lab_clock)
_state = Collection("state", state_move)
namespace = Collection(
    deploy_all, preview_all, refresh_all, destroy_all, up, preview, refresh, destroy,
    outputs, inventory, status, doctor, drift, init, cost, policy, lint, test, bench, setup,
    _lab, _state, _events,
)  # fmt: skip
