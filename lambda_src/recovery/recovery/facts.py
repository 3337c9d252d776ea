"""What one run of the validator found: typed, frozen, and silent about what it means.

Times are seconds since 1970 by the *scheduled* time of the run (``Facts.now``), durations are
seconds. Whatever couldn't be read is ``Missing``, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recovery.observation import GlobalCluster, Reader, Witness
from recovery.parameter_plan import Settings


@dataclass(frozen=True)
class Missing:
    """A question without its answer.

    ``asked`` is false where nobody answered: for a question to the other region that may be the
    very loss that recovery is for. A refusal (not authorized, not found) is an answer.
    """

    reason: str
    asked: bool


@dataclass(frozen=True)
class Member:
    """One region's cluster: its engine version, its instances' classes, and how many of them are
    available; ``capacity`` is the scaling range of serverless instances, empty otherwise."""

    version: str
    classes: tuple[str, ...]
    available: int
    capacity: str
    created: float
    writer: bool


@dataclass(frozen=True)
class Crossing:
    """Markers on their way from the other region into this one.

    ``since`` is when the first of an unbroken row of markers was sent, ``arrived`` the sending time
    of the newest one that is here, ``sent`` that of the last one; 0 where there is none.
    ``seconds`` is how long the one of this run took, None where it is still on its way.
    """

    since: float = 0
    arrived: float = 0
    seconds: float | None = None
    sent: float = 0


@dataclass(frozen=True)
class Standing:
    """The region's state item: whether its controller guards, and who froze it."""

    armed: bool
    frozen_by: str


@dataclass(frozen=True)
class Facts:
    """Everything that the checks judge.

    ``own_ready`` and ``other_ready`` are the parts of a region's ``/ready`` that aren't, with their
    reasons, without the writer's. ``own_secrets`` and ``other_secrets`` are digests by name.
    ``denied`` are the controller's calls that IAM would refuse, ``unarmed`` the alarms that are
    missing or notify nobody. ``backup`` is when the newest one of this region was made, 0 without
    any.
    """

    region: str
    peer: str
    now: float
    own: Member | Missing
    other: Member | Missing
    global_cluster: GlobalCluster | Missing
    standing: Standing
    own_ready: Mapping[str, str] | Missing
    other_ready: Mapping[str, str] | Missing
    own_secrets: Mapping[str, str] | Missing
    other_secrets: Mapping[str, str] | Missing
    own_parameters: Settings | Missing
    other_parameters: Settings | Missing
    reader: Reader | Missing
    objects: Crossing | Missing | None
    """None where objects aren't replicated into this region."""
    events: Crossing | Missing
    own_quota: int | Missing
    """Functions that may run at once in the account's region."""
    other_quota: int | Missing
    denied: tuple[str, ...] | Missing
    unarmed: tuple[str, ...] | Missing
    witness: Witness | Missing
    subscriptions: int | Missing
    backup: float | Missing

    @property
    def writes_here(self) -> bool:
        """Whether this region's cluster is the writer: then the other region is the standby."""
        return isinstance(self.own, Member) and self.own.writer
