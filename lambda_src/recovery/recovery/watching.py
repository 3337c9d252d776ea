"""Before a promotion: watching, suspect, blind, held, unprotected; and the way into intent."""

from __future__ import annotations

from dataclasses import replace

from recovery import split
from recovery.evidence import SILENT_RUNS, loss_bound_seconds
from recovery.judge import Verdict
from recovery.memory import blindness, earliest_call, forgotten, incident_since
from recovery.model import CallFailover, Decision, Incident, Intent, Stage, State, Verify
from recovery.notices import inform, page
from recovery.observation import Observation

UNKNOWN_RUNS = {"describe_global": 3, "own_cluster": 3}
"""After how many unknown runs a signal pages; all others at once (H12, H28)."""
UNPROTECTED_RUNS = 5
"""Unarmed runs before the first page: a new standby needs two to be seen changing."""


def blind(state: State, observation: Observation) -> Decision:
    """Returns the decision of a run that can't see: it counts nothing and acts on nothing (H5)."""
    why = blindness(observation)
    state = page(state, observation.minute, "blind", f"no recovery from here: {why}")
    return Decision(replace(state, stage=Stage.BLIND), (), f"blind: {why}")


def intend(state: State, verdict: Verdict) -> Decision:
    """Returns the intent, to be stored before the call that it announces."""
    case = verdict.case
    bound = loss_bound_seconds(case)
    began = incident_since(state)
    forced = f"{state.force.by}: {state.force.reason}" if state.force and case.forced else ""
    intent = Intent(
        path=case.path,
        began=case.minute if began is None else began,
        loss_bound_seconds=-1 if bound is None else bound,
        forced=forced,
        calls=1,
        minute=case.minute,
    )
    reason = f"promoting by the {case.path.value} path, at most {intent.loss_bound_seconds} s lost"
    return Decision(replace(state, stage=Stage.INTENT, intent=intent), (CallFailover(),), reason)


def watch(state: State, verdict: Verdict) -> Decision:
    """Returns the stage of a run that doesn't promote, and the pages that it owes."""
    observation = verdict.case.observation
    state = _unknown_signals(state, observation.minute)
    if observation.own_cluster is not None and observation.own_cluster.writer:
        return _writes_here(state, observation)
    if verdict.proven:
        return _held(state, verdict)
    if not state.armed:
        return _unprotected(state, observation)
    if _silent_for_long(state):
        text = "the writer is silent here, but its application isn't proven dead: no promotion"
        state = page(state, observation.minute, "silent", text)
        return Decision(replace(state, stage=Stage.HELD), (), text)
    if incident_since(state) is not None or state.silent_since is not None:
        return Decision(replace(state, stage=Stage.SUSPECT), (), "dead signs, not proven")
    return Decision(replace(state, stage=Stage.WATCHING), (), "the other region lives")


def _held(state: State, verdict: Verdict) -> Decision:
    reasons = "; ".join(refusal.reason for refusal in verdict.refusals)
    key = "held:" + ",".join(refusal.guard for refusal in verdict.refusals)
    text = f"no promotion by the {verdict.case.path.value} path: {reasons}"
    # The first held run waits: a region loss is proven dead a run before its reader is silent.
    if state.stage is Stage.HELD:
        state = page(state, verdict.case.minute, key, text)
    return Decision(replace(state, stage=Stage.HELD), (), text)


def _silent_for_long(state: State) -> bool:
    since, last = state.silent_since, state.last_minute
    return since is not None and last is not None and last - since >= SILENT_RUNS - 1


def _writes_here(state: State, observation: Observation) -> Decision:
    """The other region guards this one; an armed reader that writes was promoted by a person.

    A hold's command leads a planned switchover, which never has two writers (H16, H20).
    """
    minute = observation.minute
    if not state.armed:
        idle = replace(forgotten(state), stage=Stage.WATCHING)
        return Decision(idle, (), "this region writes; the other one guards it")
    two_writers = bool(split.proof(state, observation))
    if state.hold is not None and not two_writers:
        text = f"this region writes during {state.hold.reason}"
        return Decision(replace(state, stage=Stage.WATCHING), (), text)
    text = "the own cluster writes, and no promotion was recorded: adopted"
    called = earliest_call(state, minute)
    found = Incident(minute, path=None, loss_bound_seconds=-1, called=called, split=two_writers)
    state = page(state, minute, "adopted", text)
    return Decision(replace(state, stage=Stage.VERIFYING, incident=found), (Verify(),), text)


def _unprotected(state: State, observation: Observation) -> Decision:
    """Readiness 0 and a page a day until the standby is back and acknowledged."""
    text = "unprotected: this region's reader isn't a connected, changing member of the epoch"
    if observation.own_cluster is None:
        return Decision(state, (), "unarmed, and the own cluster is unknown")
    if state.runs >= UNPROTECTED_RUNS:
        state = page(state, observation.minute, "unprotected", text)
    return Decision(replace(state, stage=Stage.UNPROTECTED), (), text)


def _unknown_signals(state: State, minute: int) -> State:
    for streak in state.unknown:
        if streak.runs >= UNKNOWN_RUNS.get(streak.signal, 1):
            text = f"{streak.signal} is unknown: the standby may have the same fault"
            state = page(state, minute, f"unknown:{streak.signal}", text)
    freeze = state.freeze
    if freeze is not None:
        text = f"recovery is frozen by {freeze.by} until minute {freeze.until}: {freeze.reason}"
        state = inform(state, minute, "frozen", text)
    return state
