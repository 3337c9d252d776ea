"""``./inv drift``: what changed in the cloud behind the programs' backs."""

from __future__ import annotations

from ops import recorded_drift
from ops.deploy.driver import Driver, exit_code
from ops.errors import ExitCode
from ops.exits import end_with
from ops.printing import print_json


def show(driver: Driver, as_json: bool) -> None:
    """Reads every resource anew and changes nothing; drift is exit code 5."""
    deployed = [layer for layer in driver.graph if driver.engine.resources(layer)]
    if as_json:
        # The table is for people; a pipeline reads standard output alone.
        driver.console = driver.errors
    results = driver.refresh(deployed, preview=True)
    end_with(exit_code(results))
    changes = {result.layer: result.summary.changed for result in results}
    recorded_drift.write(driver.workspace, driver.stack, changes)
    if as_json:
        print_json({"stack": driver.stack, "changed": changes})
    if any(changes.values()):
        driver.errors.print(
            f"drift: look at it with ./inv preview-all{driver.flags}; take it into the state with "
            f"./inv refresh-all{driver.flags}, or undo it with ./inv deploy-all{driver.flags}"
        )
        end_with(ExitCode.DIFFERENCE)
    driver.console.print("no drift" if deployed else "nothing is deployed")
