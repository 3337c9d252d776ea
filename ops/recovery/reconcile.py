"""``./inv recovery.reconcile``: what the old writer acknowledged and never replicated (recovery.md
5)."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from ops.errors import OperatorError, bad_input
from ops.recovery import old_volume
from ops.recovery.place import Place, World
from recovery import commands
from recovery.database_probe import DatabaseProbe
from recovery.model import Incident, State, Tail
from recovery.ports import UnavailableError
from recovery.promoting import ABSENT
from recovery.stored import error_code

Report = Callable[[str], None]


COUNTED = ("held", "repeated", "conflict", "lost", "replayed")
"""What became of the old volume's records: replicated; sent again by its client since; under a key
that another request has now; lost; replayed by this run."""
MARGIN_SECONDS = 3600
"""So much earlier than the loss bound says the comparison begins."""


@dataclass(frozen=True)
class Reconciled:
    """What is known of the lost tail of a promotion."""

    region: str
    """The promoted region."""
    snapshot: str
    tail: str
    reason: str = ""
    """Why its loss was accepted."""
    counts: Mapping[str, int] = field(default_factory=dict)
    records: tuple[Mapping[str, Any], ...] = ()
    """Each that isn't held: ``id``, ``event_id``, ``created_at``, ``attachment``, ``fate``."""
    missing_objects: tuple[str, ...] = ()
    """Attachments of lost records that the promoted region doesn't have."""
    orphaned: tuple[str, ...] = ()
    """Events that were received, and whose record is gone."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left that a person must decide."""
        counts = self.counts
        return not (counts.get("lost") or counts.get("conflict") or self.missing_objects)

    def as_dict(self) -> dict[str, Any]:
        """The document of ``--json``."""
        return asdict(self)


def accept(world: World, reason: str) -> Reconciled:
    """Accepts the loss by name, also where AWS made no snapshot; twice is the same.

    Raises ``OperatorError``: there was no promotion, or no reason is given.
    """
    if not reason.strip():
        raise bad_input("recovery.reconcile --accept: a reason is needed: --accept '...'")
    region, incident = promotion(world)
    if incident.tail is Tail.OPEN:
        _record(world, region, Tail.ACCEPTED, {"accepted": reason})
        return Reconciled(region, incident.snapshot, Tail.ACCEPTED.value, reason)
    return Reconciled(region, incident.snapshot, incident.tail.value)


def compare(world: World, *, replay: bool, report: Report = lambda _line: None) -> Reconciled:
    """Finds the lost records in the old volume, and replays them where asked; twice is the same.

    The tail is reconciled where nothing is left to decide. Raises ``OperatorError``: no promotion,
    no snapshot (yet), or a part of AWS that doesn't answer.
    """
    region, incident = promotion(world)
    if incident.tail is not Tail.OPEN:
        return Reconciled(region, incident.snapshot, incident.tail.value)
    snapshot = snapshot_of(region, incident)
    here, there = _places(world, region)
    with old_volume.restored(world, there, snapshot, report) as host:
        pages = list(_pages(world, there, host, since_of(incident), replay))
    found = _summed(region, snapshot, pages)
    found = replace(found, missing_objects=_missing(world, here, found.records))
    if not found.is_whole:
        return found
    _record(world, region, Tail.RECONCILED, {"counts": dict(found.counts)})
    return replace(found, tail=Tail.RECONCILED.value)


def since_of(incident: Incident) -> str:
    """From when on the old volume is compared: before everything that may be lost."""
    if incident.loss_bound_seconds < 0:
        moment = 0
    else:
        moment = incident.began * 60 - incident.loss_bound_seconds - MARGIN_SECONDS
    return datetime.fromtimestamp(max(0, moment), UTC).isoformat()


def _places(world: World, region: str) -> tuple[Place, Place]:
    """The promoted region, and the one whose volume was replaced."""
    (other,) = (name for name in world.clients.regions if name != region)
    try:
        return world.place(region), world.place(other)
    except UnavailableError as fault:
        raise OperatorError(f"{fault}: reconcile when both regions answer") from None


def _pages(
    world: World, place: Place, host: str, since: str, replay: bool
) -> Iterator[Mapping[str, Any]]:
    """Compared in the VPC: patient data stays there (``index.probe``, ``compare_tail``)."""
    client = world.clients.get("lambda", place.region)
    probe = DatabaseProbe(client, place.environment.probe_function, world.clock.now)
    epoch = max(item.state.epoch for item in world.items.read() if item.state is not None)
    after: str | None = "0"
    while after is not None:
        try:
            page = probe.compare_tail(host, since, after, replay=replay, epoch=epoch)
        except UnavailableError as fault:
            raise OperatorError(f"{fault}; run the same again") from None
        yield page
        after = page["next"]


def _summed(region: str, snapshot: str, pages: list[Mapping[str, Any]]) -> Reconciled:
    return Reconciled(
        region,
        snapshot,
        Tail.OPEN.value,
        counts={name: sum(page["counts"][name] for page in pages) for name in COUNTED},
        records=tuple(record for page in pages for record in page["records"]),
        orphaned=tuple(key for page in pages for key in page["orphaned"]),
    )


def _missing(world: World, here: Place, records: tuple[Mapping[str, Any], ...]) -> tuple[str, ...]:
    """Lost records' attachments that didn't arrive either."""
    s3, found = world.clients.get("s3", here.region), []
    for key in sorted({str(record["attachment"]) for record in records if record["attachment"]}):
        try:
            s3.head_object(Bucket=here.environment.bucket, Key=key)
        except ClientError as fault:
            if error_code(fault) not in ("404", "NoSuchKey"):
                raise OperatorError(f"{key}: {error_code(fault)}; run the same again") from None
            found.append(key)
    return tuple(found)


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
    """The promoted region and its incident; raises ``OperatorError`` where there is none."""
    for item in world.items.read():
        incident = item.state.incident if item.state is not None else None
        if incident is not None and incident.promoted:
            return item.region, incident
    raise bad_input("reconcile: there was no promotion, so nothing was lost")


def _record(world: World, region: str, tail: Tail, body: dict[str, Any]) -> None:
    """The state first, then the journal: what was accepted, by whom."""

    def reconciled(state: State) -> State:
        return commands.reconciled(state, tail)

    changes = {name: (lambda state: state) for name in world.clients.regions}
    for item in world.items.change_each({**changes, region: reconciled}):
        if item.region == region and item.state is None:
            raise OperatorError(f"{region}: {item.unknown}; run the same again")
    entry = {"command": "reconcile", "by": getpass.getuser(), "tail": tail.value, **body}
    try:
        place = world.place(region)
        place.ports.journal.append(place.run().minute, "command", entry)
    except UnavailableError as fault:
        raise OperatorError(
            f"the tail is {tail.value}, and the journal doesn't say so: {fault}"
        ) from None
