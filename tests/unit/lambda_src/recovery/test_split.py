"""Two writers are proven and paged in every stage; a planned switchover never looks like them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from simulator.faults import NOTHING
from simulator.play import Timeline, play
from simulator.random_timelines import harms
from watch import REGION_LOST, WRITER, Watch, armed

from recovery import commands, split
from recovery.model import Freeze, Hold, Incident, Mode, Stage, State, Tail, Verified, Verify
from recovery.observation import ALIVE, DEAD, READS, UNKNOWN, Event, Signal

BOTH: dict[str, Any] = {"own_writer": ALIVE, "old_writer": ALIVE}
HEALTHY: dict[str, Any] = {"own_writer": READS, "old_writer": ALIVE}
FENCE = "RDS-EVENT-0391"


def held(minutes: int = 60) -> Watch:
    """An armed standby beside a deployment that announced itself just now."""
    watch = armed()
    watch.run(2, **HEALTHY)
    watch.state = replace(watch.state, hold=Hold("deploy", watch.minute, watch.minute + minutes))
    watch.run(**HEALTHY)
    return watch


def test_h20_two_writers_during_a_hold_are_adopted_and_split() -> None:
    """H20: both clusters take writes in two runs, as in no switchover: the hold counts no more."""
    watch = held()
    first = watch.run(own_cluster=WRITER, **BOTH)
    assert first.reason == "this region writes during deploy"
    assert watch.pages == []
    second = watch.run(own_cluster=WRITER, **BOTH)
    assert second.actions[0] == Verify()
    assert watch.stage is Stage.VERIFYING
    assert watch.pages == ["split", "adopted"]
    called = watch.minute - 2 - 15
    assert watch.state.incident == Incident(watch.minute, None, -1, called=called, split=True)
    watch.outcome(Verify(), Verified(True, "us-west-2"))
    watch.run(3, own_cluster=WRITER, **BOTH)
    assert watch.stage is Stage.SPLIT
    assert watch.pages.count("split") == 1
    with pytest.raises(commands.RefusedError, match="reconcile first"):
        commands.acknowledge(watch.state, 2)


def test_h20_a_fence_that_times_out_during_a_hold_is_paged_in_the_same_run() -> None:
    """H20: no switchover has RDS-EVENT-0391; the peering may be cut, so that nothing else shows."""
    watch = held()
    event = (Event(FENCE, watch.minute),)
    assert watch.run(events=event, own_writer=READS, old_writer=DEAD).state.incident is None
    decision = watch.run(own_cluster=WRITER, events=event, own_writer=ALIVE, old_writer=DEAD)
    assert (watch.stage, watch.pages) == (Stage.VERIFYING, ["split", "adopted"])
    assert decision.state.incident is not None
    assert decision.state.incident.split


@pytest.mark.parametrize("early", [1, 16])
def test_a_fence_that_timed_out_before_the_hold_is_no_news(early: int) -> None:
    """H16: the failback that follows a split is led by its command, the event being younger than an
    hour; nor is one of an earlier promotion news without a hold."""
    watch = held()
    event = (Event(FENCE, watch.minute - 1 - early),)
    watch.run(3, own_cluster=WRITER, own_writer=ALIVE, old_writer=READS, events=event)
    assert (watch.stage, watch.pages) == (Stage.WATCHING, [])
    free = armed()
    free.run(20, **HEALTHY)
    free.run(own_cluster=WRITER, events=(Event(FENCE, free.minute - 16),))
    assert free.pages == ["adopted"]


SWITCHOVERS: dict[str, tuple[dict[str, Any], ...]] = {
    "seen in its middle": (
        {"own_cluster": WRITER, **BOTH},
        {"own_cluster": WRITER, "own_writer": ALIVE, "old_writer": READS},
    ),
    "slow to restart": (
        {"own_cluster": WRITER, **BOTH},
        {"own_cluster": WRITER, "own_writer": ALIVE, "old_writer": DEAD},
        {"own_cluster": WRITER, "own_writer": ALIVE, "old_writer": UNKNOWN},
        {"own_cluster": WRITER, "own_writer": ALIVE, "old_writer": READS},
    ),
    "there and back": (
        {"own_cluster": WRITER, **BOTH},
        {"own_cluster": WRITER, "own_writer": ALIVE, "old_writer": READS},
        {"own_cluster": WRITER, **BOTH},
        {"own_cluster": WRITER, "own_writer": READS, "old_writer": ALIVE},
    ),
    "described late": (
        {"own_writer": ALIVE, "old_writer": READS},
        {"own_cluster": WRITER, "own_writer": ALIVE, "old_writer": READS},
    ),
}


@pytest.mark.parametrize("sights", SWITCHOVERS.values(), ids=SWITCHOVERS)
def test_a_planned_switchover_never_looks_split(sights: tuple[dict[str, Any], ...]) -> None:
    """H16, H20: roles change between two questions of one run, but not again one run later."""
    watch = held()
    for sight in sights:
        watch.run(**sight)
    assert (watch.pages, watch.state.incident) == ([], None)
    assert watch.stage is Stage.WATCHING


def test_a_region_that_was_switched_back_without_a_command_is_not_split() -> None:
    """H20: by AWS's own switchover the other region writes, and this one answers as a reader."""
    incident = Incident(1000, None, 5, promoted=1003, tail=Tail.ACCEPTED, acknowledged=True)
    state = State(stage=Stage.READY, epoch=2, incident=incident)
    seen = Watch().observation(own_writer=READS, old_writer=ALIVE)
    assert split.noted(state, seen) == state
    for own in (UNKNOWN, DEAD, ALIVE):
        seen = replace(seen, own_writer=own)
        assert split.proof(state, seen) == "still commits"


def test_unanswered_runs_neither_begin_nor_end_two_writers() -> None:
    """H20: a flapping probe costs time, not the proof; an answer as a reader ends it."""
    watch = Watch()
    state = State()
    for own, old, since in (
        (ALIVE, UNKNOWN, None),
        (ALIVE, ALIVE, 1001),
        (UNKNOWN, ALIVE, 1001),
        (ALIVE, Signal(DEAD.value, "timeout"), 1001),
        (ALIVE, ALIVE, 1001),
        (ALIVE, READS, None),
        (READS, ALIVE, None),
    ):
        state = split.remembered(state, watch.observation(own_writer=own, old_writer=old))
        assert state.two_writers_since == since
        watch.minute += 1


@pytest.mark.parametrize(
    "blinding", [{"own_load_balancer": DEAD}, {"own_reader": DEAD, "reader": None}]
)
@pytest.mark.parametrize("signs", [BOTH, {"own_writer": ALIVE, "old_writer": DEAD}])
def test_a_blind_region_that_was_promoted_by_hand_pages_two_writers(
    blinding: dict[str, Any], signs: dict[str, Any]
) -> None:
    """H5, H20: it acts on nothing, and still says so once."""
    watch = armed()
    event = () if signs is BOTH else (Event(FENCE, watch.minute - 3),)
    watch.run(5, own_cluster=WRITER, events=event, **signs, **blinding)
    assert watch.stage is Stage.BLIND
    assert watch.pages.count("split") == 1
    assert watch.state.incident is None
    watch.run(own_cluster=WRITER, events=event, **signs)
    assert watch.state.incident is not None
    assert watch.state.incident.split
    assert watch.pages.count("split") == 1


def test_an_unarmed_region_that_was_promoted_by_hand_pages_two_writers() -> None:
    """H20, H34: nobody else looks; it isn't adopted, since its epoch is unknown."""
    watch = Watch(state=State(epoch=1))
    watch.epoch = 2
    watch.run(6, own_cluster=WRITER, own_writer=ALIVE, old_writer=READS)
    assert watch.pages == []
    watch.run(2, own_cluster=WRITER, **BOTH)
    assert watch.pages == ["split"]
    assert (watch.state.incident, watch.state.armed) == (None, False)


@pytest.mark.parametrize("mode", Mode)
def test_no_mode_and_no_freeze_silences_two_writers(mode: Mode) -> None:
    """H20, H30: observing, notifying and frozen controllers promote nothing, and page this."""
    watch = armed(mode=mode)
    freeze = Freeze("drill", "ops", watch.minute, watch.minute + 99)
    watch.state = replace(watch.state, freeze=freeze)
    watch.run(own_cluster=WRITER, events=(Event(FENCE, watch.minute),), own_writer=ALIVE)
    assert "split" in watch.pages


def test_a_failed_promotion_that_a_person_made_good_pages_two_writers() -> None:
    """H20, H33: Describe may be silent for ever; both clusters answer by SQL."""
    watch = Watch(state=State(stage=Stage.FAILED, armed=True))
    watch.run(3, **REGION_LOST, own_cluster=None, global_cluster=None, **BOTH)
    assert watch.pages.count("split") == 1


def test_a_demoted_region_pages_two_writers_from_its_own_side() -> None:
    """H20: the unfenced cluster's own controller sees both as well."""
    watch = Watch()
    watch.run(3, own_cluster=WRITER, own_writer=ALIVE, old_writer=READS)
    watch.run(2, **BOTH)
    assert watch.pages == ["split"]


def test_a_command_that_leads_is_paged_as_well() -> None:
    """H20, H21: a failback in which both clusters take writes in two runs is none."""
    incident = Incident(1000, None, 5, promoted=1003, tail=Tail.ACCEPTED, acknowledged=True)
    watch = Watch(state=State(stage=Stage.FAILING_BACK, epoch=2, incident=incident))
    watch.epoch = 2
    watch.run(own_cluster=WRITER, **BOTH)
    assert watch.pages == []
    watch.run(own_cluster=WRITER, **BOTH)
    assert watch.pages == ["split"]


def test_a_person_who_promotes_during_a_deploy_is_followed_at_once_where_two_write() -> None:
    """H20: random timeline 21367: the fence failed during a hold, and nobody was paged."""
    assert harms(21367) == []
    faults = (("deploy holds", -3), ("promoted by hand", 1), ("unfenced", 1))
    for more in ((), (("peering cut", 1),), (("events lost", 1),), (("own describe stale", 1),)):
        played = play(Timeline(NOTHING, (*faults, *more)))
        assert played.wrong == [], more
        assert "split" in [key for _, key in played.west.pages]
    fenced = play(Timeline(NOTHING, faults[:2]))
    assert fenced.west.state.stage is Stage.WATCHING
    assert "split" not in [key for _, key in fenced.west.pages]
