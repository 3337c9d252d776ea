"""Exact values and edges of the pure modules, each of which a mutant changed unnoticed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from test_vectors import LOST, NOW, ripe, seen, sight
from watch import MEMBER, REGION_LOST, SETTINGS, WRITER, Watch, armed, calls

from recovery import commands, judge, notices, split, watching
from recovery.case import Case
from recovery.decide import decide
from recovery.evidence import no_hold_is_announced, silence_is_recent
from recovery.ground import is_not_frozen, permissions_are_proven
from recovery.memory import incident_since
from recovery.mode import effective_mode
from recovery.model import (
    Force,
    Freeze,
    Hold,
    Incident,
    Mode,
    Notice,
    Path,
    Sent,
    Stage,
    State,
    Verified,
    Verify,
)
from recovery.observation import ALIVE, DEAD, UNKNOWN, Event, Ready, Value
from recovery.verify import recorded


def case(path: str, state: State | None = None) -> Case:
    """An acting run whose every guard is satisfied, or one of another state."""
    recorded = ripe(path)
    whole = replace(
        recorded,
        last_minute=NOW,
        history=(*recorded.history, seen(0, path)),
        ready_runs=5 if path == "database" else 0,
    )
    return Case(state or whole, sight(path), SETTINGS, Path(path))


@pytest.mark.parametrize("path", LOST)
def test_a_satisfied_guard_says_nothing(path: str) -> None:
    """``Guard``: an empty text, and no other value that happens to be false."""
    satisfied = case(path)
    way = satisfied.path
    for guard in (*judge.PROOFS[way], *judge.CONDITIONS[way], *judge.SHARED):
        assert guard(satisfied) == "", guard.__name__


@pytest.mark.parametrize("path", LOST)
def test_freeze_hold_and_force_end_with_their_minute(path: str) -> None:
    """H16, H30: in the minute ``until`` none of them stands any more."""
    for until, stands in ((NOW, False), (NOW + 1, True)):
        state = replace(
            case(path).state,
            freeze=Freeze("reason", "ops", NOW - 9, until),
            hold=Hold("deploy", NOW - 9, until),
            force=Force("reason", "ops", until),
        )
        acting = case(path, state)
        assert bool(is_not_frozen(acting)) is stands
        assert bool(no_hold_is_announced(acting)) is stands
        assert acting.forced is stands
        counting = replace(state, last_minute=NOW - 1)
        after = decide(counting, sight(path), SETTINGS).state
        assert [one is not None for one in (after.freeze, after.hold, after.force)] == [stands] * 3


def test_only_the_acting_run_is_now() -> None:
    """H5, H31: a run that counted nothing has no place in the history, and proves no silence."""
    counted = case("region")
    assert counted.now == seen(0, "region")
    earlier = case("region", replace(counted.state, history=counted.state.history[:-1]))
    assert earlier.now is None
    assert silence_is_recent(earlier) == "fewer than three runs are counted"
    two = case("region", replace(counted.state, history=counted.state.history[-2:]))
    assert silence_is_recent(two) == "fewer than three runs are counted"
    assert case("region", replace(counted.state, history=())).now is None


def test_a_validation_that_is_missing_or_old_proves_no_permission() -> None:
    """H17: each by itself is enough."""
    state = case("region").state
    assert state.validation is not None
    fresh = replace(state.validation, began=NOW - 24 * 60)
    assert permissions_are_proven(case("region", replace(state, validation=fresh))) == ""
    for kept in (None, replace(fresh, began=NOW - 24 * 60 - 1)):
        unproven = case("region", replace(state, validation=kept))
        assert permissions_are_proven(unproven) == "no validation of the last 24 hours"


def test_five_runs_are_remembered() -> None:
    """RECOVERY 3: what is dead in three of the last five; a sixth would let in an older one."""
    watch = armed()
    watch.run(7)
    assert [one.minute for one in watch.state.history] == [
        *range(watch.minute - 4, watch.minute + 1)
    ]


def test_an_incident_begins_with_the_first_of_its_signals() -> None:
    """N6: by which the loss and the newest validation before it are counted."""
    assert incident_since(State(application_since=4, ready_since=7)) == 4
    assert incident_since(State(application_since=9, ready_since=7)) == 7
    assert incident_since(State()) is None


def test_what_a_run_counts_of_its_signals() -> None:
    """A first reading is no change, another word of /ready begins anew, silence keeps its lag."""
    first = Watch()
    first.run()
    assert first.state.history[-1].change is Value.UNKNOWN
    watch = armed()
    watch.run(2, ready=Ready.UNREACHABLE)
    assert watch.state.ready_runs == 2
    watch.run(ready=Ready.SCHEMA_MISSING)
    assert (watch.state.ready_since, watch.state.ready_runs) == (None, 0)
    still = replace(watch.state.reader, lag_seconds=77) if watch.state.reader else None
    watch.run(writer_sql=DEAD, reader=still)
    assert (watch.state.silent_since, watch.state.silent_lag) == (watch.minute, 77)
    watch.run(writer_sql=ALIVE)
    assert (watch.state.silent_since, watch.state.silent_lag) == (None, 0)


def test_a_failover_is_counted_from_the_run_that_saw_it() -> None:
    """H24: a switchover that begins late in an incident has its five runs before it vetoes no
    more; runs before it, and answers without one, don't count."""
    watch = armed()
    watch.run(2, **{**REGION_LOST, "own_cluster": None})
    assert (watch.state.incident_runs, watch.state.failover_runs) == (2, 0)
    moving = {**REGION_LOST, "global_cluster": replace(MEMBER, failover_state="switching-over")}
    assert not calls(watch.run(4, **moving))
    assert watch.state.failover_runs == 4
    assert calls(watch.run(**moving))


def test_a_region_that_failed_back_is_not_armed_by_its_old_reader() -> None:
    """H34: it is armed by what it sees in the new epoch, not by what it was before."""
    state = replace(ripe("region"), armed=True, epoch=2)
    watch = Watch(state=commands.fail_back(replace(state, incident=None)))
    watch.epoch, watch.minute = 3, NOW
    decision = watch.run()
    assert decision.reason == "failed back: watching"
    assert not decision.state.armed
    assert decision.state.reader is None


def test_a_validation_of_the_first_dead_minute_came_too_late() -> None:
    """H29: one that begins with the loss may already show it; the one before it counts on."""
    watch = armed()
    before = watch.state.validation
    assert before is not None
    found = replace(before, began=watch.minute + 1, ready=False)
    watch.run(**REGION_LOST, validation=found)
    assert watch.state.validation == before
    healthy = armed()
    healthy.run(validation=replace(found, began=healthy.minute + 1))
    assert healthy.state.validation == found


@pytest.mark.parametrize(
    ("key", "minutes"),
    [("unprotected", 1440), ("acknowledge", 1440), ("frozen", 240), ("silent", 60), ("held:a", 60)],
)
def test_a_notice_is_repeated_when_its_time_is_over(key: str, minutes: int) -> None:
    """RECOVERY 3: a page a day, a reminder of a freeze each four hours, all else by the hour."""
    first = notices.page(State(), 100, key, "text")
    assert first.pending == (Notice(key, "text", page=True),)
    assert notices.inform(first, 100 + minutes - 1, key, "again") is first
    second = notices.inform(first, 100 + minutes, key, "again")
    assert second.pending[1:] == (Notice(key, "again", page=False),)
    assert second.raised == (Sent(key, 100 + minutes),)


def test_what_was_raised_is_forgotten_after_a_day() -> None:
    """Its place in the item is given back; of two of a key the newest counts."""
    first = notices.page(State(), 100, "silent", "text")
    kept = notices.page(first, 100 + 1439, "blind", "text")
    assert kept.raised == (Sent("silent", 100), Sent("blind", 1539))
    assert notices.page(first, 100 + 1440, "blind", "text").raised == (Sent("blind", 1540),)
    doubled = State(raised=(Sent("silent", 100), Sent("silent", 150)))
    assert notices.page(doubled, 170, "silent", "text") is doubled


def test_signals_page_when_they_are_unknown_for_long_enough() -> None:
    """H12, H28: Describe after three runs, a fault that the standby may share at once."""
    for signal, runs in {"describe_global": 3, "own_cluster": 3, "writer_sql": 1}.items():
        watch = armed()
        field = {"describe_global": "global_cluster", "writer_sql": "writer_sql"}.get(
            signal, signal
        )
        change: dict[str, Any] = {field: UNKNOWN if signal == "writer_sql" else None}
        watch.run(runs - 1, **change) if runs > 1 else None
        assert watch.pages == []
        watch.run(**change)
        assert watch.pages == [f"unknown:{signal}"]


def test_a_promotion_that_was_found_is_dated_early() -> None:
    """A quarter of an hour before the last run that saw a reader: nobody's record is skipped."""
    watch = armed()
    decision = watch.run(gap=4, own_cluster=WRITER)
    incident = decision.state.incident
    assert incident == Incident(watch.minute, None, -1, called=watch.minute - 4 - 15)
    alone = Watch(state=State(armed=True))
    found = alone.run(own_cluster=WRITER).state.incident
    assert found is not None
    assert found.called == alone.minute - 15
    second = Watch(state=State(armed=True))
    second.run()
    again = second.run(gap=3, own_cluster=WRITER).state.incident
    assert again is not None
    assert again.called == second.minute - 3 - 15


def test_an_unprotected_standby_pages_with_its_fifth_run() -> None:
    """H34: a new one needs two runs to be seen changing."""
    watch = Watch()
    watch.epoch = 2
    watch.run(4)
    assert (watch.stage, watch.pages) == (Stage.UNPROTECTED, [])
    watch.run()
    assert watch.pages == ["unprotected"]


def test_a_silent_writer_holds_from_the_third_run() -> None:
    """H1: then a person is called; an alive application is no loss."""
    watch = armed()
    watch.run(2, writer_sql=DEAD, silent=True)
    assert (watch.stage, watch.pages) == (Stage.SUSPECT, [])
    watch.run(writer_sql=DEAD, silent=True)
    assert (watch.stage, watch.pages) == (Stage.HELD, ["silent"])


def test_an_intent_says_who_forced_it_and_what_is_unknown() -> None:
    """H14: a reason only while the order stands; -1 where nobody knows what is lost."""
    state = replace(case("region").state, last_good=None, force=Force("flood", "ops", NOW + 1))
    acting = case("region", state)
    intent = watching.intend(state, judge.Verdict(acting, True, ())).state.intent
    assert intent is not None
    assert (intent.forced, intent.loss_bound_seconds, intent.calls) == ("ops: flood", -1, 1)
    over = replace(state, force=Force("flood", "ops", NOW))
    late = watching.intend(over, judge.Verdict(case("region", over), True, ())).state.intent
    assert late is not None
    assert late.forced == ""


@pytest.mark.parametrize(("bound", "said"), [(-1, "unknown"), (0, "0 s"), (61, "61 s")])
def test_a_proven_promotion_says_its_loss(bound: int, said: str) -> None:
    """H14, H15: no loss is no unknown one; the promoted region guards nothing any more."""
    incident = Incident(NOW - 9, Path.REGION, bound, called=NOW - 8)
    state = replace(ripe("region"), stage=Stage.VERIFYING, incident=incident)
    after = recorded(state, Verify(), Verified(True, SETTINGS.region), SETTINGS, NOW).state
    assert f"at most {said} of writes lost" in after.pending[-1].text
    assert (after.armed, after.epoch, after.stage) == (False, 2, Stage.PROMOTED)


def test_a_proof_that_fails_pages_the_third_time() -> None:
    """H22: writes without the endpoint, or the endpoint without writes, are no recovery."""
    incident = Incident(NOW - 9, Path.REGION, 61, called=NOW - 8)
    state = replace(ripe("region"), stage=Stage.VERIFYING, incident=incident)
    for outcome in (Verified(True, ""), Verified(False, SETTINGS.region, "25006")):
        after = state
        for failures in (1, 2, 3):
            after = recorded(after, Verify(), outcome, SETTINGS, NOW).state
            assert after.incident is not None
            assert after.incident.verify_failures == failures
            assert [one.key for one in after.pending] == (["unverified"] if failures == 3 else [])


def test_an_item_without_its_incident_still_follows_describe() -> None:
    """An item that somebody has mended by hand is followed until the own cluster writes."""
    for stage in (Stage.CALLED, Stage.PROMOTING):
        watch = Watch(state=State(stage=stage, armed=True))
        decision = watch.run(9, switch=SETTINGS.switch, events=(Event("RDS-EVENT-0239", 0),))
        assert (decision.reason, decision.actions) == ("waiting for the promotion", ())
        assert watch.run(global_cluster=None).state.stage is stage
    verifying = Watch(state=State(stage=Stage.VERIFYING, armed=True))
    assert verifying.run().reason == "verifying"


def test_a_promotion_is_late_after_eight_minutes() -> None:
    """N6: AWS's 480 s are over in the eighth minute after the call."""
    incident = Incident(1000, Path.REGION, 61, called=1000)
    watch = Watch(state=State(stage=Stage.CALLED, armed=True, incident=incident))
    watch.run(7)
    assert watch.pages == []
    assert Verify() in watch.run().actions
    assert watch.pages == ["late"]


def test_an_old_validation_lowers_the_mode() -> None:
    """RECOVERY 3: after 24 hours it proves nothing, whatever it said."""
    state = case("region").state
    assert state.validation is not None
    began = state.validation.began
    assert effective_mode(state, SETTINGS, began + 1440).mode is Mode.AUTOMATIC
    old = effective_mode(state, SETTINGS, began + 1441)
    assert (old.mode, old.reasons) == (Mode.NOTIFY, ("no validation of the last 24 hours",))


def test_a_failed_item_without_its_incident_still_follows_describe() -> None:
    """H33: mended by hand, and promoted after all: proven before anything is said."""
    watch = Watch(state=State(stage=Stage.FAILED, armed=True))
    assert Verify() in watch.run(own_cluster=WRITER).actions
    assert watch.stage is Stage.VERIFYING


def test_a_split_says_how_it_was_seen() -> None:
    """H20: an old writer that still commits, or a fence that timed out."""
    incident = Incident(1000, Path.REGION, 61, called=1000, promoted=1002)
    state = State(stage=Stage.PROMOTED, epoch=2, incident=incident)
    commits = split.noted(state, Watch().observation(old_writer=ALIVE))
    assert "the demoted cluster still commits" in commits.pending[0].text
    timed_out = Watch().observation(events=(Event("RDS-EVENT-0391", 1001),))
    assert "wasn't fenced" in split.noted(state, timed_out).pending[0].text
