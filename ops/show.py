"""What the tasks print that look and command, but deploy nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lab import client
from ops import lab, session, workspace
from ops.cloud import inventory as inventories
from ops.cloud import redrive as redrives
from ops.cloud import status as statuses
from ops.cloud.clients import Clients
from ops.deploy.driver import Driver
from ops.deploy.view import flat_lines, make_console, rows_table
from tapstack.budget import OBJECTIVE_SECONDS, Budget


def outputs(stack: str, engine: str | None, as_json: bool) -> None:
    """All layers' outputs; also writes the file."""
    driver = session.driver_for(stack, engine)
    found = driver.write_outputs()
    if as_json:
        _print_json(found)
        return
    for line in flat_lines(found):
        driver.console.print(line, markup=False)
    if len(found) == 1:
        driver.errors.print(f"nothing is deployed: run ./inv deploy-all{driver.flags}")


def inventory(stack: str, as_json: bool) -> None:
    """Everything that carries the environment's tags."""
    stack_file = session.stack_of(stack)
    endpoint = None
    if stack_file.settings.is_lab:
        endpoint = lab.start(workspace.find(), stack_file).endpoint
    found = inventories.take(Clients(stack_file, endpoint), stack_file.settings.suffix)
    if as_json:
        _print_json([thing.as_dict() for thing in found])
        return
    console = make_console()
    console.print(
        rows_table(("region", "service", "arn"), ((x.region, x.service, x.arn) for x in found))
    )
    console.print(f"{len(found)} resources of {stack_file.settings.suffix}")


def redrive(stack: str, as_json: bool) -> None:
    """Delivers again what couldn't be delivered."""
    stack_file = session.stack_of(stack)
    endpoint = None
    if stack_file.settings.is_lab:
        endpoint = lab.start(workspace.find(), stack_file).endpoint
    found = redrives.redrive(Clients(stack_file, endpoint), stack_file.settings.suffix)
    if as_json:
        _print_json([queue.as_dict() for queue in found])
        return
    rows = ((x.region, x.queue, x.events) for x in found)
    make_console().print(rows_table(("region", "queue", "delivered again"), rows))


def status(stack: str, engine: str | None, as_json: bool) -> None:
    """Layers with their contracts, both regions, and the recovery budget piece by piece (N6)."""
    driver = session.driver_for(stack, engine)
    layers = [_layer(driver, name) for name in driver.graph]
    clients = Clients(driver.stack_file, driver.lab_endpoint)
    regions = statuses.regions(driver.outputs(), clients, driver.lab_endpoint)
    budget = driver.stack_file.settings.budget
    if as_json:
        _print_json(
            {
                "stack": stack,
                "layers": layers,
                "regions": [region.as_dict() for region in regions],
                "budget": budget.as_dict(),
            }
        )
        return
    tables = (
        rows_table(
            ("layer", "deployed", "contract", "resources"),
            (
                (x["layer"], "yes" if x["deployed"] else "no", x["contract"] or "", x["resources"])
                for x in layers
            ),
        ),
        rows_table(
            ("region", "role", "health", "database", "replication lag"),
            ((x.region, x.role, x.health, x.database, x.replication_lag) for x in regions),
        ),
        rows_table(("recovery budget", "at most", ""), _budget_rows(budget)),
    )
    for number, table in enumerate(tables):
        if number:
            driver.console.print()
        driver.console.print(table)


def _layer(driver: Driver, name: str) -> dict[str, Any]:
    found = driver.engine.outputs(name)
    return {
        "layer": name,
        "deployed": found is not None,
        "contract": (found or {}).get("contract_version"),
        "resources": len(driver.engine.resources(name)),
    }


def _budget_rows(budget: Budget) -> Iterator[tuple[str, str, str]]:
    objective = f"objective {OBJECTIVE_SECONDS} s"
    sums = (
        ("RTO of requests", budget.traffic_rto, budget.traffic, "+"),
        ("RTO of writes", budget.write_rto, budget.writes, "+"),
        ("RPO", budget.rpo, budget.data, "or"),
    )
    for name, seconds, pieces, sign in sums:
        yield name, f"{seconds} s", objective
        for number, piece in enumerate(pieces):
            yield f"  {piece.name}", f"{piece.seconds} s", sign if number else ""


def lab_up(stack: str, clock: float | None) -> None:
    """Starts the lab and shows it."""
    _show_lab(lab.start(workspace.find(), session.lab_stack(stack), clock))


def lab_down() -> None:
    """Stops the lab."""
    stopped = client.stop(workspace.find().lab_state)
    make_console().print("the lab is stopped" if stopped else "the lab wasn't running")


def lab_status(as_json: bool) -> None:
    """Shows the lab, running or not."""
    status = client.status(workspace.find().lab_state)
    if as_json:
        _print_json(status.as_dict())
        return
    _show_lab(status)


def lab_outage(region: str, part: str | None) -> None:
    """Takes a region, or one part of it."""
    _show_lab(client.outage(workspace.find().lab_state, region, part))


def lab_restore(region: str) -> None:
    """Gives a region back."""
    _show_lab(client.restore(workspace.find().lab_state, region))


def lab_clock(factor: float) -> None:
    """Sets the lab's speed."""
    _show_lab(client.set_clock(workspace.find().lab_state, factor))


def _show_lab(status: client.Status) -> None:
    console = make_console()
    if not status.running:
        console.print("the lab isn't running: ./inv lab.up starts it")
        return
    regions = {
        name: state + (f" (lost: {', '.join(lost)})" if (lost := status.outages.get(name)) else "")
        for name, state in status.regions.items()
    }
    shown: dict[str, Any] = {
        "endpoint": status.endpoint,
        **({"front door": status.front_door} if status.front_door else {}),
        **({"dns": status.dns} if status.dns else {}),
        "process": status.pid,
        "state": status.state_dir,
        "clock": f"{status.clock:g}",
        **regions,
    }
    for name, part in status.parts.items():
        shown[name] = ("well" if part["healthy"] else "ill") + (
            f": {part['detail']}" if part.get("detail") else ""
        )
    for line in flat_lines(shown):
        console.print(line, markup=False)


def _print_json(value: Any) -> None:
    # Not through the console, which could break lines.
    print(json.dumps(value, indent=2, sort_keys=False))
