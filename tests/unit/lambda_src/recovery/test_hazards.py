"""H1 to H34: docs/hazards.md, one test each under its number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from simulator.faults import DATABASE, NOTHING, REGION
from simulator.play import Timeline, play, sides
from simulator.ports import Crash, Killed, Side
from simulator.truth import EAST, FIRST_MINUTE, WEST, Truth
from watch import (
    DATABASE_LOST,
    MEMBER,
    READER,
    REGION_LOST,
    SETTINGS,
    VALID,
    WRITER,
    Watch,
    armed,
    calls,
)

from recovery import commands
from recovery.act import Run, run
from recovery.model import (
    Answer,
    CallFailover,
    CopySnapshot,
    Incident,
    Mode,
    SetSwitch,
    Stage,
    State,
    Tail,
    Verified,
    Verify,
)
from recovery.observation import (
    ALIVE,
    DEAD,
    UNKNOWN,
    Event,
    GlobalCluster,
    OwnCluster,
    Reader,
    Ready,
    Signal,
    Switch,
    Trigger,
    Value,
    Witness,
)

SWITCHING = replace(MEMBER, failover_state="switching-over")
CREDENTIALS = Signal(Value.UNKNOWN, "28P01")


def promoted_watch() -> Watch:
    """A watch whose promotion is proven, in epoch 2."""
    watch = armed()
    watch.run(3, **REGION_LOST)
    watch.called(Answer.ACCEPTED)
    watch.run(own_cluster=WRITER, **REGION_LOST)
    watch.outcome(Verify(), Verified(True, WEST))
    watch.epoch = 2
    assert watch.stage is Stage.PROMOTED
    return watch


def test_h01_a_cut_peering_for_half_an_hour_promotes_nothing_and_pages() -> None:
    """H1: with us-east-1's application alive, thirty silent minutes are held and paged."""
    watch = armed()
    for _ in range(30):
        assert not calls(watch.run(writer_sql=DEAD, silent=True))
    assert watch.stage is Stage.HELD
    assert "silent" in watch.pages
    played = play(Timeline(NOTHING, (("peering cut", 0),)))
    assert not played.truth.accepted


def test_h02_a_cut_peering_and_a_bad_deploy_promote_nothing() -> None:
    """H2: the database's own heartbeat advances on the local reader: held and paged."""
    watch = armed()
    for _ in range(20):
        assert not calls(watch.run(**{**REGION_LOST, "silent": False}))
    assert watch.stage is Stage.HELD
    assert "held:reader_stands_still" in watch.pages
    played = play(Timeline(NOTHING, (("peering cut", 0), (f"{EAST} bad deploy", 0))))
    assert not played.truth.accepted
    assert not played.wrong
    assert played.paged


def test_h03_a_dead_database_beside_a_healthy_application_is_promoted() -> None:
    """H3: four runs of an unreachable writer promote; refused credentials only page."""
    watch = armed()
    assert not calls(watch.run(3, **DATABASE_LOST))
    assert calls(watch.run(**DATABASE_LOST))
    for ready in (Ready.CREDENTIALS_REFUSED, Ready.CONNECTIONS_EXHAUSTED):
        other = armed()
        assert not calls(other.run(10, **{**DATABASE_LOST, "ready": ready}))
        assert "unknown:peer_ready" in other.pages
    single = armed(instances=1)
    assert not calls(single.run(10, **DATABASE_LOST))
    assert any(key.startswith("held:writer_has_a_replica") for key in single.pages)


def test_h04_a_writer_that_is_away_for_a_minute_changes_nothing() -> None:
    """H4: an in-region failover of 60 s is no incident, in either path."""
    watch = armed()
    watch.run(**DATABASE_LOST)
    assert not calls(watch.run(5))
    assert watch.stage is Stage.WATCHING
    assert watch.pages == []
    assert not play(Timeline(NOTHING, ((f"{EAST} restarts", 0),))).truth.accepted


def test_h05_a_region_that_cannot_see_itself_never_acts() -> None:
    """H5: own load balancer and reader dead as well: blind, nothing counted, paged."""
    watch = armed()
    runs = watch.state.runs
    blind = {**REGION_LOST, "own_load_balancer": DEAD, "own_reader": DEAD, "reader": None}
    for _ in range(10):
        assert not calls(watch.run(**blind))
    assert watch.stage is Stage.BLIND
    assert watch.state.runs == runs
    assert "blind" in watch.pages
    assert not calls(armed().run(10, **{**REGION_LOST, "own_load_balancer": UNKNOWN}))


def test_h06_a_red_health_check_over_a_living_writer_promotes_nothing() -> None:
    """H6: Route 53 alone moves traffic; a writer that writes isn't silent."""
    watch = armed()
    for _ in range(20):
        seen = {"peer_application": DEAD, "ready": Ready.NO_ANSWER, "witness": Witness.SECONDARY}
        assert not calls(watch.run(**seen))
    assert not play(Timeline(NOTHING, (("witness wrong", 0),))).truth.accepted


def test_h07_hanging_sql_is_dead_and_only_a_commit_is_life() -> None:
    """H7: a server that accepts and hangs is as dead as one that refuses."""
    hung = armed()
    hanging = Signal(Value.DEAD, "accepts, and hangs in both tries")
    assert calls(hung.run(4, **{**DATABASE_LOST, "writer_sql": hanging}))
    committed = armed()
    assert not calls(committed.run(9, **{**DATABASE_LOST, "writer_sql": ALIVE}))
    assert play(Timeline(f"{EAST} database hangs")).recovered is not None


def test_h08_flapping_promotes_nothing_and_a_second_promotion_waits() -> None:
    """H8: dead twice, alive once, ten times: nothing; after a promotion only with a person."""
    watch = armed()
    for _ in range(10):
        assert not calls(watch.run(2, **REGION_LOST))
        watch.run()
    waiting = Incident(1, None, -1, promoted=1)
    second = armed()
    second.state = replace(second.state, incident=waiting)
    assert not calls(second.run(10, **REGION_LOST))
    second.state = replace(second.state, incident=replace(waiting, acknowledged=True))
    assert calls(second.run(**REGION_LOST))


def test_h09_two_runs_that_overlap_at_the_threshold_make_one_call() -> None:
    """H9: the lease and the version let one of two runs act, wherever the other comes between."""
    for step in ("before observe", "after observe", "before call", "after call"):
        truth, both = lost_region()
        side = both[WEST]
        between(side, step, truth)
        run(side.ports(), SETTINGS, Run("a", truth.minute))
        assert len(truth.accepted) == 1, step
    for disaster in (REGION, DATABASE):
        played = play(Timeline(disaster, (("runs overlap", -2),)))
        assert (len(played.truth.accepted), played.missed) == (1, False)


@pytest.mark.parametrize(
    "step",
    ["before save intent", "after save intent", "before call", "after call", "after save called"],
)
def test_h10_a_run_killed_around_its_call_is_continued_without_a_second_one(step: str) -> None:
    """H10: killed before or after intent, call and record, the next run adopts what began."""
    for disaster in (REGION, DATABASE):
        played = play(Timeline(disaster, ((f"killed {step}", 0),)))
        assert len(played.truth.accepted) == 1
        assert not played.missed


def test_h11_an_internal_failure_is_described_before_it_is_repeated() -> None:
    """H11: adopted where the call was accepted, else at most three retries."""
    accepted = play(Timeline(REGION, (("internal accepted", 0),)))
    assert (len(accepted.truth.accepted), accepted.missed) == (1, False)
    assert not play(Timeline(REGION, (("internal lost", 0),))).missed
    watch = armed()
    assert calls(watch.run(3, **REGION_LOST))
    for _ in range(3):
        watch.called(Answer.UNCLEAR, "InternalFailure")
        assert calls(watch.run(**REGION_LOST))
    watch.called(Answer.UNCLEAR, "InternalFailure")
    assert not calls(watch.run(**REGION_LOST))
    assert watch.stage is Stage.FAILED


def test_h12_a_throttled_describe_is_unknown_and_alarms_after_three_runs() -> None:
    """H12: no answer says nothing about the writer; people hear of it in the third run."""
    watch = armed()
    watch.run(2, global_cluster=None)
    assert watch.pages == []
    watch.run(global_cluster=None)
    assert watch.pages == ["unknown:describe_global"]
    own = armed()
    assert not calls(own.run(9, **{**REGION_LOST, "own_cluster": None}))


def test_h13_the_epoch_never_goes_back() -> None:
    """H13: Describe that says us-east-1 writes after a recorded promotion changes no epoch."""
    watch = promoted_watch()
    stale = GlobalCluster(True, False, True, True)
    for _ in range(5):
        assert not calls(watch.run(own_cluster=READER, global_cluster=stale))
        assert watch.state.epoch == 2
    assert watch.stage in {Stage.PROMOTED, Stage.REBUILDING, Stage.READY}


def test_h14_a_lag_above_the_limit_is_held_until_a_person_forces() -> None:
    """H14: held and paged, waiting doesn't raise the bound, a reason is recorded."""
    watch = armed()
    watch.beat += 1
    watch.run(reader=Reader(watch.beat, watch.beat, watch.beat, 270, 1), silent=True)
    lagged = {**REGION_LOST, "reader": Reader(watch.beat, watch.beat, watch.beat, 270, 1)}
    decision = watch.run(5, **lagged)
    assert "up to 330 s" in decision.reason
    assert watch.stage is Stage.HELD
    assert watch.run(30, **lagged).reason == decision.reason
    assert "held:loss_is_acceptable" in watch.pages
    with pytest.raises(commands.RefusedError, match="reason"):
        commands.force(watch.state, watch.minute, "ada", " ")
    watch.state = commands.force(watch.state, watch.minute, "ada", "the loss is accepted")
    assert calls(watch.run(**lagged))
    assert watch.state.intent is not None
    assert watch.state.intent.forced == "ada: the loss is accepted"
    never = armed()
    never.state = replace(never.state, last_good=None)
    assert "the loss is unknown" in never.run(6, **REGION_LOST).reason


def test_h15_an_hour_without_replication_before_the_loss_counts() -> None:
    """H15: us-east-1 acknowledged for an hour that nobody holds: the bound is an hour, held."""
    watch = armed()
    watch.run(60, writer_sql=DEAD, silent=True)
    decision = watch.run(6, **REGION_LOST)
    assert "3661 s of writes" in decision.reason
    assert watch.stage is Stage.HELD


def test_h16_an_announced_change_holds_the_database_path_until_it_expires() -> None:
    """H16: a deploy holds the database-only path; a running switchover both; each expires."""
    watch = armed()
    watch.state = commands.hold(watch.state, watch.minute, 20, "deploy")
    assert not calls(watch.run(18, **DATABASE_LOST))
    assert calls(watch.run(2, **DATABASE_LOST))
    region = armed()
    region.state = commands.hold(region.state, region.minute, 20, "deploy")
    assert calls(region.run(3, **REGION_LOST))
    for minutes in (0, 61):
        with pytest.raises(commands.RefusedError, match="1 to 60 minutes"):
            commands.hold(region.state, region.minute, minutes, "deploy")
    switchover = armed()
    assert not calls(switchover.run(4, global_cluster=SWITCHING, **REGION_LOST))


def test_h17_unequal_versions_or_no_instance_never_call_and_unknown_ones_do() -> None:
    """H17: what AWS would refuse isn't called; a version that can't be asked is no veto."""
    for versions, promotes in ((False, False), (None, True), (True, True)):
        watch = armed()
        valid = replace(VALID, versions_equal=versions)
        watch.run(validation=replace(valid, began=1001))
        assert calls(watch.run(3, **{**REGION_LOST, "validation": None})) is promotes
    empty = armed()
    without = OwnCluster("available", 0, writer=False)
    assert not calls(empty.run(9, **REGION_LOST, own_cluster=without))
    denied = armed()
    denied.run(validation=replace(VALID, permissions_proven=False, began=1001))
    assert not calls(denied.run(9, **REGION_LOST, validation=None))


def test_h18_clocks_and_frozen_processes_change_no_count() -> None:
    """H18: runs are counted by scheduled minutes; what was seen 90 s ago is seen anew."""
    for fault in ("clock ahead", "clock behind", "clock jumps", "process frozen"):
        for start in (-1, 2, 3):
            played = play(Timeline(REGION, ((fault, start),)))
            assert (len(played.truth.accepted), played.wrong, played.missed) == (1, [], False)
    truth, both = lost_region()
    both[WEST].monotonic_jump = 90
    observed: list[int] = []
    look = both[WEST].step

    def noted(name: str) -> None:
        if name == "before observe":
            observed.append(truth.now)
        look(name)

    both[WEST].step = noted
    run(both[WEST].ports(), SETTINGS, Run("a", truth.minute))
    assert len(observed) == 2


def test_h19_after_twenty_minutes_without_a_run_everything_is_counted_anew() -> None:
    """H19: the first run after a long sleep sees death and doesn't act on it."""
    watch = armed()
    watch.run(2, **REGION_LOST)
    assert not calls(watch.run(gap=20, **REGION_LOST))
    assert len(watch.state.history) == 1
    assert watch.state.incident_runs == 1
    assert not calls(watch.run(**REGION_LOST))
    within = armed()
    within.run(2, **REGION_LOST)
    within.run(gap=10, **REGION_LOST)
    assert within.state.incident_runs == 3


def test_h20_an_unfenced_writer_makes_the_regions_split() -> None:
    """H20: RDS-EVENT-0391 or commits of the old writer: split, paged, kept, no failback."""
    both_signs: tuple[dict[str, Any], ...] = (
        {"events": (Event("RDS-EVENT-0391", 1007),)},
        {"old_writer": ALIVE},
    )
    for signs in both_signs:
        watch = promoted_watch()
        decision = watch.run(own_cluster=WRITER, **signs)
        assert watch.stage is Stage.SPLIT
        assert "split" in watch.pages
        assert CopySnapshot() in decision.actions
        assert "the regions are split" in refusals(watch)
        with pytest.raises(commands.RefusedError, match="reconcile first"):
            commands.acknowledge(watch.state, 2)
        settled = commands.reconciled(watch.state, Tail.RECONCILED)
        assert commands.acknowledge(settled, 2).stage is Stage.REBUILDING


def refusals(watch: Watch, lag: int | None = 0, pending: int | None = 0) -> str:
    """Every reason against a failback, in one text."""
    facts = commands.FailbackFacts(lag, pending)
    seen = watch.observation(own_cluster=WRITER)
    return "; ".join(commands.failback_refusals(watch.state, seen, facts, SETTINGS))


def test_h21_a_failback_is_refused_with_every_reason() -> None:
    """H21: before resynchronisation, above 1 s of lag, with an open tail or pending objects."""
    watch = promoted_watch()
    assert "isn't acknowledged" in refusals(watch)
    assert "tail isn't reconciled" in refusals(watch)
    watch.state = commands.reconciled(watch.state, Tail.ACCEPTED)
    watch.state = commands.acknowledge(watch.state, 2)
    assert refusals(watch) == ""
    assert refusals(watch, lag=2) == "the lag is 2 s, at most 1 s"
    assert refusals(watch, lag=None) == "the lag is unknown, at most 1 s"
    assert refusals(watch, pending=3) == "3 objects wait for replication"
    assert refusals(watch, pending=None) == "unknown objects wait for replication"
    facts = commands.FailbackFacts(0, 0)
    for seen, reason in (
        (None, "us-east-1 isn't resynchronised"),
        (replace(MEMBER, peer_connected=False), "us-east-1 isn't resynchronised"),
        (SWITCHING, "a failover or switchover runs"),
    ):
        observed = watch.observation(own_cluster=WRITER, global_cluster=seen)
        assert commands.failback_refusals(watch.state, observed, facts, SETTINGS) == (reason,)
    home = commands.failback_refusals(State(), watch.observation(), facts, SETTINGS)
    assert home == ("us-west-2 doesn't write: there is nothing to fail back",)


def test_h22_a_promotion_to_which_nobody_is_led_is_not_recovered() -> None:
    """H22: while the global endpoint leads to us-east-1 the promotion isn't proven; paged."""
    watch = armed()
    watch.run(3, **REGION_LOST)
    watch.called(Answer.ACCEPTED)
    for _ in range(3):
        assert Verify() in watch.run(own_cluster=WRITER).actions
        watch.outcome(Verify(), Verified(True, EAST))
        assert watch.stage is Stage.VERIFYING
    assert "unverified" in watch.pages
    watch.outcome(Verify(), Verified(False, WEST, "25006"))
    assert watch.state.epoch == 1
    watch.outcome(Verify(), Verified(True, WEST))
    assert (watch.stage, watch.state.epoch) == (Stage.PROMOTED, 2)


def test_h23_the_only_call_in_a_disaster_is_the_failover() -> None:
    """H23: no action calls a switchover; the first and only call is CallFailover."""
    watch = armed()
    decision = watch.run(4, **REGION_LOST)
    assert decision.actions[0] == CallFailover()
    names = {action.__name__ for action in (CallFailover, SetSwitch, Verify, CopySnapshot)}
    assert not any("switchover" in name.lower() for name in names)
    from recovery import ports

    assert [name for name in dir(ports.Rds) if "over" in name] == ["fail_over"]


def test_h24_a_loss_in_the_middle_of_a_switchover_is_promoted() -> None:
    """H24: once Describe settles, or in the incident's fifth run."""
    settles = armed()
    assert not calls(settles.run(4, global_cluster=SWITCHING, **REGION_LOST))
    assert calls(settles.run(**REGION_LOST))
    stuck = armed()
    stuck.run(7, global_cluster=SWITCHING)
    assert not calls(stuck.run(4, global_cluster=SWITCHING, **REGION_LOST))
    assert calls(stuck.run(global_cluster=SWITCHING, **REGION_LOST))


def test_h25_an_unreadable_table_acts_on_nothing_and_counts_anew() -> None:
    """H25: alarm in each such run; three runs are seen anew after three unreadable ones."""
    truth, both = lost_region()
    truth.on.add("table unreadable")
    assert run(both[WEST].ports(), SETTINGS, Run("a", truth.minute)).startswith("nothing done")
    assert (truth.accepted, both[WEST].pages[-1][1]) == ([], "state")
    truth.on.add("topic fails")
    assert run(both[WEST].ports(), SETTINGS, Run("b", truth.minute)).startswith("nothing done")
    watch = armed()
    watch.run(3, **REGION_LOST)
    assert not calls(watch.run(gap=4, **REGION_LOST))
    assert not calls(watch.run(**REGION_LOST))
    assert calls(watch.run(**REGION_LOST))


def test_h26_every_promoting_run_sets_the_switch_until_it_stands() -> None:
    """H26: DNS is no lock, but us-west-2's controller keeps the switch engaged, and only it."""
    watch = promoted_watch()
    for _ in range(3):
        assert SetSwitch(Switch.ENGAGED) in watch.run(own_cluster=WRITER).actions
    assert (
        SetSwitch(Switch.ENGAGED)
        not in watch.run(own_cluster=WRITER, switch=Switch.ENGAGED).actions
    )
    assert SetSwitch(Switch.ENGAGED) in watch.run(own_cluster=WRITER, switch=None).actions
    mirror = armed(region=EAST, peer=WEST, switch=Switch.RELEASED)
    mirror.run(3, **REGION_LOST)
    assert mirror.called(Answer.ACCEPTED).actions[0] == SetSwitch(Switch.RELEASED)


def test_h27_a_load_balancer_that_answers_502_is_no_blindness() -> None:
    """H27: a writer that dies under load leaves 502s here; they are answers, so it is promoted."""
    watch = armed()
    busy = Signal(Value.ALIVE, "502")
    assert calls(watch.run(4, **DATABASE_LOST, own_load_balancer=busy))


def test_h28_a_bad_rotation_or_exhausted_connections_page_and_promote_nothing() -> None:
    """H28: an SQLSTATE is an answer of a living server."""
    for reason in ("28P01", "53300"):
        watch = armed()
        seen = {**DATABASE_LOST, "writer_sql": Signal(Value.UNKNOWN, reason)}
        assert not calls(watch.run(10, **seen))
        assert "unknown:writer_sql" in watch.pages
    for fault in ("credentials refused", "connections exhausted"):
        played = play(Timeline(NOTHING, ((fault, 0),)))
        assert not played.truth.accepted
        assert played.paged


def test_h29_an_api_that_went_with_the_region_delays_nothing() -> None:
    """H29: Describe stale or erroring for ever, the own region's as well: promoted within the
    budget all the same, and proven by a write."""
    for fault in ("describe gone", "describe stale", "own describe stale"):
        for start in (-3, 0, 1):
            assert not play(Timeline(REGION, ((fault, start),))).missed
    nothing_shows_it = tuple((name, -3) for name in ("own describe stale", "events lost"))
    assert not play(Timeline(REGION, (*nothing_shows_it, ("describe gone", 0)))).missed
    unknown = {**REGION_LOST, "global_cluster": None, "validation": None}
    watch = armed()
    watch.run(6, global_cluster=None)
    assert not calls(watch.run(3, **unknown))
    assert calls(watch.run(**unknown))


def test_h30_a_hanging_deploy_and_a_forgotten_freeze_end_by_themselves() -> None:
    """H30: the hold ends after an hour, the freeze after a day, with reminders meanwhile."""
    assert not play(Timeline(DATABASE, (("deploy holds", -3),))).missed
    assert not play(Timeline(REGION, (("deploy holds", -3),))).missed
    watch = armed()
    watch.state = commands.freeze(watch.state, watch.minute, "ada", "maintenance")
    reminders = 0
    for _ in range(30):
        decision = watch.run(**REGION_LOST)
        assert not calls(decision)
    for _ in range(48):
        watch.minute += 29
        decision = watch.run()
        reminders += any(notice.key == "frozen" for notice in decision.state.pending)
    assert watch.state.freeze is None
    assert any(key.startswith("held:is_not_frozen") for key in watch.pages)
    watch.state = replace(watch.state, validation=replace(VALID, began=watch.minute))
    assert calls(watch.run(3, **REGION_LOST))


def test_h31_duplicates_manual_and_late_runs_count_once_a_minute() -> None:
    """H31: during a 60 s failover five invocations of one minute are one run."""
    watch = armed()
    for trigger in (Trigger.SCHEDULE, Trigger.SCHEDULE, Trigger.MANUAL, Trigger.MANUAL):
        assert not calls(watch.run(gap=0, trigger=trigger, **REGION_LOST))
    assert watch.state.incident_runs == 0
    watch.run(**REGION_LOST)
    for _ in range(9):
        assert not calls(watch.run(gap=0, **REGION_LOST))
    assert watch.state.incident_runs == 1
    watch.run(gap=-1, **REGION_LOST)
    watch.run(gap=1, **REGION_LOST)
    assert not calls(watch.run(gap=1, trigger=Trigger.MANUAL, **REGION_LOST))
    assert watch.state.incident_runs == 1


def test_h32_a_reader_that_refuses_us_is_not_silent() -> None:
    """H32: a bad password here and a bad deploy there: nothing changes that is seen; no call."""
    watch = armed()
    seen = {**REGION_LOST, "own_reader": CREDENTIALS, "reader": None, "writer_sql": DEAD}
    assert not calls(watch.run(20, **seen))
    assert "unknown:own_reader" in watch.pages
    faults = ((f"{WEST} password wrong", 0), (f"{EAST} bad deploy", 0))
    played = play(Timeline(NOTHING, faults))
    assert (played.truth.accepted, played.paged) == ([], True)


def test_h33_a_call_that_is_refused_for_good_strands_no_traffic() -> None:
    """H33: failed, paged, and the switch is where it was."""
    played = play(Timeline(REGION, (("promotion denied", 0),)))
    assert played.west.state.stage is Stage.FAILED
    assert played.truth.switch == "released"
    assert "failed" in [key for _, key in played.west.pages]
    assert not played.wrong


def test_h34_a_region_that_comes_back_resyncing_is_not_armed() -> None:
    """H34: its item knows the old epoch; only an acknowledgement arms it again."""
    back = armed(region=EAST, peer=WEST, switch=Switch.RELEASED)
    back.epoch = 2
    for _ in range(10):
        assert not calls(back.run(**REGION_LOST))
        assert not back.state.armed
    back.run(6)
    assert back.stage is Stage.UNPROTECTED
    assert "unprotected" in back.pages
    back.state = commands.acknowledge(back.state, 2)
    back.run(3)
    assert (back.state.armed, back.stage) == (True, Stage.WATCHING)
    assert calls(back.run(3, **REGION_LOST))


def test_only_automatic_promotes() -> None:
    """R10: notify and observe call for nobody but people, and force lifts notify alone."""
    for mode in (Mode.NOTIFY, Mode.OBSERVE):
        watch = armed(mode=mode)
        assert not calls(watch.run(10, **REGION_LOST))
        assert any(key.startswith("held:mode_is_automatic") for key in watch.pages)
        watch.state = commands.force(watch.state, watch.minute, "ada", "the loss is known")
        assert calls(watch.run(**REGION_LOST)) is (mode is Mode.NOTIFY)


def lost_region() -> tuple[Truth, dict[str, Side]]:
    """A world in which us-east-1 was lost, right before the run that calls."""
    truth = Truth()
    both = sides(truth)
    for _ in range(3):
        run(both[WEST].ports(), SETTINGS, Run("w", truth.minute))
        truth.advance(60)
    truth.on.add(f"{EAST} lost")
    while True:
        side = both[WEST]
        kept = side.state
        side.crashes.append(Crash("before save intent"))
        try:
            run(side.ports(), SETTINGS, Run("w", truth.minute))
        except Killed:
            side.state = replace(kept, lease=None)
            assert truth.minute < FIRST_MINUTE + 12
            return truth, both  # type: ignore[return-value]
        side.crashes.clear()
        truth.advance(60)


def between(side: object, step: str, truth: Truth) -> None:
    """Lets a whole second run of the next minute come between."""
    side.between[step] = lambda: run(side.ports(), SETTINGS, Run("b", truth.minute + 1))  # type: ignore[attr-defined]
