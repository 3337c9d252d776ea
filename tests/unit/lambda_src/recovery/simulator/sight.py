"""What a controller sees of the truth, and how faults of sight bend it."""

from __future__ import annotations

from dataclasses import replace

from recovery.observation import (
    ALIVE,
    DEAD,
    READS,
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
    Value,
    Witness,
)
from simulator.truth import Truth, other

REFUSED = Signal(Value.UNKNOWN, "28P01")
EXHAUSTED = Signal(Value.UNKNOWN, "53300")


STALE = frozenset({"describe stale", "own describe stale", "reader seen standing still"})
"""Faults that show again what was seen before the first of them."""


def look(truth: Truth, region: str) -> Observation:
    """Returns an honest observation, as far as honest faults allow one."""
    peer = other(region)
    reader_signal, reader = _reader(truth, region)
    return Observation(
        minute=truth.minute,
        trigger=Trigger.SCHEDULE,
        own_load_balancer=ALIVE if truth.serves(region) else DEAD,
        own_reader=reader_signal,
        peer_application=ALIVE if truth.healthy(peer) else DEAD,
        ready=_ready(truth, peer),
        witness=Witness.SECONDARY if truth.red(peer) else Witness.PRIMARY,
        writer_sql=_writer_sql(truth, region),
        reader=reader,
        own_cluster=_own_cluster(truth, region),
        global_cluster=_global(truth, region),
        validation=_validation(truth, region),
        events=tuple(Event(name, minute) for name, minute in truth.events),
        own_writer=_takes_writes(truth, region),
        old_writer=_takes_writes(truth, peer) if truth.peered() else DEAD,
        switch=Switch(truth.switch),
    )


def bent(truth: Truth, seen: Observation, last: Observation | None) -> Observation:
    """Returns the standby's observation as the active faults of sight make it."""
    on = truth.on
    for name, bend in _BENDS.items():
        if name in on:
            seen = bend(seen)
    if "describe stale" in on and last is not None:
        seen = replace(seen, global_cluster=last.global_cluster)
    if "own describe stale" in on and last is not None:
        seen = replace(seen, own_cluster=last.own_cluster)
    if "reader seen standing still" in on and seen.reader and last is not None and last.reader:
        lag = max(0, truth.now - last.reader.heartbeat)
        seen = replace(seen, reader=replace(last.reader, lag_seconds=lag))
    if "lag high" in on and seen.reader is not None:
        seen = replace(seen, reader=replace(seen.reader, lag_seconds=400))
    return seen


def _reader(truth: Truth, region: str) -> tuple[Signal, Reader | None]:
    if not truth.database(region) or f"{region} reader down" in truth.on:
        return DEAD, None
    if f"{region} password wrong" in truth.on:
        return REFUSED, None
    at = truth.volume[region]
    return ALIVE, Reader(at, at, at, max(0, truth.now - at), truth.epoch[region])


def _takes_writes(truth: Truth, region: str) -> Signal:
    if not truth.database(region):
        return DEAD
    return ALIVE if truth.writes(region) else READS


def _ready(truth: Truth, peer: str) -> Ready:
    if not truth.healthy(peer):
        return Ready.NO_ANSWER
    if not (peer == truth.writer or truth.peered()) or not truth.database(truth.writer):
        return Ready.UNREACHABLE
    if "credentials refused" in truth.on:
        return Ready.CREDENTIALS_REFUSED
    return Ready.CONNECTIONS_EXHAUSTED if "connections exhausted" in truth.on else Ready.READY


def _writer_sql(truth: Truth, region: str) -> Signal:
    near = region == truth.writer or truth.peered()
    if not near or not truth.database(truth.writer):
        return DEAD
    if "credentials refused" in truth.on:
        return REFUSED
    return EXHAUSTED if "connections exhausted" in truth.on else ALIVE


def _own_cluster(truth: Truth, region: str) -> OwnCluster:
    status = "rebooting" if f"{region} restarts" in truth.on else "available"
    instances = 0 if f"{region} without instance" in truth.on else 2
    return OwnCluster(status, instances, truth.writer == region)


def _global(truth: Truth, region: str) -> GlobalCluster:
    state = "switching-over" if "switchover" in truth.on else ""
    if truth.process is not None:
        state = "failing-over"
    connected = truth.demoted_since < 0
    mine = connected or region == truth.writer
    member = f"{region} detached" not in truth.on
    peers = connected or region != truth.writer
    return GlobalCluster(member, truth.writer == region, mine, peers, state)


def _validation(truth: Truth, region: str) -> Validation | None:
    if "validator silent" in truth.on:
        return None
    began = truth.minute // 10 * 10
    knows = not truth.lost(other(region))
    equal = "versions differ" not in truth.on
    failing = "validator fails by the loss" in truth.on and not truth.database(other(region))
    return Validation(
        began=began,
        ready="readiness 0" not in truth.on and not failing,
        permissions_proven="permission lost" not in truth.on and not failing,
        witness_readable=not failing,
        subscription_confirmed=True,
        engine_version="16.8",
        versions_equal=equal if knows else None,
    )


_BENDS = {
    "writer seen dead": lambda seen: replace(seen, writer_sql=DEAD),
    "writer unknown": lambda seen: replace(seen, writer_sql=UNKNOWN),
    "probe lost": lambda seen: replace(
        seen,
        writer_sql=UNKNOWN,
        own_reader=UNKNOWN,
        reader=None,
        own_writer=UNKNOWN,
        old_writer=UNKNOWN,
    ),
    "ready says unreachable": lambda seen: replace(seen, ready=Ready.UNREACHABLE),
    "application seen dead": lambda seen: replace(
        seen, peer_application=DEAD, ready=Ready.NO_ANSWER
    ),
    "application unknown": lambda seen: replace(seen, peer_application=UNKNOWN),
    "ready silent": lambda seen: replace(seen, ready=Ready.NO_ANSWER),
    "witness wrong": lambda seen: replace(seen, witness=Witness.SECONDARY),
    "witness stuck": lambda seen: replace(seen, witness=Witness.PRIMARY),
    "witness unknown": lambda seen: replace(seen, witness=Witness.UNKNOWN),
    "describe gone": lambda seen: replace(seen, global_cluster=None),
    "describe throttled": lambda seen: replace(seen, global_cluster=None),
    "own describe throttled": lambda seen: replace(seen, own_cluster=None),
    "switch unreadable": lambda seen: replace(seen, switch=None),
    "events lost": lambda seen: replace(seen, events=()),
}
"""In the order in which they bend: of two that bend the same, who can't ask at all comes last."""
BENT = frozenset({*_BENDS, *STALE, "lag high"})
"""Faults that ``bent`` asks for."""
