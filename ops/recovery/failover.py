"""``./inv failover``: a person promotes the region that reads, by the controller's own steps.

Nothing of the lost region is asked for. The command may be killed at any step: the controller, or
the same command again, resumes from what was stored.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason as reason_of
from ops.errors import ExitCode, OperatorError, bad_input
from ops.recovery.place import Place, World
from recovery import act, describe, ordered
from recovery.model import PROMOTES, Stage, State
from recovery.observation import Reader
from recovery.ordered import Order, Plan
from recovery.ports import UnavailableError

COMPLETE_SECONDS = 900.0
"""Longest wait for a promotion: the objective."""
PAUSE_SECONDS = 0.3
"""Between two looks; a controller's run may hold the item in between."""
FOLLOWED = PROMOTES - {Stage.FAILED}
"""What is under way; a failed promotion may be ordered anew."""
FOLLOWED_MINUTES = 3
"""A controller that ran so short a time ago follows what is under way."""

Report = Callable[[str], None]
Confirm = Callable[[str], bool]
"""(the word that must be typed) → whether it was."""


@dataclass(frozen=True)
class Planned:
    """What a failover would do; ``seen`` is what the local reader showed."""

    region: str
    writer: str
    plan: Plan
    limit_seconds: int
    seen: Reader | None

    def as_dict(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {
            "region": self.region,
            "writer": self.writer,
            "path": self.plan.path.value,
            "loss_bound_seconds": self.plan.loss_bound_seconds,
            "loss_limit_seconds": self.limit_seconds,
            "refusals": list(self.plan.refusals),
            "doubts": list(self.plan.doubts),
        }

    def lines(self) -> list[str]:
        """As it is printed before a person is asked."""
        bound = self.plan.loss_bound_seconds
        loses = "unknown" if bound is None else f"at most {bound} s of writes"
        doubts = [f"doubt      {doubt}" for doubt in self.plan.doubts]
        return [
            f"failover   {self.region} becomes the writer; {self.writer} is given up",
            f"path       {self.plan.path.value}",
            f"loses      {loses} (limit {self.limit_seconds} s)",
            "steps      intent, failover_global_cluster with data loss allowed, switch, proof by a "
            "write, epoch, notices",
            *(doubts or ["doubt      none: ready"]),
        ]


@dataclass(frozen=True)
class Promoted:
    """What a failover did; ``loss_bound_seconds`` is None where it isn't known."""

    planned: Planned
    epoch: int
    loss_bound_seconds: int | None
    seconds: float

    @property
    def region(self) -> str:
        """The region that writes now."""
        return self.planned.region

    def as_dict(self) -> dict[str, Any]:
        """The document of ``--json``."""
        return {
            **self.planned.as_dict(),
            "epoch": self.epoch,
            "loss_bound_seconds": self.loss_bound_seconds,
            "seconds": self.seconds,
        }


def plan(world: World) -> tuple[Place, Planned]:
    """The region that would be promoted, and what is known before. Touches nothing.

    Raises ``OperatorError``: no table yet (``BAD_INPUT``), under way already (``BUSY``), or no
    region can be promoted.
    """
    region = _under_way(world)
    place = world.place(region) if region else _standby(world)
    _check_followed(world, place, place.state())
    observation = place.observe()
    settings = place.environment.settings
    found = ordered.plan(place.state(), observation, settings)
    return place, Planned(
        place.region, settings.peer, found, settings.lag_limit_seconds, observation.reader
    )


def run(
    world: World,
    *,
    reason: str = "",
    confirm: Confirm = lambda _word: True,
    report: Report = lambda _line: None,
) -> Promoted:
    """Promotes the region that reads; returns when a write there has proven it.

    ``reason`` forces it in spite of doubts. Raises ``OperatorError``: refused and nothing touched
    (``BAD_INPUT``), under way by somebody else (``BUSY``), failed or not complete in time.
    """
    place, planned = plan(world)
    for line in planned.lines():
        report(line)
    if place.state().stage not in FOLLOWED:
        _check_plan(world, planned, reason)
    if not confirm(planned.region):
        raise bad_input("not confirmed: nothing was touched")
    began = world.now()
    state = _followed(world, place, Order(getpass.getuser(), reason, planned.seen), report)
    bound = state.incident.loss_bound_seconds if state.incident else -1
    return Promoted(
        planned, state.epoch, None if bound < 0 else bound, round(world.now() - began, 1)
    )


def _under_way(world: World) -> str:
    """The region whose item says that a promotion runs there; empty where none does."""
    for item in world.items.read():
        if item.state is not None and item.state.stage in FOLLOWED:
            return item.region
    return ""


def _standby(world: World) -> Place:
    """The region whose cluster answers and doesn't write: by its own word, then by the global
    cluster's."""
    places: list[Place] = []
    unknown: list[str] = []
    for region in reversed(world.clients.regions):
        try:
            places.append(world.place(region))
        except UnavailableError as fault:
            unknown.append(f"{region}: {fault}")
    writers = {place.region: _writes(place) for place in places}
    readers = [place for place in places if writers[place.region] is False]
    if len(readers) == 1:
        return readers[0]
    if not readers:
        raise OperatorError(
            "no region that could be promoted answers"
            + "".join(f"; {line}" for line in unknown)
            + ": the runbook ends with AWS's own calls"
        )
    return _not_the_writer(readers)


def _writes(place: Place) -> bool | None:
    try:
        return describe.own_cluster(place.rds, place.environment.cluster).writer
    except (ClientError, BotoCoreError):
        return None


def _not_the_writer(readers: list[Place]) -> Place:
    """Both clusters say that they read: an old writer that wasn't fenced, or a change under way."""
    found: list[Place] = []
    for place in readers:
        env = place.environment
        try:
            seen = describe.global_cluster(place.rds, env.global_cluster, env.cluster_arn)
        except (ClientError, BotoCoreError) as fault:
            raise OperatorError(f"{env.global_cluster}: {reason_of(fault)}; try again") from None
        if not seen.own_writer:
            found.append(place)
    if len(found) != 1:
        raise OperatorError("no cluster writes now: a switchover runs; try again when it is over")
    return found[0]


def _check_followed(world: World, place: Place, state: State) -> None:
    """A second failover at once is refused; one that nobody follows any more is taken up."""
    if state.stage not in FOLLOWED:
        return
    leased = state.lease is not None and state.lease.until > place.ports.clock.now()
    if leased or (state.last_minute or 0) >= place.minute(state) - FOLLOWED_MINUTES:
        raise OperatorError(
            f"a promotion of {place.region} is under way ({state.stage.value}): follow it by "
            f"./inv recovery.status{world.flags}",
            ExitCode.BUSY,
        )


def _check_plan(world: World, planned: Planned, reason: str) -> None:
    found = planned.plan
    if found.refusals:
        raise bad_input(
            f"no failover to {planned.region}: {'; '.join(found.refusals)}; ./inv recovery.status"
            f"{world.flags} shows more; nothing was touched"
        )
    if found.doubts and not reason:
        raise bad_input(
            f"no failover to {planned.region}: {'; '.join(found.doubts)}; to promote all the same: "
            f"./inv failover --force --reason '...'{world.flags}; nothing was touched"
        )


def _followed(world: World, place: Place, order: Order, report: Report) -> State:
    """Begins the promotion, or takes up one that nobody follows, and stays until writes work."""
    decide = partial(ordered.decide, order=order)
    deadline = world.now() + COMPLETE_SECONDS
    begun, unsure, shown = False, False, ""
    while world.now() < deadline:
        if not begun and not unsure:
            _check_followed(world, place, place.state())
        try:
            decision = act.ordered(place.ports, place.environment.settings, place.run(), decide)
            state = place.ports.table.load()
        except UnavailableError as fault:
            # Perhaps it had called already: what is under way now is followed.
            decision, state, unsure = None, None, True
            report(f"waiting    {fault}")
        if state is not None:
            line = f"{state.stage.value:10} {decision.reason if decision else 'another run acts'}"
            if line != shown:
                report(line)
                shown = line
            if decision is not None and decision.state.stage in PROMOTES:
                begun = True
            incident = state.incident
            done = incident is not None and bool(incident.promoted)
            if begun and done and state.stage not in PROMOTES:
                return state
            if decision is not None and state.stage not in FOLLOWED:
                raise _ended(world, place, decision.reason, begun)
        world.sleep(PAUSE_SECONDS)
    raise OperatorError(
        f"the promotion of {place.region} isn't complete after {COMPLETE_SECONDS:.0f} s: never "
        f"detach a member; ./inv recovery.status{world.flags}, then ask AWS"
    )


def _ended(world: World, place: Place, why: str, begun: bool) -> OperatorError:
    """Refused in the acting run, where nothing was touched, or failed on the way."""
    if not begun:
        return bad_input(f"no failover to {place.region}: {why}; nothing was touched")
    return OperatorError(
        f"{place.region} isn't promoted: {why}; ./inv recovery.status{world.flags}, then the same "
        "again"
    )
