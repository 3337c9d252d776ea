"""Each guard taken out once: a named scenario of the simulator, or one vector, then does harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from simulator.faults import NOTHING, REGION
from simulator.play import Timeline, play
from simulator.truth import EAST, WEST
from watch import DATABASE_LOST, REGION_LOST, SETTINGS, WRITER, armed, calls

from recovery import judge
from recovery.case import Guard
from recovery.model import Incident, Mode
from recovery.observation import DEAD, OwnCluster

SINGLE = replace(SETTINGS, instances=1)


def harm(timeline: Timeline) -> list[str]:
    """What a timeline did wrong over the truth; a refused call, or any call, with nothing lost."""
    played = play(timeline)
    called = ["a call that AWS refuses"] if played.truth.refused else []
    needless = ["a needless call"] if timeline.disaster == NOTHING and played.truth.accepted else []
    return [*played.wrong, *called, *needless]


def promotes(setup: Callable[[], bool]) -> list[str]:
    """A vector that must not call."""
    return ["called"] if setup() else []


def _unarmed() -> bool:
    watch = armed()
    watch.epoch = 2
    return calls(watch.run(3, **REGION_LOST))


def _unacknowledged() -> bool:
    watch = armed()
    watch.state = replace(watch.state, incident=Incident(1, None, -1, promoted=1))
    return calls(watch.run(3, **REGION_LOST))


def _stopped() -> bool:
    return calls(armed().run(3, **REGION_LOST, own_cluster=OwnCluster("stopped", 2, writer=False)))


def _writer() -> bool:
    watch = armed()
    watch.run(2, **REGION_LOST)
    return calls(watch.run(**REGION_LOST, own_cluster=WRITER))


def _slept() -> bool:
    watch = armed()
    watch.run(3, **{**REGION_LOST, "peer_application": DEAD, "own_cluster": None})
    return calls(watch.run(gap=9, **REGION_LOST))


def _unknown_loss() -> bool:
    watch = armed()
    watch.state = replace(watch.state, last_good=None)
    return calls(watch.run(3, **REGION_LOST))


def _peered(*names: str) -> Timeline:
    return Timeline(NOTHING, tuple((name, 0) for name in names))


SCENARIOS: dict[str, Callable[[], list[str]]] = {
    "mode_is_automatic": lambda: harm(Timeline(REGION, (), replace(SETTINGS, mode=Mode.NOTIFY))),
    "is_armed": lambda: promotes(_unarmed),
    "is_not_frozen": lambda: harm(Timeline(REGION, (("frozen", -3),))),
    "nothing_is_unacknowledged": lambda: promotes(_unacknowledged),
    "own_cluster_is_available": lambda: promotes(_stopped),
    "own_cluster_has_an_instance": lambda: harm(
        Timeline(REGION, ((f"{WEST} without instance", 1),))
    ),
    "own_cluster_is_a_reader": lambda: promotes(_writer),
    "global_cluster_agrees": lambda: harm(Timeline(REGION, ((f"{WEST} detached", 1),))),
    "no_other_failover_runs": lambda: harm(Timeline(REGION, (("switchover ends", 1),))),
    "versions_are_not_unequal": lambda: harm(Timeline(REGION, (("versions differ", -8),))),
    "permissions_are_proven": lambda: harm(Timeline(REGION, (("permission lost", -8),))),
    "silence_is_recent": lambda: promotes(_slept),
    "writer_answers_nothing": lambda: harm(
        _peered("replication cut for good", "application seen dead", "witness wrong")
    ),
    "reader_stands_still": lambda: harm(_peered("peering cut", f"{EAST} bad deploy")),
    "application_is_dead": lambda: harm(
        _peered("peering cut", "replication cut for good", "witness wrong", f"{EAST} flaps")
    ),
    "witness_agrees": lambda: harm(
        _peered("peering cut", "replication cut for good", "application seen dead")
    ),
    "ready_says_unreachable": lambda: harm(
        Timeline(
            NOTHING,
            (("peering cut", 0), ("replication cut for good", 0), (f"{EAST} restarts", 3)),
        )
    ),
    "writer_has_a_replica": lambda: harm(
        Timeline(NOTHING, ((f"{EAST} restarts for long", 0),), SINGLE)
    ),
    "no_hold_is_announced": lambda: harm(
        Timeline(NOTHING, (("deploy holds", 0), (f"{EAST} restarts for long", 0)))
    ),
    "loss_is_known": lambda: promotes(_unknown_loss),
    "loss_is_acceptable": lambda: harm(Timeline(REGION, (("replication cut for good", -8),))),
}
"""By guard: what it prevents. Empty with all guards in place."""


def without(guards: tuple[Guard, ...], name: str) -> tuple[Guard, ...]:
    """The same guards, one of them always satisfied."""
    return tuple(guard for guard in guards if guard.__name__ != name)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_guard_that_is_taken_out_is_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariants: with the guard its scenario does no harm, without it the harm is done."""
    assert SCENARIOS[name]() == []
    monkeypatch.setattr(judge, "SHARED", without(judge.SHARED, name))
    for table in ("PROOFS", "CONDITIONS"):
        lighter = {path: without(guards, name) for path, guards in getattr(judge, table).items()}
        monkeypatch.setattr(judge, table, lighter)
    assert SCENARIOS[name]() != []


def test_every_guard_has_a_scenario() -> None:
    """No guard stands in a table without a scenario that needs it."""
    tables = (judge.SHARED, *judge.PROOFS.values(), *judge.CONDITIONS.values())
    assert {guard.__name__ for table in tables for guard in table} == SCENARIOS.keys()


def test_sight_of_oneself_is_a_guard_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """H5: without the check for blindness a region that can't serve is promoted."""
    timeline = Timeline(REGION, ((f"{WEST} balancer down for long", 0),))
    assert harm(timeline) == []
    monkeypatch.setattr("recovery.decide.blindness", lambda _: "")
    assert "the target can't serve" in harm(timeline)


def test_counting_by_scheduled_minutes_is_a_guard_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """H31: counted by invocations, a one-minute restart becomes a loss."""

    def restart() -> bool:
        watch = armed()
        watch.run(**DATABASE_LOST)
        return any(calls(watch.run(gap=0, **DATABASE_LOST)) for _ in range(6))

    assert not restart()
    monkeypatch.setattr("recovery.decide.counts", lambda *_: True)
    assert restart()
