"""``./inv drift``: what changed in the cloud behind the programs' backs."""

from __future__ import annotations

import json

from invoke.exceptions import Exit

from ops import session
from ops.deploy.driver import exit_code
from ops.errors import ExitCode


def show(stack: str, engine: str | None, as_json: bool) -> None:
    """Reads every resource anew and changes nothing; drift is exit code 5."""
    driver = session.driver_for(stack, engine)
    deployed = [layer for layer in driver.graph if driver.engine.resources(layer)]
    if as_json:
        # The table is for people; a pipeline reads standard output alone.
        driver.console = driver.errors
    results = driver.refresh(deployed, preview=True)
    if failed := exit_code(results):
        raise Exit(code=failed)
    changes = {result.layer: result.summary.changed for result in results}
    if as_json:
        print(json.dumps({"stack": stack, "changed": changes}, indent=2))
    if any(changes.values()):
        driver.errors.print(
            f"drift: look at it with ./inv preview-all{driver.flags}; take it into the state with "
            f"./inv refresh-all{driver.flags}, or undo it with ./inv deploy-all{driver.flags}"
        )
        raise Exit(code=ExitCode.DIFFERENCE)
    driver.console.print("no drift" if deployed else "nothing is deployed")
