"""Tasks that look and change nothing: what is there, what differs, what it costs."""

from __future__ import annotations

from invoke.context import Context

from ops.front.command import command


@command()
def inventory(_c: Context, stack: str = "lab", json: bool = False) -> None:
    """List everything of this environment that AWS's APIs know, asking no state."""
    from ops import session
    from ops.cloud import inventory as tagged

    tagged.show(*session.clients_for(stack), json)


@command(watch="Look again every five seconds, until Ctrl-C")
def status(
    _c: Context,
    stack: str = "lab",
    engine: str | None = None,
    json: bool = False,
    watch: bool = False,
) -> None:
    """Show how both regions stand and what to do next; exit code 5 when writes fail."""
    import time

    from ops import exits, session
    from ops.deploy import status as standing

    driver = session.driver_for(stack, engine, start=False)
    exits.end_with(standing.watch(driver, time.sleep) if watch else standing.show(driver, json))


@command(port="Port on 127.0.0.1; 0 takes a free one")
def console(_c: Context, stack: str = "lab", port: int = 45670) -> None:
    """Open one live page on both regions, to look and to order; Ctrl-C ends it."""
    from ops.console import server

    server.run(stack, port)


@command()
def alarms(_c: Context, stack: str = "lab", json: bool = False) -> None:
    """List what is red in both regions, since when, and what the runbook says."""
    from ops import session
    from ops.deploy import alarms as risen

    risen.show(*session.looking_at(stack), json)


@command()
def doctor(_c: Context, stack: str = "lab", json: bool = False) -> None:
    """Examine machine, configuration, backend and account; exit code 3 if something is missing."""
    from ops.doctor import examination

    examination.show(stack, json)


@command()
def drift(_c: Context, stack: str = "lab", engine: str | None = None, json: bool = False) -> None:
    """Find what changed in the cloud behind the programs' backs; exit code 5 if anything did."""
    from ops import session
    from ops.deploy import drift as changes

    changes.show(session.driver_for(stack, engine), json)


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


@command(
    role="deploy (what the programs need), read (previews, drift, all that looks), operate "
    "(failover, failback, what lifts guards, rotation, redrive, console), drill or emergency",
    to="Folder for one file a policy, for aws iam create-policy",
)
def iam(_c: Context, stack: str = "lab", role: str = "deploy", to: str = "") -> None:
    """Print least-privilege policies for the deploying, reading or operators' roles."""
    from ops.permissions import show

    show.show(stack, role, to)


@command(keep="Write a signed record of each test that ended into evidence/restores")
def restores(_c: Context, stack: str = "lab", json: bool = False, keep: bool = False) -> None:
    """Show what the monthly restore tests came to; exit code 5 if one failed or is overdue."""
    from ops import session
    from ops.cloud import restores as tests

    tests.show(*session.looking_at(stack), json, keep)


TASKS = (inventory, status, console, alarms, doctor, drift, cost, policy, iam, restores)
