"""``./inv status``: how both regions stand by what they answer, and what to do next; layers with
their contracts, and the recovery budget (N6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from lab import client
from ops.cloud import alarms, regions, switch, traffic
from ops.cloud.alarms import RegionAlarms
from ops.cloud.clients import Clients
from ops.cloud.traffic import Traffic
from ops.deploy.driver import Driver
from ops.deploy.standing import Standing, next_step
from ops.errors import ExitCode
from ops.printing import print_json, rows_table
from ops.waiting import announced
from tapstack.budget import OBJECTIVE_SECONDS, Budget

WATCH_SECONDS = 5.0
"""Between two looks of ``--watch``."""


def show(driver: Driver, as_json: bool) -> ExitCode:
    """Prints what stands in both regions, and the budget piece by piece.

    The exit code says whether writes succeed: DIFFERENCE when they fail.
    """
    layers = [_layer(driver, name) for name in driver.graph]
    missing = [layer["layer"] for layer in layers if not layer["deployed"]]
    standing = look(driver, missing)
    budget = driver.stack_file.settings.budget
    if as_json:
        print_json(
            {
                "stack": driver.stack,
                "writes": standing.writes,
                "next": next_step(standing),
                "layers": layers,
                "regions": [region.as_dict() for region in standing.regions],
                "writer": standing.writer,
                "traffic": asdict(standing.traffic),
                "switch": standing.switch,
                "alarms": [_alarms_of(region) for region in standing.alarms],
                "budget": budget.as_dict(),
            }
        )
    else:
        _print(driver, standing, layers, budget)
    return ExitCode.DIFFERENCE if standing.writes is False else ExitCode.OK


def watch(driver: Driver, pause: Callable[[float], None]) -> ExitCode:
    """Shows it again and again until Ctrl-C; the last look's exit code."""
    code = ExitCode.OK
    try:
        while True:
            driver.console.clear()
            code = show(driver, as_json=False)
            pause(WATCH_SECONDS)
    except KeyboardInterrupt:
        return code


def look(driver: Driver, missing: Sequence[str]) -> Standing:
    """Asks both regions, DNS, the switch and the alarms, side by side."""
    clients = Clients(driver.stack_file, driver.lab_endpoint, impatient=True)
    settings = driver.stack_file.settings
    suffix = settings.suffix
    outputs = driver.outputs()
    with (
        announced(f"{' and '.join(clients.regions)} to say how they are"),
        ThreadPoolExecutor() as pool,
    ):
        alarmed = pool.submit(alarms.alarms, clients, suffix)
        sent = pool.submit(_traffic, driver, clients, outputs)
        switched = pool.submit(switch.switch, clients, suffix)
        return Standing(
            driver.flags,
            missing,
            regions.regions(outputs, clients, suffix, driver.lab_endpoint, settings.server_name),
            sent.result(),
            switched.result(),
            alarmed.result(),
        )


def _traffic(driver: Driver, clients: Clients, outputs: Mapping[str, Any]) -> Traffic:
    dns = client.status(driver.workspace.lab_state).dns if driver.lab_endpoint else None
    return traffic.now(outputs, clients.regions, dns)


def _print(
    driver: Driver, standing: Standing, layers: Sequence[Mapping[str, Any]], budget: Budget
) -> None:
    writes = {True: "succeed", False: "FAIL", None: "not known"}[standing.writes]
    tables = (
        rows_table(
            ("layer", "deployed", "contract", "resources"),
            (
                (x["layer"], "yes" if x["deployed"] else "no", x["contract"] or "", x["resources"])
                for x in layers
            ),
        ),
        rows_table(
            ("region", "role", "health", "ready", "database", "replication lag", "events"),
            (
                (x.region, x.role, x.health, x.ready, x.database, x.replication_lag, x.events)
                for x in standing.regions
            ),
        ),
        rows_table(
            ("what", "now"),
            (
                ("writes", writes),
                ("writer", standing.writer or "none that is known"),
                ("DNS", standing.traffic),
                ("switch", standing.switch),
                ("alarms", _alarms(standing)),
            ),
        ),
        rows_table(("recovery budget", "at most", ""), _budget_rows(budget)),
    )
    for table in tables:
        driver.console.print(table)
        driver.console.print()
    driver.console.print(f"next: {next_step(standing)}")


def _alarms_of(region: RegionAlarms) -> dict[str, Any]:
    red = [
        {"alarm": alarm.purpose, "since": alarm.since.isoformat()}
        for alarm in region.alarms
        if alarm.is_red
    ]
    return {"region": region.region, "red": red, "unknown": region.unknown}


def _alarms(standing: Standing) -> str:
    unknown = [
        f"{region.region} unknown ({region.unknown})"
        for region in standing.alarms
        if region.unknown
    ]
    return ", ".join([f"{standing.red} red", *unknown])


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
