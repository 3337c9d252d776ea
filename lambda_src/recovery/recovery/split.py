"""Two writers: the old one wasn't fenced, or still commits after the promotion (H20).

What clients wrote there is no part of the new writer's history: the old volume's snapshot is kept,
a person reconciles it, and nothing fails back before.
"""

from __future__ import annotations

from dataclasses import replace

from recovery.model import Stage, State, Tail
from recovery.notices import page
from recovery.observation import Observation

FENCE_TIMED_OUT = "RDS-EVENT-0391"
PROMOTED = frozenset({Stage.PROMOTED, Stage.REBUILDING, Stage.READY, Stage.SPLIT})
"""Stages in which this region writes and no command leads."""


def noted(state: State, observation: Observation) -> State:
    """Returns the state with its incident marked as split where the run shows it, and a page."""
    incident = state.incident
    if incident is None or incident.split:
        return state
    unfenced = incident.tail is Tail.OPEN and observation.happened(FENCE_TIMED_OUT, incident.called)
    commits = state.stage in PROMOTED and observation.old_writer.alive
    if not (unfenced or commits):
        return state
    why = "still commits" if commits else "wasn't fenced (RDS-EVENT-0391)"
    text = f"split: the demoted cluster {why}; keep the snapshot, then ./inv recovery.reconcile"
    state = replace(state, incident=replace(incident, split=True, tail=Tail.OPEN))
    return page(state, observation.minute, "split", text)
