"""What one deployment keeps in mind of its resources beside their states; thread-safe."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from lab.engine.failure import StepFailedError


class Ledger:
    """The URNs that this deployment has seen, has only planned, has passed over, or has cleared
    away to remake."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._planned: set[str] = set()
        self._passed: set[str] = set()
        self._cleared: set[str] = set()

    def claim(self, urn: str) -> None:
        """Takes the URN for one registration; StepFailedError when it is taken."""
        with self._lock:
            if urn in self._seen:
                raise StepFailedError(urn, "a resource of this type and name is registered twice")
            self._seen.add(urn)

    def plan(self, urn: str) -> None:
        """A preview has planned the resource, and it doesn't exist."""
        with self._lock:
            self._planned.add(urn)

    def any_planned(self, urns: Iterable[str]) -> bool:
        """Whether one of these exists in a plan alone."""
        with self._lock:
            return not self._planned.isdisjoint(urns)

    def pass_over(self, urn: str) -> None:
        """The resource is new, and its provider is left alone."""
        with self._lock:
            self._passed.add(urn)

    def passed(self, urns: Iterable[str]) -> list[str]:
        """Those of them that were passed over, sorted."""
        with self._lock:
            return sorted(self._passed.intersection(urns))

    def clear(self, urns: Iterable[str]) -> None:
        """These are deleted to be replaced."""
        with self._lock:
            self._cleared.update(urns)

    def cleared(self, urn: str) -> bool:
        """Whether the resource was deleted to be replaced, and isn't yet."""
        with self._lock:
            return urn in self._cleared

    def replaced(self, urn: str) -> None:
        """The replacement of a cleared resource stands."""
        with self._lock:
            self._cleared.discard(urn)
