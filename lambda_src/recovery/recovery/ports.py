"""What ``act`` needs of the world. Each port makes one try: retrying is the decision's business.

A port that fails returns its failure as an outcome, or raises ``UnavailableError`` where it says
so. Calls are made with the SDK's own retries off: a retried call would be a second one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from recovery.model import Called, Notice, State, Verified
from recovery.observation import Observation, Switch


class UnavailableError(Exception):
    """A part of AWS didn't do what was asked, for a reason that a person can read."""


class ConflictError(Exception):
    """Another run has written the state item since it was read."""


class Table(Protocol):
    """The region's own state item."""

    def load(self) -> State:
        """Returns the item; a new one where there is none. Raises ``UnavailableError``."""
        ...

    def save(self, state: State) -> None:
        """Stores version n over n - 1, else raises ``ConflictError``, or ``UnavailableError``."""
        ...


class Rds(Protocol):
    """The own region's RDS."""

    def fail_over(self) -> Called:
        """Calls ``failover_global_cluster(AllowDataLoss=True)`` on the own cluster, once."""
        ...

    def copy_snapshot(self, since: int) -> str:
        """Returns the manual copy's ARN, ``absent`` where AWS made no snapshot from the minute
        ``since`` on, or raises ``UnavailableError``; a copy that exists already is returned."""
        ...


class Parameters(Protocol):
    """Parameters of both regions as far as they can be reached."""

    def set_switch(self, position: Switch) -> None:
        """Raises ``UnavailableError``."""
        ...

    def grow_epoch(self, epoch: int) -> None:
        """Writes the shared epoch of both regions unless it is larger already; raises
        ``UnavailableError`` until both have it."""
        ...


class Database(Protocol):
    """The probe in the own VPC."""

    def verify(self) -> Verified:
        """Commits a row on the own cluster and follows the global endpoint; a failure is data."""
        ...

    def grow_epoch(self, epoch: int, minutes: int) -> None:
        """Sets ``recovery.epoch`` unless it is larger already; the promotion was asked for
        ``minutes`` ago. Raises ``UnavailableError``."""
        ...


class Observer(Protocol):
    """All probes side by side, each bounded, a failure being data."""

    def observe(self, minute: int, state: State) -> Observation:
        """Takes at most 12 s."""
        ...


class Notifier(Protocol):
    """Topic, bus and metrics."""

    def send(self, notice: Notice) -> None:
        """Raises ``UnavailableError``."""
        ...

    def measure(self, name: str, value: float) -> None:
        """Puts a metric of ``WarmStandby``; a failure is logged and forgotten."""
        ...


class Journal(Protocol):
    """The region's journal."""

    def append(self, minute: int, kind: str, body: Mapping[str, Any]) -> None:
        """Raises ``UnavailableError``."""
        ...


class Clock(Protocol):
    """Time of this process."""

    def now(self) -> float:
        """Seconds since 1970, as wrong as the host's clock may be."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow; a frozen process sees them jump."""
        ...
