"""After a promotion: epoch, snapshot, switch; rebuilding, ready, failing back; and split.

The recorded epoch never goes back, whatever Describe says (H13). Only commands of a person leave
this stage: ``acknowledge`` and ``failback``.
"""

from __future__ import annotations

from dataclasses import replace

from recovery.memory import forgotten
from recovery.model import (
    Action,
    CopySnapshot,
    Decision,
    GrowEpoch,
    Incident,
    Settings,
    Stage,
    State,
)
from recovery.notices import page, unsaid
from recovery.observation import Observation
from recovery.promotion import switched


def follow_up(state: State, observation: Observation, settings: Settings) -> Decision:
    """Returns what a promoted region still owes, and its stage."""
    reader = observation.reader
    if _reads(observation) and reader is not None and reader.epoch > state.epoch:
        return _writes_elsewhere(state, reader.epoch)
    incident = state.incident
    if state.stage is Stage.FAILING_BACK or incident is None:
        return Decision(state, (), f"{state.stage.value}: a command leads")
    actions = (*switched(observation, settings), *owed(state, incident, observation))
    state = replace(state, stage=_stage(state, incident, observation, done=not actions))
    if not incident.acknowledged:
        text = f"the promotion of epoch {state.epoch} waits: ./inv recovery.acknowledge"
        state = page(state, observation.minute, "acknowledge", text)
    return Decision(state, actions, state.stage.value)


def owed(state: State, incident: Incident, observation: Observation) -> tuple[Action, ...]:
    """Returns the steps that haven't been recorded as done; each may be repeated."""
    reader = observation.reader
    behind = reader is not None and reader.epoch < state.epoch
    grow = (GrowEpoch(state.epoch),) if behind or not incident.epoch_written else ()
    return (*grow, *(() if incident.snapshot else (CopySnapshot(),)))


def _stage(state: State, incident: Incident, observation: Observation, *, done: bool) -> Stage:
    if incident.split:
        return Stage.SPLIT
    if state.stage is Stage.PROMOTED and not done:
        return Stage.PROMOTED
    seen = observation.global_cluster
    if seen is None:
        return Stage.REBUILDING if state.stage is not Stage.READY else Stage.READY
    return Stage.READY if seen.peer_connected and not seen.failover_state else Stage.REBUILDING


def _reads(observation: Observation) -> bool:
    return observation.own_cluster is not None and not observation.own_cluster.writer


def _writes_elsewhere(state: State, epoch: int) -> Decision:
    """After a failback this region guards again; after any other loss it waits for a person."""
    incident = state.incident
    if incident is not None and incident.acknowledged:
        state = replace(unsaid(state), incident=None)
    state = replace(forgotten(state), intent=None, armed=False, reader=None)
    if state.stage is Stage.FAILING_BACK:
        state = replace(state, stage=Stage.WATCHING, epoch=epoch)
        return Decision(state, (), "failed back: watching")
    state = replace(state, stage=Stage.UNPROTECTED)
    return Decision(state, (), "the other region was promoted: unprotected until acknowledged")
