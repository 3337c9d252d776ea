"""Whether the cluster that RDS calls the writer is of the newest epoch that anybody knows.

A demoted volume may be taken for the writer until its fence holds; a password that is set there is
lost with it (docs/hazards.md H26).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason
from ops.errors import OperatorError, bad_input
from ops.recovery.place import World
from recovery.database_probe import DatabaseProbe
from recovery.ports import UnavailableError
from tapstack.naming import called, epoch_parameter, physical_name
from tapstack.well_known import PROBE_FUNCTION


def objection(cluster: Any, known: Iterable[int]) -> str | None:
    """What is wrong with a cluster that shall be changed as the writer, None for nothing; pure.

    ``cluster``: what the probe saw of it; ``known``: the epochs that regions and items know.
    """
    seen = cluster if isinstance(cluster, dict) else {}
    epoch, newest = seen.get("epoch"), max(known)
    if not isinstance(epoch, int):
        return "doesn't say of which epoch it is"
    if not seen.get("writes"):
        return "only reads"
    return f"is of epoch {epoch}, the newest known is {newest}" if epoch < newest else None


def confirm_writer(world: World, region: str) -> None:
    """Raises ``OperatorError`` where a region's cluster isn't the newest writer: nothing was
    changed."""
    why = objection(_cluster(world, region), _known(world))
    if why:
        raise bad_input(
            f"{region}'s cluster {why}: nothing was changed; see ./inv recovery.status{world.flags}"
        )


def _known(world: World) -> list[int]:
    """Of both items and both parameters, as far as they can be read."""
    known = [item.state.epoch for item in world.items.read() if item.state is not None]
    for region in world.clients.regions:
        name = epoch_parameter(region, world.file.settings.suffix)
        try:
            answer = world.clients.get("ssm", region).get_parameter(Name=name)
        except (ClientError, BotoCoreError):
            continue  # a lost region stops no rotation in the other one
        value = str(answer["Parameter"]["Value"])
        known += [int(value)] if value.isdecimal() else []
    return known


def _cluster(world: World, region: str) -> Any:
    """What a region's probe sees of its own cluster; None where its answer says nothing of it."""
    name = physical_name("function", PROBE_FUNCTION, region, world.file.settings.suffix)
    probe = DatabaseProbe(world.clients.get("lambda", region), called(name), world.clock.now)
    try:
        return probe.observe()().get("own_cluster")
    except UnavailableError as fault:
        if isinstance(error := fault.__cause__, ClientError | BotoCoreError):
            raise OperatorError(
                f"{name} in {region}: {reason(error)}; nothing was changed"
            ) from None
        return None
