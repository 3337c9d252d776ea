"""Samples of what the benches play at length: random timelines and the certificate."""

from __future__ import annotations

import random

import pytest
from simulator import known as known_runs
from simulator import play as playing
from simulator import ports
from simulator.faults import BY_DATABASE, DISASTERS, FAULTS, LOSSES, NOTHING
from simulator.judged import Verdict, judged
from simulator.known import Known
from simulator.play import Played, Timeline, play
from simulator.random_timelines import harms, timeline
from simulator.speed import quick, quick_replace
from simulator.truth import EAST

from recovery import act, codec, journal
from recovery.decide import decide
from recovery.model import Decision, Settings, State
from recovery.observation import Observation

SEEDS = 250
"""``./inv bench recovery_timelines`` plays the million."""
NAMES = [fault.name for fault in FAULTS]


def test_random_timelines_do_no_harm() -> None:
    """Invariants over the truth: no wrong promotion, no second one, none without permission."""
    with quick():
        harmful = {seed: found for seed in range(SEEDS) if (found := harms(seed))}
    assert harmful == {}


def onset(name: str, disaster: str) -> int:
    """A minute around the threshold, always the same one."""
    return random.Random(name + disaster).choice((-3, 0, 1, 2, 3, 4))


def single(name: str, disaster: str) -> Verdict:
    """What becomes of one fault beside one disaster."""
    return judged(Timeline(disaster, ((name, onset(name, disaster)),)))


def test_single_faults_at_the_threshold() -> None:
    """The certificate's singles in a sample: never wrong, never late, or held and paged."""
    with quick():
        found = [
            str(verdict)
            for number, name in enumerate(NAMES)
            if (verdict := single(name, DISASTERS[number % len(DISASTERS)])).failed
        ]
    assert found == []


def test_pairs_of_faults_in_a_sample() -> None:
    """The certificate's pairs in a sample: never wrong; whatever misses the budget was paged."""
    chance = random.Random(18)
    with quick():
        for _ in range(60):
            one, other = chance.sample(NAMES, 2)
            start = chance.choice((-3, 0, 1, 2, 3, 4))
            verdict = judged(Timeline(chance.choice(DISASTERS), ((one, start), (other, start))))
            assert verdict.wrong == (), verdict
            assert verdict.paged or not verdict.missed, verdict


@pytest.mark.parametrize(
    ("one", "other", "start"),
    [
        ("replication cut for good", f"{EAST} bad deploy", -3),
        ("replication cut for good", "application seen dead", -3),
        ("replication cut for good", "ready says unreachable", -3),
        ("replication cut", "process frozen", -1),
    ],
)
def test_the_loss_never_passes_its_bound(one: str, other: str, start: int) -> None:
    """H15: found by the certificate: a writer that outlives its application, and a late run."""
    for disaster in LOSSES:
        assert play(Timeline(disaster, ((one, start), (other, start)))).wrong == []


@pytest.mark.parametrize("other", ["describe throttled", "call arrives late"])
@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_a_switchover_is_never_taken_for_the_own_promotion(other: str, start: int) -> None:
    """H24: found by the certificate: it was adopted where Describe showed it late."""
    for disaster in LOSSES:
        played = play(Timeline(disaster, (("switchover", start), (other, start))))
        assert not played.missed, played.timeline


def test_only_an_accepted_call_moves_traffic() -> None:
    """H33: a refused one doesn't, and the judge would see it; a person's call that RDS accepts and
    gives up does, as the controller's own."""
    refused = play(Timeline(f"{EAST} lost", (("promotion denied", 0),)))
    assert (refused.truth.switch, refused.wrong) == ("released", [])
    refused.truth.switch = "engaged"
    playing._judge(refused, 18)
    assert refused.wrong == ["the switch is engaged though nothing was promoted"]
    by_hand = Timeline(f"{EAST} lost", (("promoted by hand", 1), ("promotion fails", 1)))
    given_up = play(by_hand)
    assert (given_up.truth.switch, given_up.wrong) == ("engaged", [])
    assert given_up.west.state.stage == "failed"
    assert given_up.paged


@pytest.mark.parametrize("disaster", sorted(LOSSES))
def test_each_loss_is_recovered_within_the_budget(disaster: str) -> None:
    """N6: 480 s of them are AWS's; nothing but the loss happens."""
    played = play(Timeline(disaster))
    assert played.recovered is not None
    assert played.recovered <= 840
    assert played.truth.switch == "engaged"
    assert len(played.truth.accepted) == 1


def test_with_nothing_lost_nothing_is_called() -> None:
    """An hour's worth of healthy runs leaves both items watching and nobody paged."""
    played = play(Timeline(NOTHING, (("endpoint late", 44),)))
    assert (played.truth.accepted, played.west.pages) == ([], [])
    assert all(side.state.stage == "watching" for side in played.sides.values())


def facts(played: Played) -> tuple[object, ...]:
    """All that a timeline has come to: verdict, both items, pages and calls, and the truth."""
    sides = [(side.state, side.pages, side.copies, side.crashes) for side in played.sides.values()]
    judged_by = (played.missed, played.paged, played.sighted, played.deadline)
    return played.recovered, played.red, played.wrong, judged_by, sides, vars(played.truth)


def sample() -> list[Timeline]:
    """Random timelines, and singles and pairs with kills, overlaps, clocks and stale answers."""
    chance = random.Random(5)
    pairs = [Timeline(d, ((n, onset(n, d)),)) for d, n in zip(DISASTERS * 9, NAMES, strict=False)]
    for _ in range(40):
        start = chance.choice((-3, 0, 1, 2, 3, 4))
        faults = tuple((name, start) for name in chance.sample(NAMES, 2))
        pairs.append(Timeline(chance.choice(DISASTERS), faults))
    return [*map(timeline, range(12)), *pairs]


def test_speed_changes_no_result() -> None:
    """Kept warm-up, known runs and ``quick_replace`` come to the same as playing everything."""
    known = Known()
    for one in sample():
        slow = play(one, log=True)
        with quick(known):
            fast = play(one)
        assert facts(fast) == facts(slow), one
    assert quick_replace(Timeline(NOTHING), disaster="x") == Timeline("x")


def test_a_known_run_is_not_played_again() -> None:
    """The second time nothing is left to calculate but what acts on the world."""
    known, one = Known(), Timeline(f"{EAST} database lost", (("peering cut", 0),))
    played: list[str] = []

    def counted(state: State, observation: Observation, settings: Settings) -> Decision:
        decision = decide(state, observation, settings)
        played.append(decision.reason)
        return decision

    with pytest.MonkeyPatch.context() as patch, quick(known):
        first = play(one)
        patch.setattr(act, "decide", counted)
        again = play(one)
    assert facts(first) == facts(again)
    assert played
    assert all("promoting" in reason or "verifying" in reason for reason in played), played


def test_a_kill_meets_a_known_run() -> None:
    """A run that is known is played where a kill waits on its way."""
    with quick(Known()):
        play(Timeline(NOTHING, (("endpoint late", 5),)))
        killed = play(Timeline(NOTHING, (("killed before load", 5),)))
    assert killed.west.crashes == []


def test_a_timeline_that_is_played_quickly_runs_no_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    """What benches keep is about all sources that they run: the codec isn't among them."""

    def refuse(*_: object) -> None:
        raise AssertionError

    for module in (codec, ports, journal):
        for name in ("to_json", "from_json"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, refuse)
    with quick():
        assert play(Timeline(f"{EAST} lost")).recovered is not None
    with pytest.raises(AssertionError):
        play(Timeline(f"{EAST} lost"))


def test_a_sight_asks_for_known_faults_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that ``look`` asks for and ``SEEN`` lacks would make sights wrong: it fails."""
    monkeypatch.setattr(known_runs, "SEEN", known_runs.SEEN - {"readiness 0"})
    with quick(), pytest.raises(AssertionError, match="readiness 0"):
        play(Timeline(NOTHING, (("readiness 0", 1),)), log=True)


def test_a_verdict_that_fails_shows_its_timeline() -> None:
    """The simulator itself can fail: harm and lateness are found, and reported with a reason."""
    late = judged(Timeline(sorted(BY_DATABASE)[0], (("runs lost", 1), ("run lost", 4))))
    assert not late.wrong
    if late.failed:
        assert late.timeline
        assert late.argument
    held = play(Timeline(f"{EAST} lost", (("witness stuck", 0),)))
    assert held.deadline is None
    assert held.recovered is None
    assert not held.missed
    unpaged = play(Timeline(f"{EAST} lost", (("witness stuck", 0),)))
    unpaged.west.pages.clear()
    assert unpaged.missed
