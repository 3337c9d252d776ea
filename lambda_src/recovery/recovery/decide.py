"""``decide``: the stored state and one run's observation make the next state and its actions.

Pure. A run that counts nothing changes nothing; before a promotion every run is recorded, judged
and given a stage; from the intent on, the run continues where the last one stopped.
"""

from __future__ import annotations

from dataclasses import replace

from recovery import aftermath, promotion, split, transitions, watching
from recovery.arming import arm
from recovery.judge import judge
from recovery.memory import blindness, counts, record
from recovery.model import PROMOTES, WATCHES, Decision, Send, Settings, Stage, State
from recovery.observation import Observation


def decide(state: State, observation: Observation, settings: Settings) -> Decision:
    """Returns the state to store first, then the actions to take in order, and the reason."""
    if not counts(state, observation):
        return Decision(state, (), "counts nothing: not scheduled, a duplicate or too late")
    decision = _staged(_ended(state, observation.minute), observation, settings)
    state = transitions.noted(state, decision.state, observation.minute)
    decision = replace(decision, state=state)
    state = replace(decision.state, last_minute=observation.minute, reason=decision.reason)
    if decision.state.stage is Stage.BLIND:
        state = replace(state, last_minute=decision.state.last_minute)
    return Decision(state, (*decision.actions, *sends(state)), decision.reason)


def sends(state: State) -> tuple[Send, ...]:
    """Returns the deliveries of all pending notices."""
    return tuple(Send(notice) for notice in state.pending)


def _staged(state: State, observation: Observation, settings: Settings) -> Decision:
    state = split.noted(split.remembered(state, observation), observation)
    if state.stage in WATCHES:
        return _watched(state, observation, settings)
    if state.stage in PROMOTES:
        return promoting(state, observation, settings)
    return aftermath.follow_up(state, observation, settings)


def _watched(state: State, observation: Observation, settings: Settings) -> Decision:
    if blindness(observation):
        return watching.blind(state, observation)
    state = arm(record(state, observation), observation)
    verdict = judge(state, observation, settings)
    return watching.intend(state, verdict) if verdict.promotes else watching.watch(state, verdict)


def promoting(state: State, observation: Observation, settings: Settings) -> Decision:
    """Returns how a run continues between the intent and proven writes."""
    if state.stage is Stage.FAILED:
        return promotion.failed(state, observation, settings)
    if state.stage is Stage.VERIFYING:
        return promotion.verifying(state, observation, settings)
    intent = state.intent
    if intent is None:
        return promotion.awaited(state, observation, settings)
    if blindness(observation) and not promotion.began(observation):
        return Decision(state, (), "blind: the intent waits")
    state = record(state, observation)
    return promotion.intended(state, judge(state, observation, settings), intent)


def _ended(state: State, minute: int) -> State:
    """Freeze, hold and force end by themselves (H16, H30)."""
    freeze, hold, force = state.freeze, state.hold, state.force
    return replace(
        state,
        freeze=freeze if freeze is not None and minute < freeze.until else None,
        hold=hold if hold is not None and minute < hold.until else None,
        force=force if force is not None and minute < force.until else None,
    )
