"""Every vector of signals and states, in groups, against the rule written down a second time."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from watch import DATABASE_LOST, MEMBER, READER, REGION_LOST, SETTINGS, VALID, WRITER, Watch, calls

from recovery.decide import decide
from recovery.model import (
    PROMOTES,
    WATCHES,
    Answer,
    Drill,
    Force,
    Freeze,
    GlobalSeen,
    Hold,
    Incident,
    Intent,
    LastGood,
    Mode,
    Path,
    Seen,
    SetSwitch,
    Settings,
    Stage,
    State,
)
from recovery.observation import (
    ALIVE,
    DEAD,
    UNKNOWN,
    GlobalCluster,
    Observation,
    OwnCluster,
    Reader,
    Ready,
    Signal,
    Trigger,
    Value,
    Witness,
)

NOW = 2000
MARKS = Reader(7, 7, 7, 2, 1)
LOST = {"region": REGION_LOST, "database": DATABASE_LOST}
A, D, U = Value.ALIVE, Value.DEAD, Value.UNKNOWN


def signal(value: Value) -> Signal:
    """A signal of a value."""
    return {A: ALIVE, D: DEAD, U: UNKNOWN}[value]


def seen(ago: int, path: str) -> Seen:
    """A dead run, some minutes before now."""
    region = path == "region"
    return Seen(
        NOW - ago,
        D if region else A,
        Ready.NO_ANSWER if region else Ready.UNREACHABLE,
        Witness.SECONDARY if region else Witness.PRIMARY,
        D,
        D,
    )


def ripe(path: str) -> State:
    """A state whose next dead run promotes by one path."""
    first = NOW - 4
    return State(
        stage=Stage.SUSPECT,
        armed=True,
        changed_in_epoch=1,
        runs=50,
        last_minute=NOW - 1,
        history=tuple(seen(ago, path) for ago in (4, 3, 2, 1)),
        reader=MARKS,
        last_good=LastGood(NOW - 5, 1),
        global_seen=GlobalSeen(NOW - 1, True, False, ""),
        validation=replace(VALID, began=NOW - 30),
        application_since=first if path == "region" else None,
        ready_since=first if path == "database" else None,
        ready_runs=0 if path == "region" else 4,
        silent_since=first,
        incident_runs=4,
    )


def sight(path: str, **changes: object) -> Observation:
    """The acting run's dead observation, with what differs."""
    watch = Watch()
    watch.minute = NOW
    vector = {key: value for key, value in LOST[path].items() if key != "silent"}
    made = watch.observation(**{**vector, "validation": None, "silent": True})
    return replace(made, **{"reader": MARKS, **changes})


@pytest.mark.parametrize("path", LOST)
def test_a_ripe_state_promotes(path: str) -> None:
    """The vectors below start from states that promote, so that a refusal is theirs."""
    decision = decide(ripe(path), sight(path), SETTINGS)
    assert calls(decision)
    assert decision.state.intent is not None
    assert decision.state.intent.path is Path(path)
    assert decision.state.intent.loss_bound_seconds == 61
    assert decision.state.intent.began == NOW - 4


def test_application_and_witness() -> None:
    """Three dead runs of the last five without an alive one after them, and the witness now."""
    for values in itertools.product(Value, repeat=5):
        history = tuple(
            replace(seen(4 - n, "region"), application=value) for n, value in enumerate(values[:4])
        )
        state = replace(ripe("region"), history=history)
        recent = values[max((n + 1 for n, value in enumerate(values) if value is A), default=0) :]
        for witness in Witness:
            observed = sight("region", peer_application=signal(values[4]), witness=witness)
            expected = recent.count(D) >= 3 and witness is Witness.SECONDARY
            assert calls(decide(state, observed, SETTINGS)) is expected, (values, witness)


@pytest.mark.parametrize("path", LOST)
def test_silence(path: str) -> None:
    """Three runs in which the server answered nothing and the reader was read and stood still."""
    for writer in itertools.product(Value, repeat=3):
        for change in itertools.product(Value, repeat=3):
            history = (
                *ripe(path).history[:2],
                replace(seen(2, path), writer=writer[0], change=change[0]),
                replace(seen(1, path), writer=writer[1], change=change[1]),
            )
            reader = {D: MARKS, A: replace(MARKS, lsn=8), U: None}[change[2]]
            state = replace(ripe(path), history=history)
            observed = sight(path, writer_sql=signal(writer[2]), reader=reader)
            expected = set(writer) == set(change) == {D}
            assert calls(decide(state, observed, SETTINGS)) is expected, (writer, change)


@pytest.mark.parametrize("path", LOST)
def test_distance_of_the_silent_runs(path: str) -> None:
    """The three silent runs lie within five minutes, and a gap above ten counts anew."""
    for gap in range(1, 14):
        for before in range(1, 6):
            minutes = (NOW - gap - before - 1, NOW - gap - before, NOW - gap)
            history = tuple(replace(seen(0, path), minute=minute) for minute in minutes)
            state = replace(ripe(path), history=history, last_minute=NOW - gap)
            decision = decide(state, sight(path), SETTINGS)
            assert calls(decision) is (gap + before < 5), (gap, before)
            assert len(decision.state.history) == (4 if gap <= 10 else 1)


def test_the_other_applications_word() -> None:
    """Unreachable in four runs since it last said otherwise, and now; two instances; no hold."""
    for runs, ready, instances, held in itertools.product(range(6), Ready, (1, 2, 3), (0, 1, 2)):
        hold = (None, Hold("deploy", NOW - 9, NOW + 1), Hold("deploy", NOW - 9, NOW))[held]
        since = NOW - 4 if runs else None
        state = replace(ripe("database"), ready_runs=runs, ready_since=since, hold=hold)
        settings = replace(SETTINGS, instances=instances)
        decision = decide(state, sight("database", ready=ready), settings)
        expected = ready is Ready.UNREACHABLE and runs >= 3 and instances >= 2 and held != 1
        assert calls(decision) is expected, (runs, ready, instances, held)
        answered = ready not in (Ready.NO_ANSWER, Ready.UNREACHABLE)
        counted = runs + (ready is Ready.UNREACHABLE)
        assert decision.state.ready_runs == (0 if answered else counted)
        kept = since if since is not None or ready is not Ready.UNREACHABLE else NOW
        assert decision.state.ready_since == (None if answered else kept)


@pytest.mark.parametrize("path", LOST)
def test_ground(path: str) -> None:
    """Every combination of the ground's conditions: any that fails refuses."""
    for bits in itertools.product((True, False), repeat=9):
        armed, thawed, known, instance, reader, valid, equal, proven, visible = bits
        state = replace(
            ripe(path),
            armed=armed,
            changed_in_epoch=1 if armed else 0,
            freeze=None if thawed else Freeze("x", "ada", NOW - 5, NOW + 1),
            incident=None if known else Incident(1, None, -1, promoted=1),
            validation=replace(
                VALID,
                began=NOW - 30,
                ready=valid,
                versions_equal=equal,
                permissions_proven=proven,
            ),
        )
        observed = sight(
            path,
            own_cluster=OwnCluster("backing-up", 1 if instance else 0, writer=not reader),
            own_load_balancer=ALIVE if visible else DEAD,
        )
        assert calls(decide(state, observed, SETTINGS)) is all(bits), bits


@pytest.mark.parametrize("path", LOST)
@pytest.mark.parametrize(
    ("status", "able"),
    [
        ("available", True),
        ("backing-up", True),
        ("storage-optimization", True),
        ("modifying", False),
        ("rebooting", False),
        ("", False),
    ],
)
def test_status_of_the_own_cluster(path: str, status: str, able: bool) -> None:
    """Only an available cluster is promoted; an unknown one never."""
    cluster = OwnCluster(status, 1, writer=False)
    assert calls(decide(ripe(path), sight(path, own_cluster=cluster), SETTINGS)) is able
    assert not calls(decide(ripe(path), sight(path, own_cluster=None), SETTINGS))


@pytest.mark.parametrize("path", LOST)
def test_the_global_cluster(path: str) -> None:
    """An answer of up to five runs ago contradicts by writer, membership or a FailoverState."""
    for fresh, age, writer, member, moving, moved, runs in itertools.product(
        (True, False), (1, 4, 5, 6, 7), (True, False), (True, False), ("", "switching-over"),
        (0, 2, 3, 4, 5), (0, 1, 2, 3, 4),
    ):  # fmt: skip
        answer = GlobalCluster(member, writer, True, True, moving) if fresh else None
        old = GlobalSeen(NOW - age, member, writer, moving)
        state = replace(ripe(path), global_seen=old, failover_runs=moved, incident_runs=runs)
        decision = decide(state, sight(path, global_cluster=answer), SETTINGS)
        if fresh or age <= 5:
            refused = writer or not member or (moving != "" and moved + 1 < 5)
        else:
            refused = runs + 1 <= 3
        assert calls(decision) is not refused, (fresh, age, writer, member, moving, moved, runs)


@pytest.mark.parametrize("path", LOST)
def test_the_loss_bound(path: str) -> None:
    """Lag and the time to the first dead run, at least one; above the limit only by force."""
    for lag, gap, limit, forced in itertools.product(
        (0, 60, 239, 240, 241, 300), (-3, 0, 1, 2, 4, 5), (60, 300), (None, NOW, NOW + 1)
    ):
        good = LastGood(NOW - 4 - gap, lag)
        force = None if forced is None else Force("it is known", "ada", forced)
        state = replace(ripe(path), last_good=good, force=force)
        settings = replace(SETTINGS, lag_limit_seconds=limit)
        decision = decide(state, sight(path), settings)
        bound = lag + 60 * max(gap, 1)
        assert calls(decision) is (bound <= limit or forced == NOW + 1), (lag, gap, limit, forced)
        if calls(decision):
            assert decision.state.intent is not None
            assert decision.state.intent.loss_bound_seconds == bound
            by = "ada: it is known" if forced == NOW + 1 else ""
            assert decision.state.intent.forced == by


def test_the_loss_bound_ends_where_path_and_writer_are_dead() -> None:
    """A writer that outlives its application, and a first silent run that came late, count."""
    for dead, silent, late in itertools.product((3, 4), (2, 3, 4, None), (0, 90, 200)):
        state = replace(
            ripe("region"),
            last_good=LastGood(NOW - 5, 1),
            application_since=NOW - dead,
            silent_since=None if silent is None else NOW - silent,
            silent_lag=0 if silent is None else late,
        )
        decision = decide(state, sight("region"), replace(SETTINGS, lag_limit_seconds=900))
        assert decision.state.intent is not None
        first = NOW if silent is None else NOW - silent
        end = max(NOW - dead, first) - (NOW - 5)
        lag = MARKS.lag_seconds if silent is None else late
        assert decision.state.intent.loss_bound_seconds == max(1 + 60 * end, lag)


def test_modes() -> None:
    """Configuration is the ceiling; a proof that is missing or old makes automatic notify."""
    state = ripe("region")
    valid = state.validation
    assert valid is not None
    for configured, ordered in itertools.product(Mode, Mode):
        lowered = replace(state, mode=ordered)
        settings = replace(SETTINGS, mode=configured)
        expected = configured is ordered is Mode.AUTOMATIC
        assert calls(decide(lowered, sight("region"), settings)) is expected
        forced = replace(lowered, force=Force("known", "ada", NOW + 5))
        observes = Mode.OBSERVE in (configured, ordered)
        assert calls(decide(forced, sight("region"), settings)) is not observes
    for change in (
        {"ready": False},
        {"witness_readable": False},
        {"subscription_confirmed": False},
        {"began": NOW - 1441},
        {"engine_version": "16.5"},
    ):
        lowered = replace(state, validation=replace(valid, **change))
        assert not calls(decide(lowered, sight("region"), SETTINGS)), change
    assert calls(
        decide(
            replace(state, validation=replace(valid, began=NOW - 1440)), sight("region"), SETTINGS
        )
    )
    assert not calls(decide(replace(state, validation=None), sight("region"), SETTINGS))


def test_production_wants_a_drill_and_a_name() -> None:
    """In prod: a drill of the last 90 days that passed, or one that runs; and who accepts."""
    days = 24 * 60
    for passed, ended, running, name in itertools.product(
        (True, False), (90 * days, 90 * days + 1), (NOW, NOW + 1), ("", "Ada")
    ):
        drill = Drill(passed, NOW - ended, running)
        settings = replace(SETTINGS, environment="prod", accepted_by=name)
        state = replace(ripe("region"), drill=drill)
        expected = name != "" and ((passed and ended == 90 * days) or running == NOW + 1)
        assert calls(decide(state, sight("region"), settings)) is expected
    without = replace(SETTINGS, environment="prod", accepted_by="Ada")
    assert not calls(decide(ripe("region"), sight("region"), without))


def stages() -> list[State]:
    """One state for each stage, as runs leave it."""
    calm = replace(ripe("region"), stage=Stage.WATCHING)
    intent = Intent(Path.REGION, NOW - 4, 61, "", 1, NOW - 1, Answer.UNCLEAR)
    incident = Incident(NOW - 9, Path.REGION, 61, called=NOW - 8)
    states = [replace(calm, stage=stage) for stage in WATCHES]
    states += [replace(calm, stage=Stage.INTENT, intent=replace(intent, answer=a)) for a in Answer]
    states += [replace(calm, stage=stage, incident=incident) for stage in PROMOTES - {Stage.INTENT}]
    after = (Stage.PROMOTED, Stage.REBUILDING, Stage.READY, Stage.FAILING_BACK, Stage.SPLIT)
    proven = replace(incident, promoted=NOW - 2, split=False)
    states += [replace(calm, stage=s, epoch=2, incident=proven, armed=False) for s in after]
    return states


FOLLOWS: dict[Stage, set[Stage]] = {
    **{stage: {*WATCHES, Stage.INTENT, Stage.VERIFYING} for stage in WATCHES},
    Stage.INTENT: {
        Stage.INTENT, Stage.CALLED, Stage.PROMOTING, Stage.VERIFYING, Stage.SUSPECT, Stage.FAILED,
    },
    Stage.CALLED: {Stage.CALLED, Stage.PROMOTING, Stage.VERIFYING, Stage.FAILED},
    Stage.PROMOTING: {Stage.PROMOTING, Stage.VERIFYING, Stage.FAILED},
    Stage.VERIFYING: {Stage.VERIFYING, Stage.WATCHING},
    Stage.FAILED: {Stage.FAILED, Stage.VERIFYING},
    Stage.PROMOTED: {Stage.PROMOTED, Stage.REBUILDING, Stage.READY, Stage.SPLIT, Stage.UNPROTECTED},
    Stage.REBUILDING: {Stage.REBUILDING, Stage.READY, Stage.SPLIT, Stage.UNPROTECTED},
    Stage.READY: {Stage.REBUILDING, Stage.READY, Stage.SPLIT, Stage.UNPROTECTED},
    Stage.FAILING_BACK: {Stage.FAILING_BACK, Stage.WATCHING},
    Stage.SPLIT: {Stage.SPLIT, Stage.REBUILDING, Stage.READY, Stage.UNPROTECTED},
}  # fmt: skip
"""Which stage may follow which in one decision."""


def test_all_stages_against_all_signals() -> None:
    """A call only from a watching or intending stage on full evidence; no stage jumps; no epoch."""
    clusters = (None, READER, WRITER)
    globals_ = (None, MEMBER, replace(MEMBER, failover_state="failing-over"))
    readers = (None, MARKS, replace(MARKS, lsn=9))
    vectors = list(
        itertools.product(
            clusters, globals_, readers, (ALIVE, DEAD), Value,
            (Witness.PRIMARY, Witness.SECONDARY), (Ready.NO_ANSWER, Ready.READY), (DEAD, ALIVE),
        )
    )  # fmt: skip
    called = 0
    for number, state in enumerate(stages()):
        # A fifth of the vectors for each state, another fifth for the next: all are seen.
        sampled = vectors[number % 5 :: 5]
        for cluster, seen_global, reader, own, application, witness, ready, writer in sampled:
            observed = sight(
                "region", own_cluster=cluster, global_cluster=seen_global, reader=reader,
                own_load_balancer=own, peer_application=signal(application), witness=witness,
                ready=ready, writer_sql=writer,
            )  # fmt: skip
            decision = decide(state, observed, SETTINGS)
            after = decision.state
            assert after.stage in FOLLOWS[state.stage], (state.stage, after.stage)
            assert after.epoch == state.epoch
            if any(isinstance(action, SetSwitch) for action in decision.actions):
                assert after.incident is not None
            if calls(decision):
                called += 1
                assert state.stage in {*WATCHES, Stage.INTENT}
                assert (cluster, reader, own, witness, writer) == (
                    READER, MARKS, ALIVE, Witness.SECONDARY, DEAD,
                )  # fmt: skip
                assert after.intent is not None
                assert after.intent.answer is Answer.UNCLEAR
    assert called > 0


def test_what_counts_nothing_changes_nothing() -> None:
    """Manual, duplicate and late runs leave every stage as it is."""
    for state in stages():
        for trigger, minute in (
            (Trigger.MANUAL, NOW), (Trigger.SCHEDULE, NOW - 1), (Trigger.SCHEDULE, NOW - 2),
        ):  # fmt: skip
            observed = replace(sight("region"), trigger=trigger, minute=minute)
            decision = decide(state, observed, SETTINGS)
            assert (decision.state, decision.actions) == (state, ())


def test_settings_name_the_mirror() -> None:
    """The same rules guard us-west-2 from us-east-1."""
    mirror = Settings("us-east-1", "us-west-2", SETTINGS.switch)
    assert calls(decide(ripe("region"), sight("region"), mirror))
