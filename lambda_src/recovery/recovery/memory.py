"""What a controller remembers of its runs: counted by scheduled minutes, never by a clock.

A dead signal counts, an alive one resets, an unknown one does neither. Duplicate, late, manual and
blind runs count nothing (H18, H31); a gap of more than ten minutes counts anew (H19, H25).
"""

from __future__ import annotations

from dataclasses import replace

from recovery.model import GlobalSeen, LastGood, Seen, State, Streak
from recovery.observation import Observation, Reader, Ready, Trigger, Validation, Value

HISTORY_RUNS = 5
GAP_MINUTES = 10
FOUND_MINUTES = 15
"""So much earlier than the last run that saw a reader a promotion that is found may have been
called: AWS took its time. The feed's readers read again what is younger than the call, so one that
is dated too late would have them skip records."""


def counts(state: State, observation: Observation) -> bool:
    """Whether a run counts: scheduled, and later than every counted one (H31)."""
    newer = state.last_minute is None or observation.minute > state.last_minute
    return newer and observation.trigger is Trigger.SCHEDULE


def blindness(observation: Observation) -> str:
    """Returns why this region can't judge the other one, or nothing (H5).

    Any HTTP status of the own load balancer is an answer: its 502s while the writer is dead are no
    blindness. A reader that refuses *us* is unknown, not dead, and only never silent.
    """
    if not observation.own_load_balancer.alive:
        return "the own load balancer doesn't answer"
    return "the own reader doesn't answer" if observation.own_reader.dead else ""


def forgotten(state: State) -> State:
    """Returns the state without anything that was counted."""
    return replace(
        state, history=(), application_since=None, ready_since=None, ready_runs=0,
        silent_since=None, silent_lag=0, incident_runs=0, failover_runs=0,
    )  # fmt: skip


def record(state: State, observation: Observation) -> State:
    """Returns the state after a counted, sighted run."""
    minute = observation.minute
    if state.last_minute is not None and minute - state.last_minute > GAP_MINUTES:
        state = forgotten(state)
    change = _change(state.reader, observation.reader)
    state = _counted(state, observation, change)
    incident = incident_since(state)
    cluster = observation.own_cluster
    reads = cluster is not None and not cluster.writer
    runs = state.incident_runs + 1 if incident is not None else 0
    state = replace(
        state,
        runs=state.runs + 1,
        last_minute=minute,
        last_read=minute if reads else state.last_read,
        incident_runs=runs,
        validation=_validation(state.validation, observation.validation, incident),
        unknown=_streaks(state.unknown, observation),
    )
    return _seen_global(_seen_reader(state, observation, change), observation)


def incident_since(state: State) -> int | None:
    """The first dead run of the incident: of the application, or of the writer by ``/ready``.

    A writer that is silent to us alone begins none: a cut peering may last for days, and the
    validations after it are still the newest ones before a loss (H1).
    """
    sinces = [m for m in (state.application_since, state.ready_since) if m is not None]
    return min(sinces, default=None)


def earliest_call(state: State, minute: int) -> int:
    """The minute since which a promotion may have been called that this region finds done."""
    return (minute if state.last_read is None else state.last_read) - FOUND_MINUTES


def _change(before: Reader | None, now: Reader | None) -> Value:
    """Aurora replicates outside the peering: a difference on the local reader is life."""
    if before is None or now is None:
        return Value.UNKNOWN
    same = (before.heartbeat, before.newest_record, before.lsn) == (
        now.heartbeat, now.newest_record, now.lsn,
    )  # fmt: skip
    return Value.DEAD if same else Value.ALIVE


def _counted(state: State, observation: Observation, change: Value) -> State:
    minute = observation.minute
    application, writer = observation.peer_application.value, observation.writer_sql.value
    seen = Seen(minute, application, observation.ready, observation.witness, writer, change)
    if observation.ready is Ready.UNREACHABLE:
        ready = (_first(state.ready_since, minute), state.ready_runs + 1)
    elif observation.ready is Ready.NO_ANSWER:
        ready = (state.ready_since, state.ready_runs)
    else:
        ready = (None, 0)
    silent, lag, reader = state.silent_since, state.silent_lag, observation.reader
    if Value.ALIVE in (writer, change):
        silent, lag = None, 0
    elif silent is None and reader and writer is Value.DEAD and change is Value.DEAD:
        silent, lag = minute, reader.lag_seconds
    return replace(
        state,
        history=(*state.history, seen)[-HISTORY_RUNS:],
        application_since=_since(state.application_since, application, minute),
        ready_since=ready[0],
        ready_runs=ready[1],
        silent_since=silent,
        silent_lag=lag,
    )


def _since(since: int | None, value: Value, minute: int) -> int | None:
    if value is Value.ALIVE:
        return None
    return _first(since, minute) if value is Value.DEAD else since


def _first(since: int | None, minute: int) -> int:
    return minute if since is None else since


def _seen_reader(state: State, observation: Observation, change: Value) -> State:
    reader = observation.reader
    if reader is None:
        return state
    state = replace(state, reader=reader)
    if change is not Value.ALIVE:
        return state
    good = LastGood(observation.minute, reader.lag_seconds)
    return replace(state, last_good=good, changed_in_epoch=reader.epoch)


def _seen_global(state: State, observation: Observation) -> State:
    seen = observation.global_cluster
    if seen is not None:
        fresh = GlobalSeen(
            observation.minute, seen.own_member, seen.own_writer, seen.failover_state
        )
        state = replace(state, global_seen=fresh)
    moving = state.global_seen is not None and state.global_seen.failover_state != ""
    runs = state.failover_runs + 1 if moving and state.incident_runs else 0
    return replace(state, failover_runs=runs)


def _validation(
    kept: Validation | None, found: Validation | None, incident: int | None
) -> Validation | None:
    """Keeps the newest one that began before the incident: the loss must not disarm us (H29)."""
    if found is None or (incident is not None and found.began >= incident):
        return kept
    return found if kept is None or found.began > kept.began else kept


def _streaks(streaks: tuple[Streak, ...], observation: Observation) -> tuple[Streak, ...]:
    before = {streak.signal: streak.runs for streak in streaks}
    unknown = {
        "describe_global": observation.global_cluster is None,
        "own_cluster": observation.own_cluster is None,
        "own_reader": observation.own_reader.unknown,
        "writer_sql": observation.writer_sql.unknown,
        "peer_ready": observation.ready.signal.unknown and observation.ready is not Ready.NO_ANSWER,
    }
    return tuple(Streak(name, before.get(name, 0) + 1) for name, is_so in unknown.items() if is_so)
