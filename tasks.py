"""Deploy, watch, break and take down both regions: the front door to ops/.

Exit codes: 0 done, 1 failed (the message names the command that goes on), 2 bad input and nothing
touched, 3 this machine lacks something, 4 busy, 5 a check found a difference, 130 interrupted.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task, task

if find_spec("pulumi") is None or find_spec("rich") is None:
    raise Exit(
        "the packages of requirements.txt aren't installed here: run ./inv instead of invoke, or "
        "activate its environment first (. .venv/bin/activate)",
        3,
    )

REGION = "us-east-1 or us-west-2"
FLAGS = {
    "stack": "Environment: the name in Pulumi.<stack>.yaml (lab needs no account)",
    "engine": "embedded (default for lab) or pulumi (Pulumi's CLI, default for all others)",
    "layer": "network, data, app or global",
    "refresh": "Read every resource anew first",
    "target": "URN of a resource to touch alone; may be repeated (engine pulumi)",
    "parallel": "Resources moved at a time",
    "confirm": "The stack's name: destroys it without asking; the lab never asks",
    "json": "Print JSON instead of a table",
}
"""What a flag means in every task that has it."""


def command(name: str | None = None, /, **flags: str) -> Callable[[Callable[..., None]], Task[Any]]:
    """A task whose flags are explained by ``FLAGS`` and, those of its own, by ``flags``; its
    faults end in one line and an exit code. The packages of ops are imported when it runs."""

    def made(body: Callable[..., None]) -> Task[Any]:
        _, *parameters = inspect.signature(body).parameters
        explained = {**FLAGS, **flags}
        return task(
            name=name,
            iterable=[flag for flag in parameters if flag == "target"],
            help={flag.rstrip("_"): explained[flag.rstrip("_")] for flag in parameters},
        )(_reported(body))

    return made


def _reported(body: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(body)
    def run(*arguments: Any, **options: Any) -> None:
        from ops import exits

        exits.reported(body)(*arguments, **options)

    return run


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
) -> None:
    """Has the driver move one layer, or all, or the part of them from the first to the last."""
    from ops.engines import ahead

    runner = ahead.begin(stack, engine) if verb in ("up", "preview") else None
    from ops import exits, session
    from ops.deploy import sequence
    from ops.deploy.driver import exit_code
    from ops.engines.engine import Options
    from ops.teardown import destroy

    layers = sequence.chosen(sequence.contract_graph(), layer, *part)
    options = Options(refresh, tuple(target), parallel or None, runner)
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


@command()
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
    _move("up", stack, engine, layer, refresh=refresh, target=target, parallel=parallel)


@command()
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
    _move("preview", stack, engine, layer, refresh=refresh, target=target, parallel=parallel)


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


@command()
def inventory(_c: Context, stack: str = "lab", json: bool = False) -> None:
    """List everything of this environment that AWS's APIs know, asking no state."""
    from ops import session
    from ops.cloud import inventory as tagged

    tagged.show(*session.clients_for(stack), json)


@command()
def drift(_c: Context, stack: str = "lab", engine: str | None = None, json: bool = False) -> None:
    """Find what changed in the cloud behind the programs' backs; exit code 5 if anything did."""
    from ops import session
    from ops.deploy import drift as changes

    changes.show(session.driver_for(stack, engine), json)


@command(
    name="Name of the environment: the file becomes Pulumi.<name>.yaml",
    suffix="Last part of every physical name, at most 14 characters",
    environment="The Environment tag: dev or prod",
    domain="Domain of the hosted zone",
    account="The only AWS account that may be deployed to",
    alarm_email="Who is notified of alarms",
)
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
    from ops import init as new_stack

    file = new_stack.write(
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


@command()
def doctor(_c: Context, stack: str = "lab", json: bool = False) -> None:
    """Examine machine, configuration, backend and account; exit code 3 if something is missing."""
    from ops.doctor import examination

    examination.show(stack, json)


@command()
def status(_c: Context, stack: str = "lab", engine: str | None = None, json: bool = False) -> None:
    """Show both regions: layers, health, and who writes."""
    from ops import session
    from ops.deploy import status as regions

    regions.show(session.driver_for(stack, engine), json)


@command(
    compare="Changes side by side: natGateways=1,instanceClass=db.serverless (+ joins keys)",
    markdown="Print docs/cost.md",
)
def cost(
    _c: Context,
    stack: str = "dev",
    compare: str | None = None,
    json: bool = False,
    markdown: bool = False,
) -> None:
    """Estimate what a month costs, from what the programs would create."""
    from ops.cost import report

    report.show(stack, compare, json=json, markdown=markdown)


@command(markdown="The table of docs")
def policy(
    _c: Context,
    stack: str = "lab",
    engine: str | None = None,
    json: bool = False,
    markdown: bool = False,
) -> None:
    """Judge what is deployed by the HIPAA conformance rules and the house's own."""
    from ops import session
    from ops.policies import table

    table.show(session.driver_for(stack, engine), as_json=json, markdown=markdown)


@command("up", clock="Lab seconds that pass in one real second")
def lab_up(_c: Context, stack: str = "lab", clock: float | None = None) -> None:
    """Start the lab, or find it running."""
    from ops import lab

    lab.up(stack, clock)


@command("down")
def lab_down(_c: Context) -> None:
    """Stop the lab; what is deployed in it stays for the next start."""
    from ops import lab

    lab.down()


@command("status")
def lab_status(_c: Context, json: bool = False) -> None:
    """Show the lab's address, regions and parts."""
    from ops import lab

    lab.status(json)


@command("outage", region=REGION, part="api, compute, database or network; all")
def lab_outage(_c: Context, region: str, part: str | None = None) -> None:
    """Take a region down, or one part of it."""
    from ops import lab

    lab.outage(region, part)


@command("restore", region=REGION)
def lab_restore(_c: Context, region: str) -> None:
    """Give a region back what it has lost."""
    from ops import lab

    lab.restore(region)


@command("clock", factor="Lab seconds in one real second")
def lab_clock(_c: Context, factor: float) -> None:
    """Let the lab's time pass faster than real time."""
    from ops import lab

    lab.clock(factor)


@command()
def lint(c: Context) -> None:
    """Check style and types of all code."""
    from ops.quality import checks

    checks.lint(c)


@command(
    unit="Unit tests alone",
    integration="Lab integration tests alone",
    match="Only tests whose names match this pytest expression",
    quick="The quick unit tests and the functions' own, without coverage: within a minute",
)
def test(
    c: Context,
    unit: bool = False,
    integration: bool = False,
    match: str = "",
    quick: bool = False,
) -> None:
    """Run unit, function and lab integration tests, with coverage enforced."""
    from ops.quality import checks

    checks.test(c, unit=unit, integration=integration, match=match, quick=quick)


@command(
    name="One of tests/bench: deploy, kills, failover, outages, api, soak, sequences, mutants …",
    minutes="End after this time; the next run goes on where this one stopped",
)
def bench(_c: Context, name: str, minutes: float = 0.0) -> None:
    """Measure a promise on this machine, and hold it against its limit."""
    from ops.quality import benches

    benches.run(name, minutes)


@command()
def setup(_c: Context) -> None:
    """Install Pulumi's own CLI, for stacks that aren't the lab."""
    from ops import setup as installation

    for line in installation.setup():
        print(line)


@command("move", to="Engine that shall hold it: embedded or pulumi")
def state_move(_c: Context, to: str, stack: str = "lab") -> None:
    """Hand a lab stack's state from one engine to the other; nothing is deployed anew."""
    from ops import session

    for layer, count in session.move_state(stack, to).items():
        print(f"{layer}: {count} resources are the {to} engine's now")


@command("redrive")
def events_redrive(_c: Context, stack: str = "lab", json: bool = False) -> None:
    """Deliver again the events that couldn't be delivered, in both regions."""
    from ops import session
    from ops.cloud import redrive

    redrive.show(*session.clients_for(stack), json)


@command("check")
def pins_check(_c: Context) -> None:
    """Check that every pin has wheels for each platform and Python that README names."""
    from ops.quality import pins

    pins.check()


@command("write")
def pins_write(_c: Context) -> None:
    """Write the hashes of these wheels into requirements.txt."""
    from ops.quality import pins

    pins.write()


@command("audit")
def pins_audit(c: Context) -> None:
    """Ask the registries for known vulnerabilities of all pins; exit code 5 if there are any."""
    from ops.quality import pins

    pins.audit(c)


_events = Collection("events", events_redrive)
_lab = Collection("lab", lab_up, lab_down, lab_status, lab_outage, lab_restore, lab_clock)
_pins = Collection("pins", pins_check, pins_write, pins_audit)
_state = Collection("state", state_move)
namespace = Collection(
    deploy_all, preview_all, refresh_all, destroy_all, up, preview, refresh, destroy,
    outputs, inventory, status, doctor, drift, init, cost, policy, lint, test, bench, setup,
    _lab, _state, _events, _pins,
)  # fmt: skip
