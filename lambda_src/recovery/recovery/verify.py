"""What an action's outcome makes of the state: the other half of ``decide``, as pure.

Recorded right after each action; a run that is killed before leaves the state that the next run
continues from.
"""

from __future__ import annotations

from dataclasses import replace

from recovery.model import (
    Action,
    Answer,
    Called,
    CallFailover,
    Copied,
    CopySnapshot,
    Decision,
    Done,
    GrowEpoch,
    Incident,
    Outcome,
    Send,
    SetSwitch,
    Settings,
    Stage,
    State,
    Verified,
    Verify,
)
from recovery.notices import page, sent
from recovery.promotion import incident_of

PATIENCE = 3
"""Failed tries of a step before a person is paged."""


def recorded(
    state: State, action: Action, outcome: Outcome, settings: Settings, minute: int
) -> Decision:
    """Returns the state after an action's outcome and the actions that follow from it at once."""
    decision = _outcome(state, action, outcome, settings, minute)
    new = [notice for notice in decision.state.pending if notice not in state.pending]
    return replace(decision, actions=(*decision.actions, *(Send(notice) for notice in new)))


def _outcome(
    state: State, action: Action, outcome: Outcome, settings: Settings, minute: int
) -> Decision:
    match action, outcome:
        case CallFailover(), Called():
            return _called(state, outcome, settings)
        case Verify(), Verified():
            return _verified(state, outcome, settings, minute)
        case CopySnapshot(), Copied():
            return _copied(state, outcome, minute)
        case GrowEpoch(), Done(ok=True):
            return _with_incident(state, epoch_written=True)
        case Send(notice), Done(ok=True):
            return Decision(sent(state, notice), (), "sent")
        case _:
            return Decision(state, (), "to be repeated")


def proves(outcome: Verified, settings: Settings) -> bool:
    """Whether clients can write: a commit here, and the global endpoint leads here (H22)."""
    return outcome.wrote and outcome.endpoint == settings.region


def _called(state: State, outcome: Called, settings: Settings) -> Decision:
    intent = state.intent
    if intent is None or outcome.answer is not Answer.ACCEPTED:
        kept = intent and replace(intent, answer=outcome.answer, detail=outcome.detail)
        return Decision(replace(state, intent=kept), (), f"{outcome.answer}: {outcome.detail}")
    state = replace(state, stage=Stage.CALLED, intent=None, incident=incident_of(intent))
    return Decision(state, (SetSwitch(settings.switch),), f"accepted: {outcome.detail}")


def _verified(state: State, outcome: Verified, settings: Settings, minute: int) -> Decision:
    incident = state.incident
    if incident is None:
        return Decision(state, (), "nothing to verify")
    if not proves(outcome, settings):
        return _unverified(state, incident, outcome, minute)
    incident = replace(incident, promoted=minute)
    state = replace(
        state, stage=Stage.PROMOTED, epoch=state.epoch + 1, armed=False, incident=incident
    )
    loss = "unknown" if incident.loss_bound_seconds < 0 else f"{incident.loss_bound_seconds} s"
    text = f"{settings.region} writes, epoch {state.epoch}; at most {loss} of writes lost"
    state = page(state, minute, "promoted", text)
    return Decision(state, (GrowEpoch(state.epoch), CopySnapshot()), text)


def _unverified(state: State, incident: Incident, outcome: Verified, minute: int) -> Decision:
    if state.stage is not Stage.VERIFYING:
        return Decision(state, (), f"not complete: {outcome.detail}")
    incident = replace(incident, verify_failures=incident.verify_failures + 1)
    state = replace(state, incident=incident)
    leads = outcome.endpoint or "nowhere"
    wrote = "writes work" if outcome.wrote else f"writes fail ({outcome.detail})"
    text = f"promoted, not recovered: {wrote}, the global endpoint leads to {leads}"
    if incident.verify_failures >= PATIENCE:
        state = page(state, minute, "unverified", text)
    return Decision(state, (), text)


def _copied(state: State, outcome: Copied, minute: int) -> Decision:
    if outcome.snapshot:
        return _with_incident(state, snapshot=outcome.snapshot)
    failures = state.incident.snapshot_failures + 1 if state.incident else 0
    decision = _with_incident(state, snapshot_failures=failures)
    if failures < PATIENCE:
        return decision
    text = "the old volume's snapshot isn't copied: it expires with the old cluster's retention"
    return replace(decision, state=page(decision.state, minute, "snapshot", text))


def _with_incident(state: State, **changes: object) -> Decision:
    if state.incident is None:
        return Decision(state, (), "no incident")
    incident = replace(state.incident, **changes)  # type: ignore[arg-type]
    return Decision(replace(state, incident=incident), (), "recorded")
