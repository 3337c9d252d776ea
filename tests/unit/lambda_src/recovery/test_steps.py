"""From the call to failback, step by step: what each run does, stores, and pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from watch import DATABASE_LOST, MEMBER, REGION_LOST, SETTINGS, WRITER, Watch, armed, calls

from recovery import commands
from recovery.model import (
    Answer,
    Called,
    CallFailover,
    Copied,
    CopySnapshot,
    Done,
    GrowEpoch,
    Hold,
    Incident,
    Mode,
    Notice,
    Path,
    Send,
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
    Reader,
    Signal,
    Switch,
)
from recovery.verify import recorded

FAILING = replace(MEMBER, failover_state="failing-over")
BLIND = {**REGION_LOST, "own_load_balancer": DEAD}
WEST = SETTINGS.region
HOME = SETTINGS.peer


def intending() -> Watch:
    """A watch that has just stored its intent."""
    watch = armed()
    assert calls(watch.run(3, **REGION_LOST))
    return watch


def called() -> Watch:
    """A watch whose call was accepted."""
    watch = intending()
    assert watch.called(Answer.ACCEPTED, "id").actions == (SetSwitch(Switch.ENGAGED),)
    return watch


def promoted() -> Watch:
    """A watch whose promotion is proven; the reader still carries epoch 1."""
    watch = called()
    watch.run(own_cluster=WRITER, **REGION_LOST)
    decision = watch.outcome(Verify(), Verified(True, WEST))
    assert decision.actions[:2] == (GrowEpoch(2), CopySnapshot())
    return watch


def settled() -> Watch:
    """A promotion with nothing owed."""
    watch = promoted()
    watch.outcome(GrowEpoch(2), Done(ok=True))
    watch.outcome(CopySnapshot(), Copied("arn"))
    watch.epoch = 2
    return watch


def test_the_intent_is_stored_before_the_call() -> None:
    """recovery.md 3, "Acting": path, bound, first dead run and call number; answer unclear."""
    watch = armed()
    decision = watch.run(3, **REGION_LOST)
    intent = watch.state.intent
    assert intent is not None
    assert (watch.stage, intent.path, intent.calls) == (Stage.INTENT, Path.REGION, 1)
    assert (intent.began, intent.minute) == (watch.minute - 2, watch.minute)
    assert (intent.answer, intent.forced, intent.loss_bound_seconds) == (Answer.UNCLEAR, "", 61)
    assert decision.actions[0] == CallFailover(), "before anybody is notified"
    assert decision.reason == "promoting by the region path, at most 61 s lost"


def test_an_accepted_call_becomes_the_incident() -> None:
    """The record: what began, by which path, at most which loss, called when."""
    watch = called()
    assert watch.state.intent is None
    assert watch.state.incident == Incident(
        watch.minute - 2, Path.REGION, 61, called=watch.minute, forced=""
    )
    assert watch.stage is Stage.CALLED


@pytest.mark.parametrize("answer", [Answer.REFUSED, Answer.THROTTLED])
def test_a_refused_call_is_repeated_three_times(answer: Answer) -> None:
    """H33: in the next run, on fresh evidence, and then failed with a page."""
    watch = intending()
    for number in (2, 3, 4):
        assert watch.called(answer, "Fault").actions == ()
        assert watch.state.intent is not None
        assert (watch.state.intent.answer, watch.state.intent.detail) == (answer, "Fault")
        decision = watch.run(**REGION_LOST)
        assert (calls(decision), decision.reason) == (True, f"call {number}")
        assert watch.state.intent.calls == number
        assert (watch.state.intent.minute, watch.state.intent.detail) == (watch.minute, "")
    watch.called(answer, "Fault")
    decision = watch.run(**REGION_LOST)
    assert decision.reason == "the promotion was refused 4 times: Fault"
    assert (watch.stage, watch.pages[-1]) == (Stage.FAILED, "failed")


def test_a_refused_call_is_repeated_on_an_unknown_global_cluster() -> None:
    """A refusal is a clear answer: nothing began."""
    watch = intending()
    watch.called(Answer.THROTTLED)
    assert calls(watch.run(**REGION_LOST, global_cluster=None))


def test_a_failover_state_after_a_refusal_is_adopted() -> None:
    """recovery.md 3: refused with a FailoverState: adopt."""
    watch = intending()
    watch.called(Answer.REFUSED)
    decision = watch.run(global_cluster=FAILING, **REGION_LOST)
    assert decision.actions == (SetSwitch(Switch.ENGAGED),)
    assert watch.stage is Stage.PROMOTING
    assert watch.state.incident is not None
    assert watch.state.incident.called == watch.minute - 1


@pytest.mark.parametrize("state", ["switching-over", "cancelling"])
@pytest.mark.parametrize("answer", [Answer.REFUSED, Answer.THROTTLED, Answer.UNCLEAR])
def test_a_switchover_that_refused_the_call_is_not_adopted(state: str, answer: Answer) -> None:
    """H24, found by the certificate: Describe showed it late, so the call was refused by it; it
    promotes nobody, and the call is made again once it is over."""
    watch = intending()
    watch.called(answer)
    moving = replace(MEMBER, failover_state=state)
    decision = watch.run(global_cluster=moving, **REGION_LOST)
    assert (watch.stage, calls(decision)) == (Stage.SUSPECT, False)
    assert (watch.state.incident, watch.pages[-1]) == (None, "withdrawn")
    assert calls(watch.run(**REGION_LOST))
    assert watch.state.intent is not None
    assert watch.state.intent.calls == 1


@pytest.mark.parametrize(
    "seen",
    [{"own_cluster": WRITER}, {"global_cluster": replace(MEMBER, own_writer=True)}],
)
def test_a_promotion_that_is_done_is_adopted(seen: dict[str, object]) -> None:
    """H10: the own cluster writes though no request id was recorded."""
    watch = intending()
    watch.run(**{**REGION_LOST, **seen})
    assert watch.stage in {Stage.CALLED, Stage.VERIFYING}
    assert watch.state.intent is None


def test_an_unclear_call_waits_for_describe() -> None:
    """H11 with H29: unknown for three runs, then repeated; never on an unknown own status."""
    watch = intending()
    for _ in range(2):
        decision = watch.run(**REGION_LOST, global_cluster=None)
        assert (calls(decision), decision.reason) == (False, "waiting for Describe")
    assert watch.pages[-1] == "unclear"
    assert calls(watch.run(**REGION_LOST, global_cluster=None))
    other = intending()
    assert not calls(other.run(9, **{**REGION_LOST, "own_cluster": None}))
    assert other.stage is Stage.INTENT


def test_an_intent_is_withdrawn_where_the_evidence_is_gone() -> None:
    """The writer answers again before the repeated call: nothing is called."""
    watch = intending()
    watch.called(Answer.REFUSED)
    decision = watch.run()
    assert not calls(decision)
    assert decision.reason.startswith("withdrawn: ")
    assert (watch.stage, watch.state.intent, watch.pages[-1]) == (
        Stage.SUSPECT, None, "withdrawn",
    )  # fmt: skip


def test_a_blind_run_leaves_the_intent_alone() -> None:
    """H5: it adopts what began, and repeats nothing."""
    watch = intending()
    watch.called(Answer.REFUSED)
    kept = watch.state.intent
    runs = watch.state.runs
    assert watch.run(**BLIND).actions == ()
    assert (watch.state.intent, watch.state.runs) == (kept, runs)
    watch.run(global_cluster=FAILING, **BLIND)
    assert watch.stage is Stage.PROMOTING


def test_a_promotion_is_followed_until_the_own_cluster_writes() -> None:
    """Called, promoting, verifying; the switch is set in every run until it is seen to stand."""
    watch = called()
    assert watch.run(**REGION_LOST).actions == (SetSwitch(Switch.ENGAGED),)
    assert watch.stage is Stage.CALLED
    assert watch.run(**REGION_LOST, global_cluster=None).reason == "waiting for the promotion"
    moving = {**REGION_LOST, "global_cluster": FAILING, "switch": Switch.ENGAGED}
    assert watch.run(**moving).actions == ()
    assert watch.stage is Stage.PROMOTING
    assert watch.run(**REGION_LOST, own_cluster=None).reason == "waiting for the promotion"
    assert watch.stage is Stage.PROMOTING
    decision = watch.run(**REGION_LOST, own_cluster=WRITER)
    assert decision.actions == (SetSwitch(Switch.ENGAGED), Verify())
    assert watch.stage is Stage.VERIFYING


def test_a_promotion_that_takes_longer_than_480_seconds_is_paged() -> None:
    """recovery.md 3: page, never detach."""
    watch = called()
    watch.run(7, **REGION_LOST)
    assert "late" not in watch.pages
    decision = watch.run(**REGION_LOST)
    assert watch.pages[-1] == "late"
    assert watch.stage is Stage.CALLED
    assert decision.actions[-2:] == (Verify(), Send(decision.state.pending[-1]))


def test_a_promotion_that_describe_never_shows_is_proven_by_its_writes() -> None:
    """H29: how fresh Describe is while a region is lost isn't known: RDS's event or the global
    cluster is enough, and after 480 s the proof is tried without either; before it succeeds
    nothing counts as failed."""
    shows: tuple[dict[str, Any], ...] = (
        {"events": (Event("RDS-EVENT-0238", called().minute),)},
        {"global_cluster": replace(MEMBER, own_writer=True)},
    )
    for shown in shows:
        watch = called()
        assert Verify() in watch.run(**REGION_LOST, **shown).actions
        assert watch.stage is Stage.VERIFYING
    watch = called()
    assert watch.state.incident is not None
    old = (Event("RDS-EVENT-0238", watch.state.incident.began - 1),)
    assert Verify() not in watch.run(events=old, **REGION_LOST).actions
    watch.run(7, **REGION_LOST)
    for _ in range(4):
        decision = watch.outcome(Verify(), Verified(False, "", "25006"))
        assert decision.reason == "not complete: 25006"
    assert "unverified" not in watch.pages
    watch.outcome(Verify(), Verified(True, WEST))
    assert (watch.stage, watch.state.epoch) == (Stage.PROMOTED, 2)


def test_a_refused_promotion_that_only_its_event_shows_is_adopted() -> None:
    """H10, H29: our call was refused, somebody's succeeded, and Describe stays as it was."""
    watch = intending()
    for _ in range(4):
        watch.called(Answer.REFUSED)
        watch.run(**REGION_LOST)
    assert watch.stage is Stage.FAILED
    # Of the first call, which answered nothing: later ones were refused because of it.
    watch.run(events=(Event("RDS-EVENT-0238", watch.minute - 3),), **REGION_LOST)
    assert watch.stage is Stage.VERIFYING


def test_a_promotion_that_rds_gave_up_is_failed_and_adopted_when_it_writes() -> None:
    """RDS-EVENT-0239 since the call; an older one says nothing."""
    watch = called()
    old = (Event("RDS-EVENT-0239", watch.minute - 1),)
    watch.run(events=old, **REGION_LOST)
    assert watch.stage is Stage.CALLED
    decision = watch.run(events=(Event("RDS-EVENT-0239", watch.minute - 1),), **REGION_LOST)
    assert (watch.stage, watch.pages[-1]) == (Stage.FAILED, "failed")
    assert decision.actions[0] == SetSwitch(Switch.ENGAGED)
    kept = watch.state.incident
    decision = watch.run(**REGION_LOST)
    assert (decision.reason, decision.actions) == ("failed", (SetSwitch(Switch.ENGAGED),))
    assert watch.run(**REGION_LOST, own_cluster=None).reason == "failed"
    watch.run(**REGION_LOST, own_cluster=WRITER)
    assert (watch.stage, watch.state.incident) == (Stage.VERIFYING, kept)


def test_a_refused_promotion_that_writes_after_all_is_adopted() -> None:
    """A person's own call succeeded where ours was refused."""
    watch = intending()
    for _ in range(4):
        watch.called(Answer.REFUSED)
        watch.run(**REGION_LOST)
    assert watch.stage is Stage.FAILED
    assert watch.run(**REGION_LOST).actions == ()
    watch.run(**REGION_LOST, own_cluster=WRITER)
    assert watch.stage is Stage.VERIFYING
    assert watch.state.incident is not None
    assert watch.state.incident.path is Path.REGION


def test_a_promotion_by_hand_is_adopted_and_a_wrong_sign_of_one_dropped() -> None:
    """An armed reader that writes without an intent was promoted by a person."""
    watch = armed()
    decision = watch.run(own_cluster=WRITER)
    assert decision.actions[0] == Verify()
    assert (watch.stage, watch.pages[-1]) == (Stage.VERIFYING, "adopted")
    # What AWS reported before, and when it was called, is found as well.
    called_at = watch.minute - 1 - 15
    assert watch.state.incident == Incident(watch.minute, None, -1, called=called_at)
    assert Verify() in watch.run(own_cluster=None).actions
    watch.run()
    assert (watch.stage, watch.state.incident) == (Stage.WATCHING, None)
    watch.run(own_cluster=WRITER)
    decision = watch.outcome(Verify(), Verified(True, WEST))
    assert decision.reason == "us-west-2 writes, epoch 2; at most unknown of writes lost"


def test_a_promotion_by_hand_that_fenced_nobody_is_split() -> None:
    """H20: RDS-EVENT-0391 came before the run that found the promotion; found by the simulator. The
    first run of all that finds a writer has no run before it."""
    watch = armed()
    fenced_nobody = (Event("RDS-EVENT-0391", watch.minute - 3),)
    watch.run(own_cluster=WRITER, events=fenced_nobody)
    watch.run(own_cluster=WRITER, events=fenced_nobody)
    assert watch.state.incident is not None
    assert watch.state.incident.split
    assert "split" in watch.pages
    first = armed()
    first.state = replace(first.state, last_read=None)
    first.run(own_cluster=WRITER)
    assert first.state.incident == Incident(first.minute, None, -1, called=first.minute - 15)


def test_a_planned_switchover_is_left_to_its_command() -> None:
    """H16: while its hold lasts nothing is adopted."""
    watch = armed()
    watch.state = replace(watch.state, hold=Hold("switchover", 0, watch.minute + 3))
    assert watch.run(own_cluster=WRITER).reason == "this region writes during switchover"
    assert (watch.stage, watch.state.incident) == (Stage.WATCHING, None)
    watch.run(2, own_cluster=WRITER)
    assert watch.stage is Stage.VERIFYING


def test_a_writers_own_controller_guards_nothing() -> None:
    """recovery.md 2: armed where the reader is; a throttled status doesn't arm a writer."""
    watch = Watch(SETTINGS)
    assert watch.run(3, own_cluster=WRITER).reason.startswith("this region writes")
    watch.run(3, own_cluster=None)
    assert not watch.state.armed
    assert watch.stage is Stage.WATCHING
    watch.run(2, own_cluster=WRITER, **REGION_LOST)
    assert (watch.stage, watch.state.incident_runs) == (Stage.WATCHING, 0)


def test_arming() -> None:
    """Connected, changed in this epoch, the same epoch: all three; an incident doesn't disarm."""
    apart = replace(MEMBER, own_connected=False)
    for seen in (apart, replace(MEMBER, own_member=False)):
        watch = Watch()
        watch.run(5, global_cluster=seen)
        assert not watch.state.armed
    still = Watch()
    still.run(5, silent=True)
    assert not still.state.armed
    watch = armed()
    watch.run(global_cluster=None)
    assert watch.state.armed
    watch.run(global_cluster=apart)
    assert not watch.state.armed
    lost = armed()
    lost.run(**REGION_LOST, global_cluster=apart)
    assert lost.state.armed
    lost.run(own_cluster=WRITER, **REGION_LOST)
    assert lost.state.armed
    lost = armed()
    lost.run(reader=Reader(1, 1, 1, 1, 2))
    assert not lost.state.armed


@pytest.mark.no_cover
def test_an_unprotected_standby_is_paged_once_a_day() -> None:
    """recovery.md 2: a page a day; at once again where a loss is proven meanwhile."""
    watch = Watch()
    watch.epoch = 9
    watch.run(4)
    assert (watch.pages, watch.stage) == ([], Stage.UNPROTECTED)
    watch.run(60)
    assert watch.pages == ["unprotected"]
    watch.run(1440)
    assert watch.pages == ["unprotected"] * 2
    watch.run(4, **REGION_LOST)
    assert "is_armed" in watch.pages[-1]
    watch.run(own_cluster=None)
    assert watch.stage is Stage.HELD


def test_watching_suspecting_and_seeing_again() -> None:
    """Each sign begins or ends a suspicion; blindness ends with sight."""
    watch = armed()
    watch.run(peer_application=DEAD)
    assert watch.stage is Stage.SUSPECT
    watch.run()
    assert (watch.stage, watch.state.reason) == (Stage.WATCHING, "the other region lives")
    watch.run(writer_sql=DEAD, silent=True)
    assert watch.stage is Stage.SUSPECT
    watch.run(writer_sql=DEAD, silent=True)
    assert watch.stage is Stage.SUSPECT
    watch.run(writer_sql=DEAD, silent=True)
    assert watch.stage is Stage.HELD
    watch.run(own_load_balancer=DEAD)
    assert (watch.stage, watch.pages[-1]) == (Stage.BLIND, "blind")
    assert watch.state.last_minute == watch.minute - 1
    watch.run(own_reader=DEAD, reader=None)
    assert watch.stage is Stage.BLIND
    watch.run()
    assert watch.stage is Stage.WATCHING


def test_a_held_promotion_pages_when_it_lasts_and_when_its_reasons_change() -> None:
    """The first held run of a loss waits for the reader's silence; each new reason pages anew."""
    watch = armed(mode=Mode.NOTIFY)
    watch.run(3, **REGION_LOST)
    assert (watch.stage, watch.pages) == (Stage.HELD, [])
    watch.run(60, **REGION_LOST)
    assert watch.pages == ["held:mode_is_automatic"]
    watch.run(**REGION_LOST)
    assert watch.pages == ["held:mode_is_automatic"] * 2
    watch.run(**REGION_LOST, own_cluster=None)
    assert watch.pages[-1] == "held:mode_is_automatic,own_cluster_is_available"


def test_the_database_path_is_chosen_where_it_alone_promotes() -> None:
    """Both paths may be proven; the one without a refusal is taken."""
    watch = armed()
    watch.state = replace(watch.state, hold=Hold("deploy", 0, watch.minute + 99))
    both = {**DATABASE_LOST, "peer_application": DEAD, "witness": "secondary"}
    watch.run(3, **{**both, "witness": REGION_LOST["witness"]})
    assert watch.state.intent is not None
    assert watch.state.intent.path is Path.REGION


def test_what_is_owed_is_repeated_until_it_is_recorded() -> None:
    """Epoch and snapshot are retried in each run; an epoch that the reader lacks as well."""
    watch = promoted()
    assert watch.run(own_cluster=WRITER).actions[:3] == (
        SetSwitch(Switch.ENGAGED), GrowEpoch(2), CopySnapshot(),
    )  # fmt: skip
    assert watch.stage is Stage.PROMOTED
    watch.outcome(GrowEpoch(2), Done(ok=False))
    watch.outcome(CopySnapshot(), Copied(""))
    watch.outcome(CopySnapshot(), Copied(""))
    assert "snapshot" not in watch.pages
    assert watch.outcome(CopySnapshot(), Copied("")).actions[0] == Send(
        Notice(
            "snapshot",
            "the old volume's snapshot isn't copied: it expires with the old cluster's retention",
            page=True,
        )
    )
    watch.outcome(GrowEpoch(2), Done(ok=True))
    watch.outcome(CopySnapshot(), Copied("arn"))
    owed = watch.run(own_cluster=WRITER, switch=Switch.ENGAGED)
    assert owed.actions == (GrowEpoch(2),)
    watch.epoch = 2
    watch.run(own_cluster=WRITER, switch=Switch.ENGAGED)
    assert watch.stage is Stage.READY
    assert watch.state.incident is not None
    assert (watch.state.incident.snapshot, watch.state.incident.snapshot_failures) == ("arn", 3)


def test_rebuilding_ends_when_the_lost_member_is_connected() -> None:
    """READY follows Describe both ways, and an unknown answer changes nothing."""
    watch = settled()
    apart = replace(MEMBER, peer_connected=False)
    seen = {"own_cluster": WRITER, "switch": Switch.ENGAGED}
    for answer, stage in (
        (apart, Stage.REBUILDING),
        (None, Stage.REBUILDING),
        (replace(MEMBER, failover_state="pending"), Stage.REBUILDING),
        (MEMBER, Stage.READY),
        (None, Stage.READY),
        (apart, Stage.REBUILDING),
    ):
        assert watch.run(**seen, global_cluster=answer).reason == stage.value
        assert watch.stage is stage


def test_an_unacknowledged_promotion_is_remembered_once_a_day() -> None:
    """Re-arming waits for a person, who is asked daily; not any more afterwards."""
    watch = settled()
    watch.run(1441, own_cluster=WRITER)
    assert watch.pages.count("acknowledge") == 2
    watch.state = commands.acknowledge(watch.state, 2)
    watch.run(1441, own_cluster=WRITER)
    assert watch.pages.count("acknowledge") == 2


def test_failing_back_ends_where_the_own_reader_carries_the_next_epoch() -> None:
    """The command leads; the region then watches again, in the new epoch, armed by itself."""
    watch = settled()
    watch.state = commands.fail_back(commands.acknowledge(watch.state, 2))
    assert watch.run(own_cluster=WRITER).reason == "failing-back: a command leads"
    watch.run()
    assert watch.stage is Stage.FAILING_BACK
    watch.epoch = 3
    watch.run(own_cluster=None)
    watch.run(reader=None)
    assert watch.stage is Stage.FAILING_BACK
    assert watch.run().reason == "failed back: watching"
    assert (watch.state.epoch, watch.state.incident) == (3, None)
    watch.run(3)
    assert watch.state.armed
    assert calls(watch.run(3, **REGION_LOST))


def test_failing_back_without_an_acknowledgement_keeps_the_incident() -> None:
    """H8: nothing promotes a second time before a person has looked."""
    watch = settled()
    watch.state = commands.fail_back(watch.state)
    watch.epoch = 3
    watch.run()
    assert watch.state.incident is not None
    watch.run(3)
    assert not calls(watch.run(5, **REGION_LOST))


def test_a_promoted_region_that_is_lost_and_comes_back_is_unprotected() -> None:
    """H34, mirrored: its epoch is the old one, so that it isn't armed."""
    watch = settled()
    watch.state = commands.acknowledge(watch.state, 2)
    watch.run(own_cluster=WRITER)
    watch.epoch = 3
    watch.run(5)
    assert (watch.stage, watch.state.epoch, watch.state.armed) == (Stage.UNPROTECTED, 2, False)
    assert watch.state.incident is None
    assert not calls(watch.run(5, **REGION_LOST))


def test_a_stage_without_its_incident_waits_for_a_command() -> None:
    """An item that somebody has mended by hand does nothing by itself."""
    watch = Watch(state=State(stage=Stage.READY, epoch=1))
    decision = watch.run(own_cluster=WRITER)
    assert (decision.actions, decision.reason) == ((), "ready: a command leads")


def test_a_split_that_was_reconciled_stays_so() -> None:
    """H20: the same event isn't news; commits of the old writer are."""
    watch = settled()
    event = (Event("RDS-EVENT-0391", watch.minute),)
    early = (Event("RDS-EVENT-0391", 1),)
    watch.run(own_cluster=WRITER, switch=Switch.ENGAGED, events=early)
    assert watch.stage is Stage.READY
    watch.run(own_cluster=WRITER, switch=Switch.ENGAGED, events=event)
    assert watch.stage is Stage.SPLIT
    watch.state = commands.reconciled(watch.state, Tail.RECONCILED)
    watch.state = commands.acknowledge(watch.state, 2)
    watch.run(own_cluster=WRITER, switch=Switch.ENGAGED, events=event)
    assert watch.stage is Stage.READY
    watch.run(own_cluster=WRITER, switch=Switch.ENGAGED, old_writer=ALIVE)
    assert watch.stage is Stage.SPLIT
    assert watch.state.incident is not None
    assert watch.state.incident.tail is Tail.OPEN


def test_a_fence_that_times_out_during_the_promotion_is_remembered() -> None:
    """H20: the event comes before the promotion is proven; the old writer's commits may not."""
    watch = called()
    watch.run(old_writer=ALIVE, **REGION_LOST)
    assert watch.state.incident is not None
    assert not watch.state.incident.split
    watch.run(events=(Event("RDS-EVENT-0391", watch.minute),), **REGION_LOST)
    assert watch.stage is Stage.CALLED
    assert watch.state.incident.split
    watch.run(own_cluster=WRITER, **REGION_LOST)
    watch.outcome(Verify(), Verified(True, WEST))
    watch.run(own_cluster=WRITER)
    assert watch.stage is Stage.SPLIT
    assert watch.pages.count("split") == 1


def test_outcomes_without_their_subject_change_nothing() -> None:
    """A person has mended the item between an action and its outcome."""
    state = State()
    for action, outcome in (
        (CallFailover(), Called(Answer.ACCEPTED, "id")),
        (Verify(), Verified(True, WEST)),
        (CopySnapshot(), Copied("arn")),
        (CopySnapshot(), Copied("")),
        (GrowEpoch(2), Done(ok=True)),
        (SetSwitch(Switch.ENGAGED), Done(ok=True)),
        (SetSwitch(Switch.ENGAGED), Done(ok=False)),
    ):
        decision = recorded(state, action, outcome, SETTINGS, 5)
        assert (decision.state, decision.actions) == (state, ())


def test_a_notice_stays_pending_until_it_was_delivered() -> None:
    """A run that is killed between storing and sending loses none."""
    notice, other = Notice("a", "x", page=True), Notice("b", "x", page=True)
    state = State(pending=(notice, other))
    failed = recorded(state, Send(notice), Done(ok=False), SETTINGS, 5)
    assert failed.state == state
    delivered = recorded(state, Send(notice), Done(ok=True), SETTINGS, 5)
    assert delivered.state.pending == (other,)
    watch = Watch(state=State(pending=(notice,)))
    assert watch.run().actions == (Send(notice),)


def test_pages_of_a_proven_promotion() -> None:
    """Notify: the region, its epoch and the bound of what is lost."""
    watch = called()
    watch.run(own_cluster=WRITER, **REGION_LOST)
    decision = watch.outcome(Verify(), Verified(True, WEST))
    assert decision.reason == "us-west-2 writes, epoch 2; at most 61 s of writes lost"
    assert decision.actions[2] == Send(Notice("promoted", decision.reason, page=True))
    assert watch.state.incident is not None
    assert watch.state.incident.promoted == watch.minute
    assert not watch.state.armed


def test_an_unproven_promotion_says_what_fails() -> None:
    """H22: writing and leading are distinguished; the third failure pages."""
    watch = called()
    watch.run(own_cluster=WRITER, **REGION_LOST)
    said = watch.outcome(Verify(), Verified(False, "", "25006")).reason
    assert said == (
        "promoted, not recovered: writes fail (25006), the global endpoint leads to nowhere"
    )
    said = watch.outcome(Verify(), Verified(True, HOME)).reason
    assert said.endswith("writes work, the global endpoint leads to us-east-1")
    assert "unverified" not in watch.pages
    watch.outcome(Verify(), Verified(False, WEST))
    assert "unverified" in watch.pages
    assert watch.state.incident is not None
    assert watch.state.incident.verify_failures == 3


def test_writers_say_so_even_when_describe_does_not() -> None:
    """A global answer that names no writer here doesn't stop a promotion that is done."""
    watch = called()
    stale = GlobalCluster(True, False, True, True, "failing-over")
    watch.run(own_cluster=WRITER, global_cluster=stale, **REGION_LOST)
    assert watch.stage is Stage.VERIFYING


@pytest.mark.parametrize(
    ("runs", "since"),
    [
        ([], None),
        ([(DEAD, True)], 1),
        ([(DEAD, True), (DEAD, True)], 1),
        ([(DEAD, False)], None),
        ([(ALIVE, True)], None),
        ([(UNKNOWN, True)], None),
        ([(DEAD, True), (UNKNOWN, True)], 1),
        ([(DEAD, True), (ALIVE, True)], None),
        ([(DEAD, True), (DEAD, False)], None),
        ([(DEAD, True), (ALIVE, True), (DEAD, True)], 3),
    ],
)
def test_since_when_the_writer_is_silent(
    runs: list[tuple[Signal, bool]], since: int | None
) -> None:
    """Dead SQL and a still reader begin it, either's life ends it, what is unknown leaves it."""
    watch = armed()
    start = watch.minute
    for sql, silent in runs:
        watch.run(writer_sql=sql, silent=silent)
    assert watch.state.silent_since == (None if since is None else start + since)
