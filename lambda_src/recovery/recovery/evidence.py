"""Silence, the two paths and the loss bound: what must be seen before a promotion."""

from __future__ import annotations

from recovery.case import Case, Guard
from recovery.model import Path, Seen
from recovery.observation import Ready, Value, Witness

SILENT_RUNS = 3
SILENT_WITHIN_MINUTES = 5
"""Three silent runs must lie this close together: after a longer sleep they are seen anew (H25)."""
DEAD_RUNS = 3
"""Dead runs of the application among the last five."""
READY_RUNS = 4
"""Runs in which the other region's own application calls its writer unreachable."""
RUN_SECONDS = 60


def writer_answers_nothing(case: Case) -> str:
    """Three runs without any answer of the writer's server; a TCP accept is none (H3, H4, H7, H28).

    An SQLSTATE, a TLS or a credentials error *is* an answer.
    """
    if all(seen.writer is Value.DEAD for seen in _silent_runs(case)):
        return ""
    return "the writer's server answered within the last three runs, or its silence is unknown"


def reader_stands_still(case: Case) -> str:
    """Three readings of the local reader without any change (H2, H6, H15, H32).

    Aurora replicates outside the peering, so a change is the writer's life whatever the network
    says. A reader that can't be read isn't silent.
    """
    if all(seen.change is Value.DEAD for seen in _silent_runs(case)):
        return ""
    return "the local reader changed within the last three runs, or couldn't be read"


def silence_is_recent(case: Case) -> str:
    """The three runs exist, end with the acting one and lie within five minutes (H18, H19, H25).

    A run that counted nothing is no acting one: a blind, manual, late or duplicate run never calls
    (H5, H31).
    """
    runs = _silent_runs(case)
    if case.now is None or len(runs) < SILENT_RUNS:
        return "fewer than three runs are counted"
    close = runs[-1].minute - runs[0].minute < SILENT_WITHIN_MINUTES
    return "" if close else "the last three counted runs lie too far apart"


def application_is_dead(case: Case) -> str:
    """Dead in three of the last five runs, and not alive since (H4, H8)."""
    dead = 0
    for seen in case.state.history:
        dead = 0 if seen.application is Value.ALIVE else dead + (seen.application is Value.DEAD)
    return "" if dead >= DEAD_RUNS else "the other region's application isn't proven dead"


def witness_agrees(case: Case) -> str:
    """Route 53's checkers see the other region's load balancer dead as well, now (H1)."""
    now = case.now
    agrees = now is not None and now.witness is Witness.SECONDARY
    return "" if agrees else "the witness doesn't see the other region dead"


def writer_has_a_replica(case: Case) -> str:
    """With one instance a restart over there may take ten minutes: then notify (H3, H4)."""
    if case.settings.instances >= 2:
        return ""
    return "the other region has a single instance: it may be restarting"


def ready_says_unreachable(case: Case) -> str:
    """The other region's own application misses its writer in four runs, and now (H3, H28)."""
    now = case.now
    says = now is not None and now.ready is Ready.UNREACHABLE
    if says and case.state.ready_runs >= READY_RUNS:
        return ""
    return "the other region's application doesn't call its writer unreachable in four runs"


def no_hold_is_announced(case: Case) -> str:
    """A deploy or a planned switchover stops the database-only path, for an hour at most (H16)."""
    hold = case.state.hold
    if hold is None or case.minute >= hold.until:
        return ""
    return f"held until minute {hold.until}: {hold.reason}"


def loss_is_known(case: Case) -> str:
    """Without a run that saw the reader change nobody knows what a promotion loses (H14)."""
    known = case.forced or loss_bound_seconds(case) is not None
    return "" if known else "no run saw the local reader change: the loss is unknown"


def loss_is_acceptable(case: Case) -> str:
    """The loss bound is at most the limit, or a person accepts more (H14, H15)."""
    bound, limit = loss_bound_seconds(case), case.settings.lag_limit_seconds
    if case.forced or bound is None or bound <= limit:
        return ""
    return f"up to {bound} s of writes would be lost, the limit is {limit} s"


def loss_bound_seconds(case: Case) -> int | None:
    """Returns the most that a promotion loses, frozen at the path's first dead run.

    The lag in the last run that saw the reader change, and the time from that run to the first dead
    one; at least one run, since writes may go on between the two. Waiting doesn't raise it (H14),
    and an hour without replication before the loss counts (H15). None: it can't be known.
    """
    good, state = case.state.last_good, case.state
    dead = state.application_since if case.path is Path.REGION else state.ready_since
    if good is None or dead is None:
        return None
    return good.lag_seconds + max(dead - good.minute, 1) * RUN_SECONDS


SILENCE: tuple[Guard, ...] = (silence_is_recent, writer_answers_nothing, reader_stands_still)
REGION: tuple[Guard, ...] = (application_is_dead, witness_agrees)
DATABASE: tuple[Guard, ...] = (ready_says_unreachable,)
DATABASE_ONLY: tuple[Guard, ...] = (writer_has_a_replica, no_hold_is_announced)
LOSS: tuple[Guard, ...] = (loss_is_known, loss_is_acceptable)


def _silent_runs(case: Case) -> tuple[Seen, ...]:
    return case.state.history[-SILENT_RUNS:]
