"""Taking an environment down without regret: who is asked first, what is waited for, what is
left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence

from ops.cloud import account, inventory
from ops.cloud.clients import Clients
from ops.deploy.driver import Driver, Pause, Prepare, Report, exit_code
from ops.deploy.sequence import LayerResult
from ops.errors import ExitCode, OperatorError, bad_input
from ops.printing import rows_table
from ops.teardown.detach import detach_demoted
from ops.teardown.function_interfaces import wait_until_gone
from ops.waiting import announced
from tapstack.settings import Settings

LISTED_SECONDS = 120
"""Seconds for which the tagging API still lists what is gone: until then a rest is no finding."""
POLL_SECONDS = 10


def preparations(clients: Clients, settings: Settings) -> Mapping[str, Prepare]:
    """What has to be done outside Pulumi before a layer can be destroyed."""

    def data(report: Report, pause: Pause) -> None:
        if done := detach_demoted(clients, settings, pause):
            report(done)

    def network(report: Report, pause: Pause) -> None:
        wait_until_gone(clients, settings, report, pause)

    return {"data": data, "network": network}


def destroy(
    driver: Driver,
    layers: Sequence[str],
    confirmed: str,
    sleep: Callable[[float], None] = time.sleep,
) -> list[LayerResult]:
    """Asks, destroys, and after all layers looks whether anything is left.

    ``confirmed``: the stack's name as given with ``--confirm``, or empty. Raises
    :class:`OperatorError` with ``DIFFERENCE`` when something is left.
    """
    clients = Clients(driver.stack_file, driver.lab_endpoint)
    driver.permit()  # before anyone is asked about resources in the wrong account
    _confirm(driver, layers, confirmed, clients)
    results = driver.destroy(layers)
    if set(layers) == set(driver.graph) and exit_code(results) is ExitCode.OK:
        _verify(driver, clients, sleep)
    return results


def _confirm(driver: Driver, layers: Sequence[str], given: str, clients: Clients) -> None:
    """On anything that isn't the lab the stack's name must be typed, as a flag or when asked."""
    if driver.stack_file.settings.is_lab:
        return
    if not given:
        counts = {layer: len(driver.engine.resources(layer)) for layer in layers}
        if not any(counts.values()):
            return
        if not sys.stdin.isatty():
            raise bad_input(
                f"stack {driver.stack} isn't the lab, and nobody is here to be asked: add "
                f"--confirm {driver.stack} to destroy it"
            )
        what = ", ".join(f"{layer} ({count})" for layer, count in counts.items() if count)
        given = input(
            f"This destroys {sum(counts.values())} resources of stack {driver.stack} in account "
            f"{account.current(clients)}: {what}, databases and buckets with all that is in them.\n"
            "Type the stack's name to continue: "
        ).strip()
    if given != driver.stack:
        raise bad_input(f"{given or 'nothing'} isn't {driver.stack}: nothing was touched")


def _verify(driver: Driver, clients: Clients, sleep: Callable[[float], None]) -> None:
    suffix = driver.stack_file.settings.suffix
    with announced(f"AWS to stop listing what was destroyed (up to {LISTED_SECONDS} s)"):
        left = inventory.take(clients, suffix)
        for _ in range(0 if driver.lab_endpoint else LISTED_SECONDS // POLL_SECONDS):
            if not left:
                break
            sleep(POLL_SECONDS)
            left = inventory.take(clients, suffix)
    if not left:
        driver.console.print(f"nothing of {suffix} is left in {' and '.join(clients.regions)}")
        return
    driver.errors.print(
        rows_table(("region", "service", "arn"), ((x.region, x.service, x.arn) for x in left))
    )
    raise OperatorError(
        f"all layers are destroyed, and {len(left)} things that carry the environment's tags are "
        f"left; ./inv inventory{driver.flags} lists them again",
        ExitCode.DIFFERENCE,
    )
