"""Region outages: which region has lost what, and how. Kept in the state directory over restarts.

A part that is ``down`` is gone. One that hangs takes connections and never answers, a slow one
answers late, and one that flaps is down and back by turns, in lab time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from lab.errors import LabInputError
from pulumi_protocol.files import write_atomically

REGIONS = ("us-east-1", "us-west-2")
FLAP_SECONDS = 30.0
"""Lab seconds that a flapping part is down, and then as long back; down first."""
SLOW_SECONDS = 3.0
"""Lab seconds by which each answer of a slow part comes later. More than Route 53's health
checkers wait (2 s after the connection, developer guide)."""


class OutageKind(StrEnum):
    """What a region can lose."""

    API = "api"
    """Its AWS API; in us-east-1 also every change of Route 53 and IAM, from anywhere."""
    COMPUTE = "compute"
    """Functions and load balancers."""
    DATABASE = "database"
    """Its database processes."""
    PEERING = "peering"
    """What passes between the two regions' private networks."""
    REPLICATION = "replication"
    """Aurora's replication, which takes a way of AWS's own beside the peering."""


class Mode(StrEnum):
    """How a part is lost."""

    DOWN = "down"
    SLOW = "slow"
    HANG = "hang"
    FLAP = "flap"


EVERYTHING = frozenset(OutageKind)
SERVING = frozenset({OutageKind.API, OutageKind.COMPUTE, OutageKind.DATABASE})
"""A region without these has nothing left to serve with."""
NETWORK = "network"
"""What older labs called the peering and the replication together."""


@dataclass(frozen=True)
class Loss:
    """How one part of a region is lost, and since when (lab time, seconds since the epoch)."""

    mode: Mode = Mode.DOWN
    since: float = 0.0

    def at(self, now: float) -> Mode | None:
        """How it shows at lab time ``now``: one that flaps is down, or not lost at all."""
        if self.mode is not Mode.FLAP:
            return self.mode
        return None if int((now - self.since) // FLAP_SECONDS) % 2 else Mode.DOWN


class Outages:
    """The regions' outages. Reads are from memory; each change is written before it counts."""

    def __init__(self, state_dir: Path, now: Callable[[], float] = time.time) -> None:
        self._path = state_dir / "outages.json"
        self._now = now
        self._lost: dict[str, dict[OutageKind, Loss]] = {}
        if self._path.exists():
            stored = json.loads(self._path.read_text())
            self._lost = {region: _read(losses) for region, losses in stored.items()}

    def mode(self, region: str, kind: OutageKind) -> Mode | None:
        """How ``region`` has lost ``kind`` at this moment: down, slow, hang, or None."""
        loss = self._lost.get(region, {}).get(kind)
        return loss.at(self._now()) if loss else None

    def lost(self, region: str) -> frozenset[OutageKind]:
        """What doesn't answer in ``region`` now: it is down or hangs."""
        return frozenset(k for k in self._lost.get(region, ()) if self.has_lost(region, k))

    def has_lost(self, region: str, kind: OutageKind) -> bool:
        """Whether ``kind`` doesn't answer in ``region`` now: it is down or hangs."""
        return self.mode(region, kind) in (Mode.DOWN, Mode.HANG)

    def between(self, one: str, other: str, kind: OutageKind) -> Mode | None:
        """How what joins two regions (peering, replication) is lost now, by either's outage."""
        modes = {self.mode(one, kind), self.mode(other, kind)}
        return next((mode for mode in (Mode.DOWN, Mode.HANG, Mode.SLOW) if mode in modes), None)

    def begin(
        self, region: str, kinds: Iterable[OutageKind], mode: Mode = Mode.DOWN
    ) -> frozenset[OutageKind]:
        """Takes those of ``kinds`` that the region still has; returns what it has lost then.

        Raises LabInputError, and nothing is taken, when it has none of them any more, and when no
        region would be left to recover with.
        """
        check_region(region)
        before = self._lost.get(region, {})
        fresh = sorted(set(kinds) - before.keys())
        if not fresh:
            what = "everything" if set(kinds) == EVERYTHING else f"its {', '.join(sorted(kinds))}"
            raise LabInputError(
                f"{region} has lost {what} already: ./inv lab.restore {region} gives it back"
            )
        losses = {kind: Loss(mode, self._now()) for kind in fresh} | before
        for other in REGIONS:
            if other != region and losses.keys() >= SERVING <= self._lost.get(other, {}).keys():
                raise LabInputError(
                    f"{region} can't be lost as well as {other}: nothing would be left to recover "
                    f"with; ./inv lab.restore {other} first"
                )
        self._write({**self._lost, region: losses})
        return frozenset(losses)

    def end(self, region: str) -> None:
        """Gives ``region`` everything back."""
        check_region(region)
        self._write({name: losses for name, losses in self._lost.items() if name != region})

    def has_outage(self, region: str) -> bool:
        """Whether an outage of ``region`` is on, whatever it shows at this moment."""
        check_region(region)
        return region in self._lost

    def as_dict(self) -> dict[str, list[str]]:
        """``{region: [kind or "kind (mode)", …]}`` of the regions that have lost something."""
        return {
            region: [
                kind if loss.mode is Mode.DOWN else f"{kind} ({loss.mode})"
                for kind, loss in sorted(losses.items())
            ]
            for region, losses in sorted(self._lost.items())
        }

    def shown(self) -> dict[tuple[str, OutageKind], Mode | None]:
        """How every part that an outage is on shows at this moment."""
        return {
            (region, kind): self.mode(region, kind)
            for region, losses in self._lost.items()
            for kind in losses
        }

    def _write(self, lost: dict[str, dict[OutageKind, Loss]]) -> None:
        stored = {
            region: {kind: asdict(loss) for kind, loss in losses.items()}
            for region, losses in lost.items()
        }
        write_atomically(self._path, json.dumps(stored))
        self._lost = lost


def parse_kinds(part: str | None) -> frozenset[OutageKind]:
    """``None`` is everything; otherwise the one kind of that name.

    Raises LabInputError naming the kinds there are.
    """
    if part is None:
        return EVERYTHING
    if part == NETWORK:
        raise LabInputError(
            "there is no part 'network' of a region: choose peering (the private networks) or "
            "replication (Aurora's own way)"
        )
    return frozenset({OutageKind(_known(part, OutageKind, "part", "of a region"))})


def parse_mode(mode: str) -> Mode:
    """The mode of that name; raises LabInputError naming the modes there are."""
    return Mode(_known(mode, Mode, "mode", "of an outage"))


def check_region(region: str) -> None:
    """Raises LabInputError unless the lab has this region."""
    if region not in REGIONS:
        raise LabInputError(f"unknown region {region!r}: the lab has {' and '.join(REGIONS)}")


def _known(given: str, known: Iterable[str], what: str, of: str) -> str:
    names = list(known)
    if given not in names:
        raise LabInputError(f"unknown {what} {given!r} {of}: choose one of {', '.join(names)}")
    return given


def _read(stored: Any) -> dict[OutageKind, Loss]:
    """The outages of one region; older labs kept the names alone."""
    if isinstance(stored, list):
        names = [name for name in stored if name != NETWORK]
        if NETWORK in stored:
            names += [OutageKind.PEERING, OutageKind.REPLICATION]
        return {OutageKind(name): Loss() for name in names}
    return {
        OutageKind(name): Loss(Mode(loss["mode"]), float(loss["since"]))
        for name, loss in stored.items()
    }
