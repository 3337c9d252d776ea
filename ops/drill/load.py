"""The load: clients as users are, on an open-loop schedule.

A dispatcher hands what is due to a bounded number of workers, and how late each began is recorded:
a late generator makes a drill void.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from ops.drill.asking import Asking
from ops.drill.schedule import Due, follow_up

WORKERS = 96
"""Requests under way at most: all of them hanging for five seconds at twelve a second are sixty."""
LONGEST_WAIT = 0.2


class Load:
    """Runs the schedule until it is stopped. ``clock`` turns real seconds into the drill's."""

    def __init__(
        self,
        plan: Iterator[Due],
        asking: Asking,
        regions: tuple[str, str],
        clock: float,
        now: Callable[[], float] = time.monotonic,
        workers: int = WORKERS,
    ) -> None:
        self._plan, self._asking, self._regions = plan, asking, regions
        self._clock, self._now = clock, now
        self._origin = now()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="client")
        self._later: list[Due] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._dispatch, daemon=True, name="schedule")

    def start(self) -> None:
        """Begins; the drill's time is 0 now."""
        self._origin = self._now()
        self._thread.start()

    def stop(self) -> None:
        """Ends, after the requests that are under way; safe to call twice."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def drill_time(self) -> float:
        """The drill's seconds since the beginning."""
        return (self._now() - self._origin) * self._clock

    def _dispatch(self) -> None:
        upcoming = next(self._plan)
        while not self._ended.is_set():
            with self._lock:
                due = min([upcoming, *self._later[:1]])
            wait = due.at - (self._now() - self._origin)
            if wait > 0:
                self._ended.wait(min(wait, LONGEST_WAIT))
                continue
            if due is upcoming:
                upcoming = next(self._plan)
            else:
                with self._lock:
                    heapq.heappop(self._later)
            self._pool.submit(self._work, due)

    def _work(self, due: Due) -> None:
        operation = self._asking.make(due, self.drill_time, self._clock)
        after = follow_up(operation, due, self._now() - self._origin, self._regions)
        if after is not None:
            with self._lock:
                heapq.heappush(self._later, after)
