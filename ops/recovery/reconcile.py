"""``./inv recovery.reconcile``: what the old writer acknowledged and never replicated (recovery.md
5)."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ops.cloud import batch_replication
from ops.errors import OperatorError, bad_input
from ops.recovery import lost_objects, old_volume
from ops.recovery.lost_tail import LostTail
from ops.recovery.place import Place, World
from ops.recovery.reconciled import COUNTED, Reconciled
from recovery import commands
from recovery.database_probe import DatabaseProbe
from recovery.model import Incident, State, Tail
from recovery.ports import UnavailableError
from recovery.promoting import ABSENT

Report = Callable[[str], None]

MARGIN_SECONDS = 3600
"""So much earlier than the loss bound says the comparison begins."""


def accept(world: World, reason: str, report: Report = lambda _line: None) -> Reconciled:
    """Accepts the loss by name, also where AWS made no snapshot; twice is the same.

    What can be listed is: each record's event is withdrawn, so that its consumers learn of it, and
    each name is in the journal. Raises ``OperatorError``: there was no promotion, no reason is
    given, or a part of AWS doesn't answer.
    """
    if not reason.strip():
        raise bad_input("recovery.reconcile --accept: a reason is needed: --accept '...'")
    region, incident = promotion(world)
    if incident.tail is not Tail.OPEN:
        return Reconciled(region, incident.snapshot, incident.tail.value)
    here = _answering(world, region)
    tail = _tail(world, here, incident)
    unlisted, there = _unlisted(world, region, incident)
    pages: list[Mapping[str, Any]] = []
    if there is not None:
        with old_volume.restored(world, there, incident.snapshot, report) as host:
            pages = tail.records(host, "accept")
    found = _summed(region, incident.snapshot, pages)
    objects = lost_objects.find(world.clients.get("s3", region), here.environment.bucket, tail)
    found = replace(
        found,
        reason=reason,
        unlisted=unlisted,
        missing_objects=objects.missing,
        objects_without_records=objects.without_records,
        orphaned=tail.orphans(withdraw=True),
    )
    for kind, names in found.names():
        _journal(world, region, Tail.OPEN, {"accepts": kind, "names": names, "reason": reason})
    body = {"accepted": reason, "unlisted": unlisted, "counts": dict(found.counts)}
    _record(world, region, Tail.ACCEPTED, body)
    return replace(found, tail=Tail.ACCEPTED.value)


def compare(world: World, *, replay: bool, report: Report = lambda _line: None) -> Reconciled:
    """Finds the lost records in the old volume, and replays them where asked; twice is the same.

    The tail is reconciled where nothing is left to decide. Raises ``OperatorError``: no promotion,
    no snapshot (yet), or a part of AWS that doesn't answer.
    """
    region, incident = promotion(world)
    if incident.tail is not Tail.OPEN:
        return Reconciled(region, incident.snapshot, incident.tail.value)
    snapshot = snapshot_of(region, incident)
    here, there = _answering(world, region), _answering(world, _other(world, region))
    tail = _tail(world, here, incident)
    with old_volume.restored(world, there, snapshot, report) as host:
        pages = tail.records(host, "replay" if replay else "list")
    objects = lost_objects.find(world.clients.get("s3", region), here.environment.bucket, tail)
    if replay and objects.missing and _replicates(world, there):
        report(f"replicate  {len(objects.missing)} objects from {there.region}")
        batch_replication.replicate(
            world.file, world.clients, there.region, failed=True, sleep=world.sleep
        )
        objects = lost_objects.find(world.clients.get("s3", region), here.environment.bucket, tail)
    found = replace(
        _summed(region, snapshot, pages),
        missing_objects=objects.missing,
        objects_without_records=objects.without_records,
        orphaned=tail.orphans(withdraw=False),
    )
    if not found.is_whole:
        return found
    _record(world, region, Tail.RECONCILED, {"counts": dict(found.counts)})
    return replace(found, tail=Tail.RECONCILED.value)


def since_of(incident: Incident, now: float, minute: int) -> datetime:
    """From when on the old volume is compared: before everything that may be lost.

    By the databases' clock, which is ``now`` in the scheduled minute ``minute``: in a lab the
    schedule's minutes are ahead of it, and no shorter.
    """
    if incident.loss_bound_seconds < 0:
        return datetime.fromtimestamp(0, UTC)
    ago = max(0, minute - incident.began) * 60 + incident.loss_bound_seconds + MARGIN_SECONDS
    return datetime.fromtimestamp(max(0.0, now - ago), UTC)


def _tail(world: World, here: Place, incident: Incident) -> LostTail:
    client = world.clients.get("lambda", here.region)
    probe = DatabaseProbe(client, here.environment.probe_function, world.clock.now)
    states = [item.state for item in world.items.read() if item.state is not None]
    minute = here.minute(here.state())
    since = since_of(incident, here.ports.clock.now(), minute)
    return LostTail(probe, since, max(state.epoch for state in states))


def _other(world: World, region: str) -> str:
    (other,) = (name for name in world.clients.regions if name != region)
    return other


def _answering(world: World, region: str) -> Place:
    try:
        return world.place(region)
    except UnavailableError as fault:
        raise OperatorError(f"{fault}: reconcile when both regions answer") from None


def _unlisted(world: World, region: str, incident: Incident) -> tuple[str, Place | None]:
    """Why the old volume's records can't be listed, or the region that it is in."""
    if incident.snapshot == ABSENT:
        return "AWS made no snapshot of the old volume", None
    if not incident.snapshot:
        return "the old volume's snapshot isn't copied", None
    try:
        return "", world.place(_other(world, region))
    except UnavailableError as fault:
        return f"{fault}", None


def _replicates(world: World, place: Place) -> bool:
    both = world.file.settings.data.bidirectional_replication
    return both or place.region == world.clients.regions[0]


def _summed(region: str, snapshot: str, pages: list[Mapping[str, Any]]) -> Reconciled:
    return Reconciled(
        region,
        snapshot,
        Tail.OPEN.value,
        counts={name: sum(page["counts"][name] for page in pages) for name in COUNTED},
        records=tuple(record for page in pages for record in page["records"]),
    )


def snapshot_of(region: str, incident: Incident) -> str:
    """The manual copy of the old volume's snapshot; raises ``OperatorError`` where there is
    none."""
    if incident.snapshot == ABSENT:
        raise bad_input(
            "AWS made no snapshot of the old volume: what it held can't be listed; accept the loss "
            "by ./inv recovery.reconcile --accept REASON"
        )
    if not incident.snapshot:
        raise OperatorError(
            f"the old volume's snapshot isn't copied yet: {region}'s controller does it once the "
            "lost region is back; ./inv recovery.status"
        )
    return incident.snapshot


def promotion(world: World) -> tuple[str, Incident]:
    """The region that was promoted last and its incident; raises ``OperatorError`` where there is
    none."""
    found = last_promotion(world)
    if found is None:
        raise bad_input("reconcile: there was no promotion, so nothing was lost")
    return found


def last_promotion(world: World) -> tuple[str, Incident] | None:
    """The region that was promoted last and its incident: the other one may not have noticed yet
    that its own promotion is over. None where there is none."""
    found = [
        (item.state.epoch, item.region, item.state.incident)
        for item in world.items.read()
        if item.state is not None and item.state.incident and item.state.incident.promoted
    ]
    if not found:
        return None
    _, region, incident = max(found, key=lambda one: one[0])
    return region, incident


def _record(world: World, region: str, tail: Tail, body: dict[str, Any]) -> None:
    """The state first, then the journal: what was accepted, by whom."""

    def reconciled(state: State) -> State:
        return commands.reconciled(state, tail)

    changes = {name: (lambda state: state) for name in world.clients.regions}
    for item in world.items.change_each({**changes, region: reconciled}):
        if item.region == region and item.state is None:
            raise OperatorError(f"{region}: {item.unknown}; run the same again")
    _journal(world, region, tail, body)


def _journal(world: World, region: str, tail: Tail, body: dict[str, Any]) -> None:
    entry = {"command": "reconcile", "by": getpass.getuser(), "tail": tail.value, **body}
    try:
        place = world.place(region)
        place.ports.journal.append(place.run().minute, "command", entry)
    except UnavailableError as fault:
        raise OperatorError(
            f"the tail is {tail.value}, and the journal doesn't say so: {fault}"
        ) from None
