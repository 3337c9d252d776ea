"""What people may order, as pure changes of the state items.

A command changes both regions' items where it can reach them; one that it can't is settled by the
next command (``settled``: to the stricter of both). Refusals are one line for the person who asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from recovery.memory import forgotten
from recovery.model import Drill, Force, Freeze, Hold, Mode, Settings, Stage, State, Tail
from recovery.notices import unsaid
from recovery.observation import Observation

FREEZE_MINUTES = 24 * 60
HOLD_MINUTES = 60
FORCE_MINUTES = 15
LAG_LIMIT_SECONDS = 1


class RefusedError(Exception):
    """The command can't be carried out: what, why, what to run instead."""


def freeze(state: State, minute: int, by: str, reason: str) -> State:
    """Stops all automatic recovery for 24 hours."""
    if not reason.strip():
        raise RefusedError("freeze: a reason is needed: --reason '...'")
    return replace(state, freeze=Freeze(reason, by, minute, minute + FREEZE_MINUTES))


def thaw(state: State) -> State:
    """Ends a freeze; thawing what isn't frozen changes nothing."""
    return replace(state, freeze=None)


def hold(state: State, minute: int, minutes: int, reason: str) -> State:
    """Stops the database-only path; a running hold is never carried beyond its first hour."""
    if not 1 <= minutes <= HOLD_MINUTES:
        raise RefusedError(f"hold: 1 to {HOLD_MINUTES} minutes are allowed, not {minutes}")
    running = state.hold is not None and minute < state.hold.until
    since = state.hold.since if state.hold is not None and running else minute
    return replace(state, hold=Hold(reason, since, min(minute + minutes, since + HOLD_MINUTES)))


def release(state: State) -> State:
    """Ends a hold."""
    return replace(state, hold=None)


def lower(state: State, mode: Mode) -> State:
    """Sets the mode that rules beside the configuration's."""
    return replace(state, mode=mode)


def force(state: State, minute: int, by: str, reason: str) -> State:
    """Orders a promotion in spite of mode and loss bound; ground and silence are still required."""
    if not reason.strip():
        raise RefusedError("failover --force: a reason is needed: --reason '...'")
    return replace(state, force=Force(reason, by, minute + FORCE_MINUTES))


def drill_begins(state: State, minute: int, minutes: int) -> State:
    """Marks that a drill runs, for so many minutes at most; the last one's result stays."""
    before = state.drill or Drill(passed=False, ended=0)
    return replace(state, drill=replace(before, running_until=minute + minutes))


def drill_ends(state: State) -> State:
    """Takes the mark away; a drill that proved nothing leaves the result of the one before it."""
    before = state.drill
    if before is None or not before.ended:
        return replace(state, drill=None)
    return replace(state, drill=replace(before, running_until=0))


def drilled(state: State, minute: int, passed: bool) -> State:
    """Records a drill's result, which ``prod`` needs to be automatic."""
    return replace(state, drill=Drill(passed, minute))


def reconciled(state: State, tail: Tail) -> State:
    """Records what became of the lost tail: reconciled, or its loss accepted by name."""
    if state.incident is None:
        raise RefusedError("reconcile: there was no promotion, so nothing was lost")
    return replace(state, incident=replace(state.incident, tail=tail))


def acknowledge(own: State, epoch: int) -> State:
    """Returns one region's item after a person has looked; ``epoch`` is the larger of both items'.

    The promoted region keeps its incident until failback, or until the other one is promoted in its
    turn, whether its own controller has seen that or not; everywhere else the watch begins anew.
    """
    incident = own.incident
    is_over = incident is not None and incident.acknowledged and own.epoch < epoch
    if incident is not None and incident.promoted and not is_over:
        if incident.split and incident.tail is Tail.OPEN:
            raise RefusedError("acknowledge: the regions are split: ./inv recovery.reconcile first")
        incident = replace(incident, acknowledged=True, split=False)
        stage = Stage.REBUILDING if own.stage is Stage.SPLIT else own.stage
        return replace(own, stage=stage, incident=incident, epoch=max(own.epoch, epoch))
    return _watching_anew(own, epoch)


def nothing_to_acknowledge(own: State, peer: State) -> bool:
    """Whether both items stand as after an acknowledgement."""
    return own.epoch == peer.epoch and not any(_waits(state) for state in (own, peer))


def settled(own: State, peer: State) -> State:
    """Returns ``own`` with the stricter of both items' mode, freeze and hold."""
    freezes = [state.freeze for state in (own, peer) if state.freeze is not None]
    holds = [state.hold for state in (own, peer) if state.hold is not None]
    return replace(
        own,
        mode=max(own.mode, peer.mode, key=lambda mode: mode.strictness),
        freeze=max(freezes, key=lambda freeze: freeze.until, default=None),
        hold=max(holds, key=lambda hold: hold.until, default=None),
    )


@dataclass(frozen=True)
class FailbackFacts:
    """What a failback asks beside the state: lag in seconds, objects waiting for replication."""

    lag_seconds: int | None
    pending_objects: int | None


def failback_refusals(
    state: State, observation: Observation, facts: FailbackFacts, settings: Settings
) -> tuple[str, ...]:
    """Returns every reason against a switchover from ``settings.region``, none if it may go (H21).

    Without an incident the roles were switched over by a command: nothing was lost.
    """
    incident, seen, own = state.incident, observation.global_cluster, observation.own_cluster
    if own is None or not own.writer:
        return (f"{settings.region} doesn't write: there is nothing to fail back",)
    lag, pending = facts.lag_seconds, facts.pending_objects
    found = {
        "the regions are split": incident is None or not incident.split,
        "the promotion isn't acknowledged (./inv recovery.acknowledge)": (
            incident is None or (incident.acknowledged and bool(incident.promoted))
        ),
        "the lost tail isn't reconciled or accepted (./inv recovery.reconcile)": (
            incident is None or incident.tail is not Tail.OPEN
        ),
        f"{settings.peer} isn't resynchronised": seen is not None and seen.peer_connected,
        "a failover or switchover runs": seen is None or not seen.failover_state,
        f"the lag is {'unknown' if lag is None else f'{lag} s'}, at most {LAG_LIMIT_SECONDS} s": (
            lag is not None and lag <= LAG_LIMIT_SECONDS
        ),
        f"{'unknown' if pending is None else pending} objects wait for replication": pending == 0,
    }
    return tuple(reason for reason, holds in found.items() if not holds)


def announce(state: State, minute: int, minutes: int, reason: str) -> State:
    """Takes or renews a command's hold, unless another one lasts as long."""
    held = state.hold
    others = held is not None and held.reason != reason
    if others and held is not None and held.until >= minute + minutes:
        return state
    return hold(state, minute, minutes, reason)


def withdraw(state: State, reason: str) -> State:
    """Ends a command's own hold; one that others took stays."""
    held = state.hold is not None and state.hold.reason == reason
    return release(state) if held else state


def fail_back(state: State) -> State:
    """Marks the switchover as led by a command; the caller has asked ``failback_refusals``."""
    return replace(state, stage=Stage.FAILING_BACK)


def stay(state: State) -> State:
    """Takes the mark away: the switchover was refused, and the region keeps writing."""
    if state.stage is not Stage.FAILING_BACK:
        return state
    stage = Stage.WATCHING if state.incident is None else Stage.READY
    return replace(state, stage=stage)


def failed_back(state: State, epoch: int) -> State:
    """Returns a region's item after a switchover: nothing open, the watch begins in ``epoch``."""
    return replace(_watching_anew(state, epoch), force=None)


def _watching_anew(state: State, epoch: int) -> State:
    state = unsaid(state) if state.incident is not None else state
    watching = replace(forgotten(state), stage=Stage.WATCHING, intent=None, incident=None)
    return replace(watching, epoch=max(state.epoch, epoch), armed=False, reader=None)


def _waits(state: State) -> bool:
    incident = state.incident
    unseen = incident is not None and not incident.acknowledged
    return unseen or state.stage is Stage.FAILED or state.intent is not None
