"""Region outages: which region has lost what. Kept in the state directory over restarts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from lab.errors import LabError
from pulumi_protocol.files import write_atomically

REGIONS = ("us-east-1", "us-west-2")


class OutageKind(StrEnum):
    """What a region can lose."""

    API = "api"
    """Its AWS API refuses; in us-east-1 also every change of Route 53 and IAM, from anywhere."""
    COMPUTE = "compute"
    """Functions stop and load balancers drop connections."""
    DATABASE = "database"
    """Its database processes are killed."""
    NETWORK = "network"
    """The peering is cut: nothing passes between the two regions' private networks."""


EVERYTHING = frozenset(OutageKind)


class Outages:
    """The regions' outages. Reads are from memory; each change is written before it counts."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "outages.json"
        self._lost: dict[str, frozenset[OutageKind]] = {}
        if self._path.exists():
            stored = json.loads(self._path.read_text())
            self._lost = {
                region: frozenset(OutageKind(kind) for kind in kinds)
                for region, kinds in stored.items()
            }

    def lost(self, region: str) -> frozenset[OutageKind]:
        """What ``region`` has lost now; empty when it has everything."""
        return self._lost.get(region, frozenset())

    def has_lost(self, region: str, kind: OutageKind) -> bool:
        """Whether ``region`` has lost ``kind`` now."""
        return kind in self.lost(region)

    def begin(self, region: str, kinds: Iterable[OutageKind]) -> frozenset[OutageKind]:
        """Add ``kinds`` to what ``region`` has lost; returns all that it has lost now."""
        _check_region(region)
        lost = self.lost(region) | frozenset(kinds)
        self._write({**self._lost, region: lost})
        return lost

    def end(self, region: str) -> None:
        """Give ``region`` everything back."""
        _check_region(region)
        self._write({name: kinds for name, kinds in self._lost.items() if name != region})

    def as_dict(self) -> dict[str, list[str]]:
        """``{region: [kind, …]}`` of the regions that have lost something."""
        return {region: sorted(kinds) for region, kinds in sorted(self._lost.items())}

    def _write(self, lost: dict[str, frozenset[OutageKind]]) -> None:
        text = json.dumps({region: sorted(kinds) for region, kinds in lost.items()})
        write_atomically(self._path, text)
        self._lost = lost


def parse_kinds(part: str | None) -> frozenset[OutageKind]:
    """``None`` is everything; otherwise the one kind of that name.

    Raises LabError naming the kinds there are.
    """
    if part is None:
        return EVERYTHING
    try:
        return frozenset({OutageKind(part)})
    except ValueError:
        kinds = ", ".join(OutageKind)
        raise LabError(f"unknown part {part!r} of a region: choose one of {kinds}") from None


def _check_region(region: str) -> None:
    if region not in REGIONS:
        raise LabError(f"unknown region {region!r}: the lab has {' and '.join(REGIONS)}")
