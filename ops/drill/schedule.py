"""The schedule: which request is due when, whatever became of those before it. Pure.

Seconds are real ones from the beginning of the load.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ops.drill.history import Kind, Operation, Outcome
from ops.drill.measure import HONEST

ATTEMPTS = 2
"""How often a client tries a write that it got no answer for, under the same key."""
AGAIN_SECONDS = 10.0
RAMP_SECONDS = 15.0
"""The load begins slowly: functions start with it, and an overload of the drill's own would measure
itself."""
BRIEF_RAMP_SECONDS = 6.0
"""The same at a fast clock, whose figures are held against nothing."""
READ_BACK_SECONDS = 5.0
"""How long after its acknowledgement a record is read back."""


@dataclass(frozen=True)
class Population:
    """Clients of one habit. ``hold`` is for how long they keep DNS answers (:class:`Cache`);
    rates are requests and writes in a real second."""

    name: str
    hold: float | None
    clients: int
    reads: float
    writes: float


POPULATIONS = (
    Population(HONEST, None, 4, 2.0, 1.5),
    Population("cached", 300.0, 2, 0.5, 0.25),
    Population("pinned", float("inf"), 2, 0.5, 0.25),
)


def scaled(populations: Iterable[Population], factor: float) -> tuple[Population, ...]:
    """The same populations with other rates."""
    return tuple(
        replace(one, reads=one.reads * factor, writes=one.writes * factor) for one in populations
    )


@dataclass(order=True, frozen=True)
class Due:
    """One request that shall be made, in real seconds after the beginning."""

    at: float
    order: int
    kind: Kind = field(compare=False)
    population: str = field(compare=False)
    client: int = field(compare=False)
    number: int = field(compare=False, default=-1)
    attempt: int = field(compare=False, default=1)
    record: str = field(compare=False, default="")


def schedule(
    populations: tuple[Population, ...], seed: int, ramp: float = RAMP_SECONDS
) -> Iterator[Due]:
    """All first attempts, for ever, in the order in which they are due.

    Each population's requests come evenly, from a random phase on and after so many seconds of
    ``ramp``; writes are numbered.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret: a drill shall be repeatable
    heap: list[tuple[float, int, Population, Kind]] = []
    for population in populations:
        for kind, rate in ((Kind.READ, population.reads), (Kind.WRITE, population.writes)):
            if rate > 0:
                heap.append((chance.uniform(0, 1 / rate), len(heap), population, kind))
    heapq.heapify(heap)
    number = order = 0
    while True:
        at, line, population, kind = heapq.heappop(heap)
        writes = kind is Kind.WRITE
        yield Due(
            ramped(at, ramp), order, kind, population.name, order % population.clients,
            number if writes else -1,
        )  # fmt: skip
        number, order = number + writes, order + 1
        rate = population.writes if writes else population.reads
        heapq.heappush(heap, (at + 1 / rate, line, population, kind))


def ramped(at: float, ramp: float = RAMP_SECONDS) -> float:
    """When a request of an even schedule is due: the rate grows from nothing to all of it within
    the ramp, and later moments are the same distance apart as before."""
    half = ramp / 2
    return (2 * ramp * at) ** 0.5 if at < half else at + half


def follow_up(operation: Operation, due: Due, ended: float, regions: tuple[str, str]) -> Due | None:
    """What a client does next about a request that ended (real seconds): it tries an unanswered
    write again, and reads every third record back, in one region or the other."""
    if operation.kind is not Kind.WRITE:
        return None
    if operation.outcome is Outcome.UNKNOWN and due.attempt < ATTEMPTS:
        return Due(
            ended + AGAIN_SECONDS, due.order, Kind.WRITE, due.population, due.client, due.number,
            due.attempt + 1,
        )  # fmt: skip
    if operation.ok and operation.number % 3 == 0:
        return Due(
            ended + READ_BACK_SECONDS, due.order, Kind.READ_BACK,
            regions[operation.number // 3 % 2], due.client, due.number, 1, operation.record,
        )  # fmt: skip
    return None
