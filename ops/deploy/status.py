"""``./inv status``: layers with their contracts, both regions, and the recovery budget (N6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ops.cloud import regions
from ops.cloud.clients import Clients
from ops.deploy.driver import Driver
from ops.printing import print_json, rows_table
from ops.waiting import announced
from tapstack.budget import OBJECTIVE_SECONDS, Budget


def show(driver: Driver, as_json: bool) -> None:
    """Prints what stands in both regions, and the budget piece by piece."""
    layers = [_layer(driver, name) for name in driver.graph]
    clients = Clients(driver.stack_file, driver.lab_endpoint)
    with announced(f"{' and '.join(clients.regions)} to say how they are"):
        found = regions.regions(driver.outputs(), clients, driver.lab_endpoint)
    budget = driver.stack_file.settings.budget
    if as_json:
        print_json(
            {
                "stack": driver.stack,
                "layers": layers,
                "regions": [region.as_dict() for region in found],
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
            ((x.region, x.role, x.health, x.database, x.replication_lag) for x in found),
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
