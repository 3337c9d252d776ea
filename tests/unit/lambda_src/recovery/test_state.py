"""Codec, journal, modes' texts and commands."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watch import SETTINGS, Watch

from recovery import commands, journal
from recovery.codec import CodecError, from_json, to_json
from recovery.mode import effective_mode, resilient
from recovery.model import (
    Action,
    CallFailover,
    Copied,
    CopySnapshot,
    Decision,
    Drill,
    Force,
    Freeze,
    GlobalSeen,
    GrowEpoch,
    Hold,
    Incident,
    Intent,
    LastGood,
    Lease,
    Mode,
    Notice,
    Seen,
    Send,
    Sent,
    SetSwitch,
    Stage,
    State,
    Streak,
    Tail,
)
from recovery.observation import Observation, Reader, Switch, Validation

numbers = st.integers(0, 10_000)


def of(kind: type) -> st.SearchStrategy[Any]:
    """Any value of a class of the model."""
    return st.from_type(kind)


states = st.builds(
    State,
    stage=of(Stage),
    mode=of(Mode),
    freeze=st.none() | of(Freeze),
    hold=st.none() | of(Hold),
    force=st.none() | of(Force),
    drill=st.none() | of(Drill),
    lease=st.none() | st.builds(Lease, st.text(), st.floats(0, 1e10)),
    last_minute=st.none() | numbers,
    history=st.lists(of(Seen), max_size=5).map(tuple),
    reader=st.none() | of(Reader),
    last_good=st.none() | of(LastGood),
    global_seen=st.none() | of(GlobalSeen),
    validation=st.none() | of(Validation),
    unknown=st.lists(of(Streak), max_size=2).map(tuple),
    intent=st.none() | of(Intent),
    incident=st.none() | of(Incident),
    pending=st.lists(of(Notice), max_size=2).map(tuple),
    raised=st.lists(of(Sent), max_size=2).map(tuple),
)


@pytest.mark.no_cover
@settings(deadline=None)
@given(states)
def test_a_state_survives_json_without_loss(state: State) -> None:
    """recovery.md 3, "Stored": what is read back is what was stored."""
    assert from_json(State, json.loads(json.dumps(to_json(state)))) == state


def test_an_observation_survives_json_without_loss() -> None:
    """The journal's observations can be read back."""
    seen = Watch().observation(reader=None)
    assert from_json(Observation, json.loads(json.dumps(to_json(seen)))) == seen


def test_an_older_item_gets_defaults_and_whole_numbers_become_seconds() -> None:
    """A field that an older release didn't store has its default."""
    assert from_json(State, {"epoch": 3}) == State(epoch=3)
    assert from_json(Lease, {"run": "a", "until": 5}) == Lease("a", 5.0)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"later": 1}, "unknown or missing in State: later"),
        ([], "State: the fields of State are expected"),
        ({"epoch": "1"}, "State.epoch: int is expected, not '1'"),
        ({"epoch": True}, "State.epoch: int is expected, not True"),
        ({"stage": "asleep"}, "State.stage: 'asleep' is no Stage"),
        ({"history": {}}, "State.history: a list is expected"),
        ({"hold": {"reason": "x", "since": 1}}, "State.hold: unknown or missing in Hold: until"),
        ({"pending": [{"key": 1}]}, r"State.pending\[0\]: unknown or missing in Notice"),
    ],
)
def test_an_item_that_is_not_ours_is_refused_by_name(data: Any, said: str) -> None:
    """A release that doesn't understand its item must not act on it."""
    with pytest.raises(CodecError, match=said):
        from_json(State, data)


def chain(length: int) -> list[journal.Entry]:
    """A journal of some entries."""
    entries: list[journal.Entry] = []
    for number in range(length):
        entries.append(journal.link(entries[-1] if entries else None, number, "k", {"n": number}))
    return entries


def test_a_journal_that_was_only_appended_to_is_whole() -> None:
    """Numbers rise from 1, and each entry names the hash of the one before."""
    entries = chain(4)
    assert journal.broken(entries) == ""
    assert [entry.number for entry in entries] == [1, 2, 3, 4]
    assert entries[0].previous == journal.GENESIS
    assert entries[1].body == '{"n":1}'
    assert journal.broken([]) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: [e[0], e[2], e[3]], "entry 2 is missing: 3 follows"),
        (lambda e: e[1:], "entry 1 is missing: 2 follows"),
        (lambda e: [e[0], replace(e[1], body="{}"), *e[2:]], "entry 2 was changed"),
        (lambda e: [e[0], replace(e[1], minute=9), *e[2:]], "entry 2 was changed"),
        (lambda e: [e[0], replace(e[1], kind="x"), *e[2:]], "entry 2 was changed"),
        (lambda e: [e[0], replace(e[1], previous="0"), *e[2:]], "entry 2 doesn't follow"),
        (lambda e: [*e[:2], journal.link(e[0], 2, "k", {})], "entry 3 is missing: 2 follows"),
    ],
)
def test_a_journal_that_was_tampered_with_says_where(change: Any, said: str) -> None:
    """Taking out, changing or exchanging one entry shows."""
    assert said in journal.broken(change(chain(4)))


def test_a_rewritten_entry_breaks_the_next_one() -> None:
    """A changed entry with a hash of its own is caught by its successor."""
    entries = chain(3)
    entries[1] = journal.link(entries[0], 1, "k", {"n": "other"})
    assert journal.broken(entries) == "entry 3 doesn't follow the one before it"


def test_what_the_journal_says_of_a_run() -> None:
    """A decision's entry holds what was seen, the reason and each action with its arguments."""
    seen = Watch().observation()
    actions: tuple[Action, ...] = (CallFailover(), SetSwitch(Switch.ENGAGED))
    decision = Decision(State(stage=Stage.INTENT, epoch=4), actions, "why")
    body = journal.decision_body(seen, decision)
    assert body["actions"] == [
        {"name": "CallFailover"}, {"name": "SetSwitch", "position": "engaged"},
    ]  # fmt: skip
    assert (body["stage"], body["epoch"], body["reason"]) == ("intent", 4, "why")
    assert body["observation"]["minute"] == 1000
    outcome = journal.outcome_body(CopySnapshot(), Copied("absent"))
    assert outcome == {"action": {"name": "CopySnapshot"}, "outcome": {"snapshot": "absent"}}
    assert journal.describe(GrowEpoch(2)) == {"name": "GrowEpoch", "epoch": 2}


def test_a_run_is_entered_when_it_acts_or_changes_its_mind() -> None:
    """An uneventful minute leaves no entry."""
    before = State(reason="x")
    assert not journal.changed(before, Decision(replace(before, runs=9), (), "x"))
    assert journal.changed(before, Decision(before, (CallFailover(),), "x"))
    assert journal.changed(before, Decision(replace(before, reason="y"), (), "y"))
    assert journal.changed(before, Decision(replace(before, stage=Stage.HELD), (), "x"))


@pytest.mark.parametrize(
    ("version", "able"),
    [
        ("16.6", True), ("16.5", False), ("16.10", True), ("15.10", True), ("15.9", False),
        ("14.15", True), ("14.14", False), ("13.18", True), ("13.17", False), ("12.22", False),
        ("17.1", True), ("18.0.1", True), ("16.6.2", True), ("16", False), ("", False),
        ("16.x", False), ("x.6", False),
    ],
)  # fmt: skip
def test_versions_whose_readers_survive_a_disruption(version: str, able: bool) -> None:
    """recovery.md 3: at least 14.15, 15.10 or 16.6, compared by number."""
    assert resilient(version) is able


def test_a_lower_mode_says_why() -> None:
    """``status`` shows each reason that is missing, or who ordered it."""
    valid = Validation(1000, False, True, False, False, "16.1", reasons=("lag", "key"))
    state = State(validation=valid)
    assert effective_mode(state, SETTINGS, 1001).reasons == (
        "readiness 0: lag, key",
        "the witness couldn't be read",
        "engine version 16.1 restarts secondary readers",
        "no confirmed subscription on the topic",
    )
    unsaid = State(validation=replace(valid, reasons=()))
    assert "readiness 0: no reason given" in effective_mode(unsaid, SETTINGS, 1001).reasons
    none = effective_mode(State(), SETTINGS, 1001)
    assert (none.mode, none.reasons) == (Mode.NOTIFY, ("no validation of the last 24 hours",))
    ordered = effective_mode(State(mode=Mode.OBSERVE), SETTINGS, 1001)
    assert (ordered.mode, ordered.reasons) == (Mode.OBSERVE, ("observe by command",))
    configured = effective_mode(State(), replace(SETTINGS, mode=Mode.NOTIFY), 1001)
    assert configured.reasons == ("notify by configuration",)
    prod = replace(SETTINGS, environment="prod")
    healthy = replace(valid, ready=True, witness_readable=True, subscription_confirmed=True)
    state = State(validation=replace(healthy, engine_version="16.8"))
    assert effective_mode(state, prod, 1001).reasons == (
        "no drill passed in the last 90 days",
        "global:acceptedBy names no data owner",
    )
    assert effective_mode(state, SETTINGS, 1001).mode is Mode.AUTOMATIC


def test_freeze_and_thaw() -> None:
    """A freeze wants a reason, lasts a day, and ends by command."""
    with pytest.raises(commands.RefusedError, match="freeze: a reason is needed"):
        commands.freeze(State(), 1, "ada", " ")
    frozen = commands.freeze(State(), 10, "ada", "maintenance")
    assert frozen.freeze == Freeze("maintenance", "ada", 10, 1450)
    assert commands.thaw(frozen) == commands.thaw(State()) == State()


@pytest.mark.parametrize(
    ("at", "minutes", "until"), [(10, 60, 60), (59, 60, 60), (10, 5, 15), (60, 60, 120)]
)
def test_a_hold_is_never_carried_beyond_its_first_hour(at: int, minutes: int, until: int) -> None:
    """recovery.md 3: it can't be renewed beyond 60 min; after its end it is a new one."""
    first = commands.hold(State(), 0, 60, "deploy")
    again = commands.hold(first, at, minutes, "deploy")
    assert again.hold is not None
    assert again.hold.until == until
    assert again.hold.since == (60 if at == 60 else 0)
    assert commands.release(again).hold is None


@pytest.mark.parametrize("minutes", [-1, 0, 61])
def test_a_hold_of_no_or_too_many_minutes_is_refused(minutes: int) -> None:
    """Bad input, one line, nothing touched."""
    with pytest.raises(commands.RefusedError, match=f"1 to 60 minutes are allowed, not {minutes}"):
        commands.hold(State(), 0, minutes, "deploy")


def test_a_force_ends_after_a_quarter_of_an_hour() -> None:
    """An order that nobody carried out isn't carried out next week."""
    forced = commands.force(State(), 10, "ada", "loss accepted")
    assert forced.force == Force("loss accepted", "ada", 25)


def test_both_items_are_settled_to_the_stricter() -> None:
    """A table that a command couldn't reach is settled by the next one."""
    own = commands.lower(State(hold=Hold("a", 0, 5)), Mode.NOTIFY)
    peer = State(mode=Mode.OBSERVE, freeze=Freeze("x", "ada", 0, 9), hold=Hold("b", 0, 7))
    assert commands.settled(own, peer) == State(
        mode=Mode.OBSERVE, freeze=Freeze("x", "ada", 0, 9), hold=Hold("b", 0, 7)
    )
    assert commands.settled(State(), State()) == State()


def test_acknowledging() -> None:
    """Each item gets the larger epoch; only the promoted region keeps its incident."""
    incident = Incident(1, None, 5, promoted=3, tail=Tail.ACCEPTED, split=True)
    promoted = State(stage=Stage.SPLIT, epoch=2, incident=incident)
    seen = commands.acknowledge(promoted, 2)
    assert seen.stage is Stage.REBUILDING
    assert seen.incident == replace(incident, split=False, acknowledged=True)
    ready = commands.acknowledge(replace(promoted, stage=Stage.READY), 3)
    assert (ready.stage, ready.epoch) == (Stage.READY, 3)
    # The other region was promoted since; this one's own controller may not have seen it yet.
    assert commands.acknowledge(seen, 3) == State(stage=Stage.WATCHING, epoch=3)
    failed = State(
        stage=Stage.FAILED, epoch=2, armed=True, incident=Incident(1, None, -1),
        application_since=4, reader=Reader(1, 1, 1, 1, 1),
    )  # fmt: skip
    assert commands.acknowledge(failed, 1) == State(stage=Stage.WATCHING, epoch=2)
    assert commands.nothing_to_acknowledge(State(), seen) is False
    assert commands.nothing_to_acknowledge(State(epoch=2), replace(seen, stage=Stage.READY))
    assert not commands.nothing_to_acknowledge(State(epoch=2), promoted)
    assert not commands.nothing_to_acknowledge(State(stage=Stage.FAILED), State())
    assert commands.nothing_to_acknowledge(State(), State())


def test_reconciling_and_failing_back() -> None:
    """Reconciling wants an incident; failing back is a stage that a command leads."""
    with pytest.raises(commands.RefusedError, match="there was no promotion"):
        commands.reconciled(State(), Tail.RECONCILED)
    done = commands.reconciled(State(incident=Incident(1, None, 1)), Tail.RECONCILED)
    assert done.incident is not None
    assert done.incident.tail is Tail.RECONCILED
    assert commands.fail_back(done).stage is Stage.FAILING_BACK


def test_a_notice_is_json_as_well() -> None:
    """Actions are described with all that they carry."""
    described = journal.describe(Send(Notice("k", "text", page=True)))
    assert described == {"name": "Send", "notice": {"key": "k", "text": "text", "page": True}}
