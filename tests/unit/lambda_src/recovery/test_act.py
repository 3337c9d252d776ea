"""``act``: one run in the simulated world, killed, overlapped, refused and frozen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulator.faults import DATABASE, REGION
from simulator.play import SETTLED, Timeline, play, sides
from simulator.ports import Side
from simulator.truth import EAST, WEST, Truth

from recovery import journal
from recovery.act import LEASE_SECONDS, Run, ordered, run
from recovery.decide import decide
from recovery.model import Lease, Stage, State
from recovery.observation import Trigger


def world() -> tuple[Truth, Side]:
    """A healthy world and its standby's side."""
    truth = Truth()
    return truth, sides(truth, json=True)[WEST]


def test_a_quiet_run_stores_its_memory_and_gives_the_lease_back() -> None:
    """Two writes: the lease, and what was seen; nobody is called."""
    truth, side = world()
    said = run(side.ports(), SETTLED, Run("a", truth.minute))
    assert said.startswith("unprotected: ")
    assert (side.state.version, side.state.lease, side.state.runs) == (3, None, 1)
    assert side.pages == []


def test_what_is_measured_depends_on_who_guards() -> None:
    """names.md: each run beats; the lag (milliseconds) is written where the controller is armed."""
    truth, side = world()
    for _ in range(4):
        run(side.ports(), SETTLED, Run("a", truth.minute))
        truth.advance(60)
    assert side.state.armed
    names = [name for name, _ in side.measured]
    assert names.count("ControllerHeartbeat") == 4
    assert side.state.reader is not None
    assert side.measured[-1] == ("ReplicationLag", side.state.reader.lag_seconds * 1000)
    assert names.index("ReplicationLag") > 1, "unarmed at first"


def test_a_leased_item_is_left_alone_until_the_lease_is_over() -> None:
    """H9: another run may be at work for 50 s; a lease of a wrong clock holds nobody up."""
    for ends, allowed in ((1, False), (50, False), (0, True), (-5, True), (51, True)):
        truth, side = world()
        side.state = State(lease=Lease("other", truth.now + ends))
        said = run(side.ports(), SETTLED, Run("a", truth.minute))
        assert (said == "another run holds the lease: nothing done") is not allowed
        assert (side.state.runs == 1) is allowed


def test_a_run_that_loses_the_race_for_the_version_does_nothing() -> None:
    """H9: the conditional write decides, whatever the clocks say."""
    truth, side = world()

    def overtaken() -> None:
        side.state = replace(side.state, version=side.state.version + 1)

    side.between["after observe"] = overtaken
    assert run(side.ports(), SETTLED, Run("a", truth.minute)) == "another run acts: nothing done"
    assert side.state.runs == 0


def test_a_persons_order_that_loses_the_race_does_nothing() -> None:
    """H9: an order is one run among others, and what they decided stands."""
    truth, side = world()

    def overtaken() -> None:
        side.state = replace(side.state, version=side.state.version + 1)

    side.between["after observe"] = overtaken
    assert ordered(side.ports(), SETTLED, Run("a", truth.minute), decide) is None
    assert side.state.runs == 0


def test_a_manual_run_counts_nothing() -> None:
    """H31: the trigger comes from the event, not from the observation."""
    truth, side = world()
    run(side.ports(), SETTLED, Run("a", truth.minute, Trigger.MANUAL))
    assert side.state.runs == 0


@pytest.mark.parametrize("disaster", [REGION, DATABASE])
def test_the_journal_of_a_promotion_holds_its_steps(disaster: str) -> None:
    """Decision before outcome, in order, from the suspicion to the copied snapshot."""
    played = play(Timeline(disaster), json=True)
    bodies = [body for _, _, body in played.west.journal]
    actions = [body["action"]["name"] for body in bodies if "action" in body]
    assert [name for name in actions if name not in {"SetSwitch", "Send"}] == [
        "CallFailover", "Verify", "GrowEpoch", "CopySnapshot",
    ]  # fmt: skip
    sent = [
        body["action"]["notice"]["key"]
        for body in bodies
        if "action" in body and body["action"]["name"] == "Send"
    ]
    assert {"promoting", "promoted"} <= set(sent), "notices are in the journal, each once"
    assert len(sent) == len(set(sent))
    stages = [body["stage"] for body in bodies if "stage" in body]
    for stage in ("suspect", "intent", "promoting", "verifying", "ready", "rebuilding"):
        assert stage in stages or stage in {"ready", "rebuilding"}
    entries: list[journal.Entry] = []
    for minute, kind, body in played.west.journal:
        entries.append(journal.link(entries[-1] if entries else None, minute, kind, body))
    assert journal.broken(entries) == ""


def test_stored_as_json_the_same_happens() -> None:
    """The codec changes no decision."""
    for disaster in (REGION, DATABASE):
        through, directly = play(Timeline(disaster), json=True), play(Timeline(disaster))
        assert through.west.state == directly.west.state
        assert through.recovered == directly.recovered


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        ("journal fails", "journal"),
        ("parameters fail", ""),
        ("epoch fails", ""),
        ("topic fails", ""),
    ],
)
def test_a_side_effect_that_fails_stops_no_recovery(fault: str, key: str) -> None:
    """Journal, switch, epoch and topic are retried or reported; writes come back in time."""
    played = play(Timeline(REGION, ((fault, 3),)))
    assert not played.missed
    assert played.wrong == []
    assert key in [key for _, key in played.west.pages] or key == ""
    if fault == "parameters fail":
        assert played.truth.switch == "engaged"


def test_a_page_that_could_not_be_sent_is_sent_later() -> None:
    """The topic failed for five minutes: the same notice goes out afterwards, once."""
    played = play(Timeline(REGION, (("topic fails", 12),)))
    keys = [key for _, key in played.west.pages]
    assert keys.count("promoted") <= 1
    assert not played.missed


@pytest.mark.parametrize("fault", ["snapshot fails", "snapshot absent"])
def test_a_snapshot_that_fails_or_was_never_made(fault: str) -> None:
    """recovery.md 1.4 and 5: paged, or recorded as absent; recovery isn't delayed."""
    played = play(Timeline(REGION, ((fault, 0),)))
    assert not played.missed
    incident = played.west.state.incident
    assert incident is not None
    assert incident.snapshot == ("absent" if fault == "snapshot absent" else "")
    if fault == "snapshot fails":
        assert "snapshot" in [key for _, key in played.west.pages]


def test_sight_that_is_older_than_half_a_minute_is_never_acted_on() -> None:
    """H18: frozen between the stored intent and the call: no call in this run, one in the next."""
    truth, side = world()
    before = truth.now
    for _ in range(3):
        run(side.ports(), SETTLED, Run("w", truth.minute))
        truth.advance(60)
    truth.on.add(f"{EAST} lost")
    truth.advance(60)
    while side.state.stage is not Stage.INTENT:
        # The freeze comes after the intent was stored and before the call.
        side.between["after save intent"] = lambda: truth.advance(LEASE_SECONDS)
        minute = truth.minute
        run(side.ports(), SETTLED, Run("x", minute))
        side.between.clear()
        truth.advance(60 - truth.now % 60)
    assert truth.accepted == []
    assert side.state.intent is not None
    assert side.state.intent.detail == "the observation became too old"
    run(side.ports(), SETTLED, Run("y", truth.minute))
    assert len(truth.accepted) == 1
    assert truth.now > before
