"""All probes side by side, each bounded: an observation is made whatever fails.

A probe that hangs, raises or comes late is data: its part of the observation is unknown. Only what
the probe itself knows to be dead is dead.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from recovery.observation import (
    UNKNOWN,
    Event,
    GlobalCluster,
    Observation,
    OwnCluster,
    Reader,
    Ready,
    Signal,
    Switch,
    Trigger,
    Validation,
    Witness,
)
from recovery.side_by_side import side_by_side

T = TypeVar("T")
LIMIT_SECONDS = 12.0


@dataclass(frozen=True)
class Probes:
    """Every part of an observation; the reader's signal and marks come from one reading."""

    own_load_balancer: Callable[[], Signal]
    peer_application: Callable[[], Signal]
    ready: Callable[[], Ready]
    witness: Callable[[], Witness]
    writer_sql: Callable[[], Signal]
    reader: Callable[[], tuple[Signal, Reader | None]]
    own_cluster: Callable[[], OwnCluster | None]
    global_cluster: Callable[[], GlobalCluster | None]
    validation: Callable[[], Validation | None]
    events: Callable[[], tuple[Event, ...]]
    own_writer: Callable[[], Signal]
    old_writer: Callable[[], Signal]
    switch: Callable[[], Switch | None]


def observe(probes: Probes, minute: int, seconds: float = LIMIT_SECONDS) -> Observation:
    """Returns what all probes found within ``seconds``; their threads are left to end later."""
    named = {name: getattr(probes, name) for name in Probes.__dataclass_fields__}
    asked = side_by_side(named, seconds)
    reader_signal, reader = _answer(asked["reader"], (UNKNOWN, None))
    return Observation(
        minute=minute,
        trigger=Trigger.SCHEDULE,
        own_load_balancer=_answer(asked["own_load_balancer"], UNKNOWN),
        own_reader=reader_signal,
        peer_application=_answer(asked["peer_application"], UNKNOWN),
        ready=_answer(asked["ready"], Ready.NO_ANSWER),
        witness=_answer(asked["witness"], Witness.UNKNOWN),
        writer_sql=_answer(asked["writer_sql"], UNKNOWN),
        reader=reader,
        own_cluster=_answer(asked["own_cluster"], None),
        global_cluster=_answer(asked["global_cluster"], None),
        validation=_answer(asked["validation"], None),
        events=_answer(asked["events"], ()),
        own_writer=_answer(asked["own_writer"], UNKNOWN),
        old_writer=_answer(asked["old_writer"], UNKNOWN),
        switch=_answer(asked["switch"], None),
    )


def _answer(asked: Future[T], otherwise: T) -> T:
    """A probe may fail in any way: this is the edge where that becomes *unknown*."""
    if not asked.done() or asked.cancelled() or asked.exception() is not None:
        return otherwise
    return asked.result()
