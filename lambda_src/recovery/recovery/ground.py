"""The ground on which any promotion stands, one guard a condition (recovery.md 3, "Ground")."""

from __future__ import annotations

from recovery.case import Case, Guard
from recovery.mode import effective_mode, validation_is_fresh
from recovery.model import GlobalSeen, Mode

AVAILABLE = frozenset({"available", "backing-up", "storage-optimization"})
ANSWER_RUNS = 5
"""For how many runs an answer about the global cluster still counts."""
UNKNOWN_RUNS = 3
"""For how many runs of an incident an unknown global cluster vetoes."""
FAILOVER_RUNS = 5
"""In which run of an incident a FailoverState ends to veto."""


def mode_is_automatic(case: Case) -> str:
    """The effective mode allows it, or a person ordered it; ``observe`` is never lifted (H14)."""
    effective = effective_mode(case.state, case.settings, case.minute)
    if effective.mode is Mode.AUTOMATIC or (case.forced and effective.mode is Mode.NOTIFY):
        return ""
    return f"mode {effective.mode.value}: {'; '.join(effective.reasons)}"


def is_armed(case: Case) -> str:
    """Only the controller beside the current epoch's reader may act (H34)."""
    return "" if case.state.armed else "the controller isn't armed in this epoch"


def is_not_frozen(case: Case) -> str:
    """Break-glass stops everything until it ends (H30)."""
    freeze = case.state.freeze
    if freeze is None or case.minute >= freeze.until:
        return ""
    return f"frozen by {freeze.by}: {freeze.reason}"


def nothing_is_unacknowledged(case: Case) -> str:
    """A second promotion waits for a person's acknowledgement of the first (H8)."""
    incident = case.state.incident
    open_ = incident is not None and not incident.acknowledged
    return "the last promotion isn't acknowledged" if open_ else ""


def own_cluster_is_available(case: Case) -> str:
    """A cluster that is unknown, stopped or being changed can't be promoted (H12, H17)."""
    cluster = case.observation.own_cluster
    if cluster is None:
        return "the own cluster's status is unknown"
    return "" if cluster.status in AVAILABLE else f"the own cluster is {cluster.status}"


def own_cluster_has_an_instance(case: Case) -> str:
    """AWS refuses a target without an instance (H17)."""
    cluster = case.observation.own_cluster
    return "the own cluster has no instance" if cluster and cluster.instances < 1 else ""


def own_cluster_is_a_reader(case: Case) -> str:
    """The writer is never promoted again (H13)."""
    cluster = case.observation.own_cluster
    return "the own cluster writes already" if cluster and cluster.writer else ""


def global_cluster_agrees(case: Case) -> str:
    """An answer of the last five runs contradicts where we write or are no member (H12, H29).

    An unknown one vetoes the incident's first three runs only: with the lost region its API may be
    gone for ever. The other member's status is never asked for.
    """
    seen = _answer(case)
    if seen is None:
        early = case.state.incident_runs <= UNKNOWN_RUNS
        return "the global cluster is unknown" if early else ""
    if seen.own_writer:
        return "the global cluster says that this region writes"
    return "" if seen.own_member else "the own cluster is no member of the global cluster"


def no_other_failover_runs(case: Case) -> str:
    """A planned switchover gets until the incident's fifth run to settle (H16, H24)."""
    seen = _answer(case)
    if seen is None or not seen.failover_state or case.state.failover_runs >= FAILOVER_RUNS:
        return ""
    return f"the global cluster is {seen.failover_state}"


def versions_are_not_unequal(case: Case) -> str:
    """AWS refuses unequal versions; those that can't be known are no veto (H17)."""
    kept = case.state.validation
    unequal = kept is not None and kept.versions_equal is False
    return "the engine versions differ" if unequal else ""


def permissions_are_proven(case: Case) -> str:
    """A call that would be denied must not be the first one that is tried (H17, H33)."""
    kept = case.state.validation
    if kept is None or not validation_is_fresh(case.state, case.minute):
        return "no validation of the last 24 hours"
    return "" if kept.permissions_proven else "the permission to call isn't proven"


GROUND: tuple[Guard, ...] = (
    mode_is_automatic,
    is_armed,
    is_not_frozen,
    nothing_is_unacknowledged,
    own_cluster_is_available,
    own_cluster_has_an_instance,
    own_cluster_is_a_reader,
    global_cluster_agrees,
    no_other_failover_runs,
    versions_are_not_unequal,
    permissions_are_proven,
)


def _answer(case: Case) -> GlobalSeen | None:
    seen = case.state.global_seen
    fresh = seen is not None and case.minute - seen.minute <= ANSWER_RUNS
    return seen if fresh else None
