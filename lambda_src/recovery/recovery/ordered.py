"""A promotion that a person orders: the controller's own intent, call and proof, judged for people.

What proves a loss is the person's own knowledge. ``Plan.refusals`` are what would make the call
wrong or useless, and nothing lifts them; ``Plan.doubts`` are what a person must have a reason to
promote against (H14, H17). Pure, as ``decide`` is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from recovery import evidence, ground, promotion, split
from recovery.case import Case, Guard
from recovery.commands import force
from recovery.decide import promoting, sends
from recovery.memory import blindness, record
from recovery.mode import validation_is_fresh
from recovery.model import (
    PROMOTES,
    Answer,
    CallFailover,
    Decision,
    Intent,
    Path,
    Settings,
    Stage,
    State,
)
from recovery.observation import Observation, Reader

REFUSING: tuple[Guard, ...] = (
    ground.own_cluster_is_a_reader,
    ground.own_cluster_is_available,
    ground.own_cluster_has_an_instance,
    ground.no_other_failover_runs,
    ground.is_not_frozen,
    ground.nothing_is_unacknowledged,
)


@dataclass(frozen=True)
class Order:
    """Who orders it, and why in spite of doubts; an empty ``reason`` lifts none.

    ``seen`` is an earlier reading of the local reader, by which a living writer shows.
    """

    by: str
    reason: str = ""
    seen: Reader | None = None


@dataclass(frozen=True)
class Plan:
    """What a promotion would lose, in seconds of writes (None: unknown), and what speaks against
    it."""

    path: Path
    loss_bound_seconds: int | None
    refusals: tuple[str, ...]
    doubts: tuple[str, ...]


def plan(
    state: State, observation: Observation, settings: Settings, seen: Reader | None = None
) -> Plan:
    """Returns what is known before a person decides."""
    path = Path.REGION if observation.peer_application.dead else Path.DATABASE
    case = Case(record(state, observation), observation, settings, path)
    bound = _loss_bound_seconds(case)
    known = observation.global_cluster is not None
    guards = (*REFUSING, ground.global_cluster_agrees) if known else REFUSING
    return Plan(
        path=path,
        loss_bound_seconds=bound,
        refusals=tuple(reason for guard in guards if (reason := guard(case))),
        doubts=(
            *_unready(case),
            *(() if known else ("the global cluster is unknown",)),
            *_living(observation, settings, seen),
            *_loss(bound, settings),
            *_held(case),
        ),
    )


def decide(state: State, observation: Observation, settings: Settings, order: Order) -> Decision:
    """Returns the intent that an order begins, or how one that is under way continues.

    The intent is stored before the call, as the controller's is, so that its next run adopts what
    a command that was killed has begun (H10). A reason is an order to the controller as well: it
    may repeat a call that was throttled, on its own ground and silence.
    """
    refused_for_good = state.stage is Stage.FAILED and not promotion.began(observation)
    if state.stage in PROMOTES and not refused_for_good:
        return _followed(state, observation, settings)
    found = plan(state, observation, settings, order.seen)
    against = (*found.refusals, *(() if order.reason else found.doubts))
    if against:
        return Decision(state, (), "; ".join(against))
    bound = found.loss_bound_seconds
    intent = Intent(
        path=found.path,
        began=observation.minute,
        loss_bound_seconds=-1 if bound is None else bound,
        forced=f"{order.by}: {order.reason}" if order.reason else "",
        calls=1,
        minute=observation.minute,
    )
    reason = f"ordered by {order.by}"
    if order.reason:
        state = force(state, observation.minute, order.by, order.reason)
    state = replace(state, stage=Stage.INTENT, intent=intent, reason=reason)
    return Decision(state, (CallFailover(),), reason)


def _followed(state: State, observation: Observation, settings: Settings) -> Decision:
    state = split.noted(state, observation)
    intent = state.intent
    if intent is None or state.stage is Stage.FAILED:
        decision = promoting(state, observation, settings)
    elif promotion.began(observation):
        decision = promotion.adopted(state, observation, settings, intent)
    elif intent.answer is Answer.UNCLEAR:
        decision = Decision(state, (), "the call's outcome is unclear: waiting for Describe")
    else:
        text = f"the call was {intent.answer.value}: {intent.detail}"
        decision = Decision(replace(state, stage=Stage.SUSPECT, intent=None), (), text)
    state = replace(decision.state, reason=decision.reason)
    return Decision(state, (*decision.actions, *sends(state)), decision.reason)


def _loss_bound_seconds(case: Case) -> int | None:
    """By the runs where they know when the loss began; else by what the reader shows now."""
    bound, reader = evidence.loss_bound_seconds(case), case.observation.reader
    if bound is None and reader is not None:
        return reader.lag_seconds
    return bound


def _unready(case: Case) -> tuple[str, ...]:
    kept = case.state.validation
    if kept is None or not validation_is_fresh(case.state, case.minute):
        readiness = "readiness 0: no validation of the last 24 hours"
    else:
        readiness = "" if kept.ready else f"readiness 0: {', '.join(kept.reasons) or 'no reason'}"
    found = (
        readiness,
        ground.is_armed(case),
        ground.versions_are_not_unequal(case),
        blindness(case.observation),
    )
    return tuple(reason for reason in found if reason)


def _living(observation: Observation, settings: Settings, seen: Reader | None) -> tuple[str, ...]:
    """A writer that takes writes loses what it acknowledges until the call (H2, H28)."""
    writer, reader = observation.writer_sql, observation.reader
    if writer.alive:
        return (f"the writer of {settings.peer} takes writes, which would be lost",)
    unknown = (
        (f"whether the writer of {settings.peer} lives is unknown ({writer.reason})",)
        if writer.unknown
        else ()
    )
    moved = seen is not None and reader is not None and _marks(seen) != _marks(reader)
    return (*unknown, *(("the local reader changes: the writer lives",) if moved else ()))


def _marks(reader: Reader) -> tuple[int, int, int]:
    return reader.heartbeat, reader.newest_record, reader.lsn


def _loss(bound: int | None, settings: Settings) -> tuple[str, ...]:
    if bound is None:
        return ("the local reader can't be read: the loss is unknown",)
    limit = settings.lag_limit_seconds
    if bound > limit:
        return (f"up to {bound} s of writes would be lost, the limit is {limit} s",)
    return ()


def _held(case: Case) -> tuple[str, ...]:
    """Announced work explains a silent database, not a lost region (H16)."""
    held = evidence.no_hold_is_announced(case) if case.path is Path.DATABASE else ""
    return (held,) if held else ()
