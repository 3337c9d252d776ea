"""Two writers: the old one wasn't fenced, or still commits after the promotion (H20).

What clients wrote there is no part of the new writer's history: the old volume's snapshot is kept,
a person reconciles it, and nothing fails back before. They are looked for in every stage, also
where nothing was promoted from here: a person may have done it during a hold, or while this region
was blind. A planned switchover has one writer at each moment, so it never shows any of the proofs.
"""

from __future__ import annotations

from dataclasses import replace

from recovery.memory import earliest_call
from recovery.model import Stage, State, Tail
from recovery.notices import page
from recovery.observation import READS, Observation

FENCE_TIMED_OUT = "RDS-EVENT-0391"
PROMOTED = frozenset({Stage.PROMOTED, Stage.REBUILDING, Stage.READY, Stage.SPLIT})
"""Stages in which this region writes and no command leads."""


def remembered(state: State, observation: Observation) -> State:
    """Returns the state with the first of the runs that saw both regions' clusters take writes.

    One that answers as a reader ends it; one that doesn't answer neither begins nor ends it.
    """
    since = state.two_writers_since
    if READS in (observation.own_writer, observation.old_writer):
        since = None
    elif _both_write(observation) and since is None:
        since = observation.minute
    return replace(state, two_writers_since=since)


def noted(state: State, observation: Observation) -> State:
    """Returns the state with a page where two writers are proven, and its incident marked."""
    incident = state.incident
    if incident is not None and incident.split:
        return state
    why = proof(state, observation)
    if not why:
        return state
    if incident is not None:
        state = replace(state, incident=replace(incident, split=True, tail=Tail.OPEN))
    text = f"split: the demoted cluster {why}; keep the snapshot, then ./inv recovery.reconcile"
    return page(state, observation.minute, "split", text)


def proof(state: State, observation: Observation) -> str:
    """Returns by what two writers are proven, or nothing.

    After a promotion by a single commit of the demoted cluster, unless the own one answers as a
    reader. Else by SQL alone, in two runs: the probe asks both clusters within ten seconds, between
    which the roles of a switchover may change, but not again a run later. And by RDS's own word for
    a fence that timed out, which no switchover has.
    """
    after = state.incident is not None and state.stage in PROMOTED
    if after and observation.old_writer.alive and observation.own_writer != READS:
        return "still commits"
    since = state.two_writers_since
    if since is not None and since < observation.minute and _both_write(observation):
        return "still commits"
    return "wasn't fenced (RDS-EVENT-0391)" if _unfenced(state, observation) else ""


def _both_write(observation: Observation) -> bool:
    return observation.own_writer.alive and observation.old_writer.alive


def _unfenced(state: State, observation: Observation) -> bool:
    """Whether RDS reported it of the promotion that made the own cluster the writer.

    Without an incident that is one which this region was a reader a short time before; an event
    from before a running hold is of a promotion that was known then, as where a failback follows.
    """
    incident, hold, cluster = state.incident, state.hold, observation.own_cluster
    if incident is not None:
        since = incident.called
        return incident.tail is Tail.OPEN and observation.happened(FENCE_TIMED_OUT, since)
    since = earliest_call(state, observation.minute)
    since = since if hold is None else max(since, hold.since)
    writes = observation.own_writer.alive or (cluster is not None and cluster.writer)
    return writes and observation.happened(FENCE_TIMED_OUT, since)
