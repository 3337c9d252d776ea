"""Figures from the clients' side, from the recorded history alone.

Recovery ends at the first moment from which 99 % of what the schedule wanted in the next 60 s
succeeded. Latencies are corrected: from when a request was due, not from when it could be sent, so
that a client that waits for a hanging answer hides nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ops.drill.history import History, Kind, Operation, Seen

GOOD_SHARE = 0.99
GOOD_SECONDS = 60.0
HONEST = "honest"
"""The population that keeps DNS answers as long as their TTL says: the headline is its."""
LATE_LIMIT_SECONDS = 0.050
"""A generator that begins later than this at p99 doesn't measure the system: the drill is void."""
ACTING = frozenset({"intent", "called", "promoting", "verifying", "promoted"})
"""Stages of a controller that has made its call, or is about to."""
FEWEST = 5
"""Requests in a window below which nothing can be said of it."""


@dataclass(frozen=True)
class Figures:
    """Seconds after the loss, in the drill's time; None where it didn't happen.

    ``traffic`` and ``writes`` are by population; ``promotion`` lasts from the accepted call to the
    change of the writer.
    """

    detection: float | None
    dns_switch: float | None
    first_success: float | None
    writer_regained: float | None
    promotion: float | None
    traffic: dict[str, float | None]
    writes: dict[str, float | None]
    served_by: str
    """Who answered the last requests; empty when nobody did."""

    def as_dict(self) -> dict[str, Any]:
        """As the document has them."""
        return asdict(self)


@dataclass(frozen=True)
class Latency:
    """Corrected percentiles of the requests that were answered, in seconds."""

    p50: float
    p95: float
    p99: float
    longest: float


def figures(history: History, loss_at: float) -> Figures:
    """All figures of a drill whose loss was at ``loss_at``."""
    # A record is read back by no population: its operation names the region that was asked.
    clients = (one for one in history.operations if one.kind is not Kind.READ_BACK)
    populations = sorted({one.population for one in clients})
    reads = _of(history.operations, Kind.READ)
    writes = _of(history.operations, Kind.WRITE)
    before = [one.region for one in reads if one.ok and one.ended < loss_at]
    home = before[-1] if before else ""
    called = _first(
        history.seen,
        loss_at,
        lambda one: one.source == "controller" and one.what.rpartition(": ")[2] in ACTING,
    )
    moved = _first(
        history.seen, loss_at, lambda one: one.source == "writer" and one.what != "unknown"
    )
    answered = [one.region for one in reads if one.ok and one.began >= loss_at]
    return Figures(
        detection=_first(
            history.seen,
            loss_at,
            lambda one: one.source == "controller" and not one.what.endswith(": watching"),
        ),
        dns_switch=_first(
            history.seen, loss_at, lambda one: one.source == "dns" and one.what not in ("", home)
        ),
        first_success=_success(reads, loss_at, home),
        writer_regained=_success(writes, loss_at, ""),
        promotion=None if called is None or moved is None else max(0.0, moved - called),
        traffic={name: _recovered(reads, name, loss_at) for name in populations},
        writes={name: _recovered(writes, name, loss_at) for name in populations},
        served_by=answered[-1] if answered else "",
    )


def recovered_after(
    operations: Iterable[Operation], loss_at: float, until: float | None = None
) -> float | None:
    """Seconds after the loss from which on 99 % succeed for 60 s; None where they never do.

    ``until`` is the last moment that was observed: a window must end before it.
    """
    wanted = sorted((one.due, one.ok) for one in operations if one.due >= loss_at)
    dues = [due for due, _ in wanted]
    good = [0]
    for _, ok in wanted:
        good.append(good[-1] + ok)
    end = until if until is not None else (dues[-1] if dues else loss_at)
    starts = [loss_at, *(due + 1e-6 for due, ok in wanted if not ok)]
    for start in starts:
        if start + GOOD_SECONDS > end + 1e-3:
            return None
        first, last = bisect_left(dues, start), bisect_left(dues, start + GOOD_SECONDS)
        count = last - first
        if count >= FEWEST and good[last] - good[first] >= GOOD_SHARE * count:
            # The moment is that of the first success, not of the last failure before it.
            return max(0.0, dues[first] - loss_at) if start > loss_at else 0.0
    return None


def steady(operations: Iterable[Operation], at: float, seconds: float) -> bool:
    """Whether requests and writes were served for some seconds before a moment.

    What was due in the last tenth of them may be under way at that moment, and is no failure where
    the loss takes it with it; what was due before and hadn't ended by then is one. Where fewer than
    ``FEWEST`` of a kind were due in that time, as at a low rate, the last ``FEWEST`` speak for it.
    """
    under_way = at - seconds / 10
    before = sorted(
        (
            one
            for one in operations
            if one.due < at and one.attempt == 1 and (one.due < under_way or one.ended <= at)
        ),
        key=lambda one: one.due,
    )
    for kind in (Kind.READ, Kind.WRITE):
        all_of = [one for one in before if one.kind is kind]
        within = sum(at - seconds <= one.due for one in all_of)
        last = [one.ok and one.ended <= at for one in all_of[-max(within, FEWEST) :]]
        if len(last) < FEWEST or sum(last) < GOOD_SHARE * len(last):
            return False
    return True


def lateness(operations: Iterable[Operation]) -> float:
    """By how much the generator began late at p99, in the drill's seconds."""
    late = sorted(one.began - one.due for one in operations if one.attempt == 1)
    return percentile(late, 0.99)


def latency(operations: Iterable[Operation]) -> Latency:
    """Corrected latencies of what succeeded."""
    took = sorted(one.ended - one.due for one in operations if one.ok and one.attempt == 1)
    return Latency(
        percentile(took, 0.5), percentile(took, 0.95), percentile(took, 0.99),
        took[-1] if took else 0.0,
    )  # fmt: skip


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of ordered values; 0 for none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def by_second(
    operations: Iterable[Operation], kind: Kind, width: int = 1
) -> list[tuple[int, int, int, float]]:
    """(second, succeeded, failed, corrected p99 in seconds) for each ``width`` seconds."""
    sorts: dict[int, list[Operation]] = defaultdict(list)
    for one in operations:
        if one.kind is kind and one.attempt == 1:
            sorts[int(one.due // width) * width].append(one)
    return [
        (
            second,
            sum(one.ok for one in of),
            sum(not one.ok for one in of),
            percentile(sorted(one.ended - one.due for one in of), 0.99),
        )
        for second, of in sorted(sorts.items())
    ]


def _of(operations: Iterable[Operation], kind: Kind) -> list[Operation]:
    found = [one for one in operations if one.kind is kind and one.attempt == 1]
    return sorted(found, key=lambda one: one.due)


def _first(seen: Iterable[Seen], loss_at: float, holds: Callable[[Seen], bool]) -> float | None:
    """When something was first seen, in seconds after the loss."""
    found = [one.at for one in seen if one.at >= loss_at and holds(one)]
    return min(found) - loss_at if found else None


def _success(operations: Sequence[Operation], loss_at: float, home: str) -> float | None:
    """The end of the first success that began after a failure, or elsewhere than at home."""
    failed = False
    for one in operations:
        if one.due < loss_at:
            continue
        failed |= not one.ok
        if one.ok and (failed or (home and one.region != home)):
            return one.ended - loss_at
    return None


def _recovered(operations: Sequence[Operation], population: str, loss_at: float) -> float | None:
    last = max((one.due for one in operations), default=loss_at)
    return recovered_after(
        (one for one in operations if one.population == population), loss_at, last
    )
