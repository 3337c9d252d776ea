"""From the intent to proven writes. Each step may be the last one that a run makes.

A run continues where the stored state and Describe agree that the last one stopped. At most one
call of an incident is accepted: a call is repeated only after a refusal, or where its outcome was
unclear and a later run finds that nothing began (H9, H10, H11).
"""

from __future__ import annotations

from dataclasses import replace

from recovery.judge import Verdict
from recovery.model import (
    Action,
    Answer,
    CallFailover,
    Decision,
    Incident,
    Intent,
    SetSwitch,
    Settings,
    Stage,
    State,
    Verify,
)
from recovery.notices import page
from recovery.observation import Observation

RETRIES = 3
LATE_MINUTES = 8
"""480 s after the call a person is paged; a member is never detached."""
UNCLEAR_RUNS = 3
"""For how many runs an unclear call waits where the global cluster can't be described."""
NOT_OURS = frozenset({"", "switching-over", "cancelling"})
"""FailoverStates without an unplanned promotion (recovery.md 1.2). A switchover away from a primary
that is lost ends where it began: taken for the own promotion, it would be waited for (H24)."""
COMPLETED_EVENT, FAILED_EVENT = "RDS-EVENT-0238", "RDS-EVENT-0239"


def switched(observation: Observation, settings: Settings) -> tuple[Action, ...]:
    """Returns what moves the switch, in every run until it is seen to stand."""
    return () if observation.switch is settings.switch else (SetSwitch(settings.switch),)


def intended(state: State, verdict: Verdict, intent: Intent) -> Decision:
    """Returns how a run continues that finds an intent: adopt, repeat, wait, withdraw or fail."""
    observation, settings = verdict.case.observation, verdict.case.settings
    minute = observation.minute
    if began(observation):
        return adopted(state, observation, settings, intent)
    if intent.answer is Answer.UNCLEAR and not _nothing_began(observation, intent):
        state = page(state, minute, "unclear", "the call's outcome is unclear, and Describe silent")
        return Decision(state, (), "waiting for Describe")
    if not verdict.promotes:
        text = f"withdrawn: {'; '.join(refusal.reason for refusal in verdict.refusals)}"
        state = page(state, minute, "withdrawn", f"the promotion is {text}")
        return Decision(replace(state, stage=Stage.SUSPECT, intent=None), (), text)
    if intent.calls > RETRIES:
        text = f"the promotion was refused {intent.calls} times: {intent.detail}"
        state = page(state, minute, "failed", text)
        return Decision(replace(state, stage=Stage.FAILED), (), text)
    again = replace(intent, calls=intent.calls + 1, minute=minute, answer=Answer.UNCLEAR, detail="")
    return Decision(replace(state, intent=again), (CallFailover(),), f"call {again.calls}")


def failed(state: State, observation: Observation, settings: Settings) -> Decision:
    """Returns what a failed promotion still does: adopt one that succeeded after all (H33)."""
    if _is_complete(state, observation):
        if state.incident is None and state.intent is not None:
            return adopted(state, observation, settings, state.intent)
        return awaited(state, observation, settings)
    state = page(state, observation.minute, "failed", "the promotion failed: a person must act")
    actions = switched(observation, settings) if state.incident else ()
    return Decision(state, actions, "failed")


def awaited(state: State, observation: Observation, settings: Settings) -> Decision:
    """Returns how an accepted call is followed until the own cluster writes.

    How fresh Describe is while a region is lost isn't known (recovery.md 1.9): after 480 s the
    proof is tried whatever it says (H29).
    """
    actions = switched(observation, settings)
    minute, incident = observation.minute, state.incident
    if _is_complete(state, observation):
        state = replace(state, stage=Stage.VERIFYING)
        return Decision(state, (*actions, Verify()), "the own cluster writes: verifying")
    if incident is not None and observation.happened(FAILED_EVENT, incident.called):
        text = "RDS reports that the failover failed (RDS-EVENT-0239)"
        state = page(replace(state, stage=Stage.FAILED), minute, "failed", text)
        return Decision(state, actions, text)
    if incident is not None and minute - incident.called >= LATE_MINUTES:
        text = "480 s after the call the promotion isn't complete: never detach, ask AWS"
        state = page(state, minute, "late", text)
        actions = (*actions, Verify())
    seen = observation.global_cluster
    if seen is not None and seen.failover_state:
        state = replace(state, stage=Stage.PROMOTING)
    return Decision(state, actions, "waiting for the promotion")


def verifying(state: State, observation: Observation, settings: Settings) -> Decision:
    """Returns the next try to prove that writes work and clients are led here (H22)."""
    cluster, incident = observation.own_cluster, state.incident
    found = incident is not None and incident.path is None
    if found and cluster is not None and not cluster.writer:
        state = replace(state, stage=Stage.WATCHING, incident=None)
        return Decision(state, (), "the adopted promotion was none")
    return Decision(state, (*switched(observation, settings), Verify()), "verifying")


def adopted(state: State, observation: Observation, settings: Settings, intent: Intent) -> Decision:
    """Returns the state that follows Describe: the promotion has begun, by whomever (H10, H11)."""
    state = replace(state, stage=Stage.CALLED, incident=incident_of(intent), intent=None)
    return awaited(state, observation, settings)


def incident_of(intent: Intent) -> Incident:
    """Returns the incident that an accepted call begins."""
    return Incident(
        began=intent.began,
        path=intent.path,
        loss_bound_seconds=intent.loss_bound_seconds,
        forced=intent.forced,
        called=intent.minute,
    )


def began(observation: Observation) -> bool:
    """Whether Describe, asked in this run, shows a promotion that runs or is done."""
    cluster, seen = observation.own_cluster, observation.global_cluster
    writes = cluster is not None and cluster.writer
    return writes or (seen is not None and (seen.failover_state not in NOT_OURS or seen.own_writer))


def _is_complete(state: State, observation: Observation) -> bool:
    """Whether anything that RDS says shows the own cluster as the writer that it was made."""
    cluster, seen = observation.own_cluster, observation.global_cluster
    if (cluster is not None and cluster.writer) or (seen is not None and seen.own_writer):
        return True
    # A call of several may have been the one that was accepted: since the first dead run.
    begun = [one.began for one in (state.incident, state.intent) if one is not None]
    return any(observation.happened(COMPLETED_EVENT, minute) for minute in begun)


def _nothing_began(observation: Observation, intent: Intent) -> bool:
    """Whether an unclear call may be repeated.

    The own cluster must be seen not to write. Where the global cluster stays unknown (its API may
    be gone with the region, H29) three runs must have passed: AWS refuses a second call while a
    promotion runs, and one that ended shows in the own region's Describe.
    """
    if observation.own_cluster is None:
        return False
    waited = observation.minute - intent.minute >= UNCLEAR_RUNS
    return observation.global_cluster is not None or waited
