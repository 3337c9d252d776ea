"""Issue 20: each guard that is taken out, and each deployment that is broken on purpose, fails a
drill with the cause named. The real controllers decide, over the recovery simulator's truth."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulated_drill import Broken, drilled
from simulator.faults import DATABASE, NOTHING, REGION
from simulator.play import SETTLED, Timeline
from simulator.truth import EAST, WEST

from ops.drill.judge import Judgement, Verdict
from recovery import judge
from recovery.case import Guard
from recovery.model import Mode

NEEDLESS = "1 promotions were called, and should be 0"
REFUSED = "calls were refused by AWS, which no guard held back"


def nothing_lost(*faults: str) -> Timeline:
    """Something is wrong, and the writer lives."""
    return Timeline(NOTHING, tuple((name, 0) for name in faults))


def lost(*faults: tuple[str, int]) -> Timeline:
    """The region is lost, and more is wrong."""
    return Timeline(REGION, faults)


INTACT = {
    "region-loss": lost(),
    "full-circle": lost(),
    "database-only": Timeline(DATABASE),
    "application-only": nothing_lost(f"{EAST} bad deploy"),
    "bad-deploy": nothing_lost(f"{EAST} bad deploy"),
    "flapping-health": nothing_lost(f"{EAST} flaps"),
    "peering-cut": nothing_lost("peering cut"),
    "hanging-dependency": nothing_lost("describe throttled"),
    "lag-above-limit": lost(("lag high", -8)),
    "loss-during-switchover": lost(("switchover ends", 0)),
    "fence-timeout": lost(("unfenced", 0)),
    "controller-stopped": lost(("killed after call", 3)),
}
"""Scenarios as the simulator plays them; the rest (replication behind, a planned change) needs a
database."""


@pytest.mark.parametrize("name", INTACT)
def test_an_intact_system_passes(name: str) -> None:
    """What fails below fails by what was taken out alone."""
    assert drilled(name, INTACT[name]) == Judgement(Verdict.PASSED)


GUARDS: dict[str, tuple[str, Timeline, str]] = {
    "mode_is_automatic": (
        "lag-above-limit",
        Timeline(REGION, (), replace(SETTLED, mode=Mode.NOTIFY)),
        NEEDLESS,
    ),
    "is_not_frozen": ("lag-above-limit", lost(("frozen", -3)), NEEDLESS),
    "own_cluster_has_an_instance": ("region-loss", lost((f"{WEST} without instance", 1)), REFUSED),
    "global_cluster_agrees": ("lag-above-limit", lost((f"{WEST} detached", 1)), REFUSED),
    "no_other_failover_runs": ("loss-during-switchover", lost(("switchover ends", 1)), REFUSED),
    "versions_are_not_unequal": ("lag-above-limit", lost(("versions differ", -8)), REFUSED),
    "permissions_are_proven": ("lag-above-limit", lost(("permission lost", -8)), REFUSED),
    "writer_answers_nothing": (
        "peering-cut",
        nothing_lost("replication cut for good", "application seen dead", "witness wrong"),
        NEEDLESS,
    ),
    "reader_stands_still": (
        "flapping-health",
        nothing_lost("peering cut", f"{EAST} bad deploy"),
        NEEDLESS,
    ),
    "application_is_dead": (
        "flapping-health",
        nothing_lost("peering cut", "replication cut for good", "witness wrong", f"{EAST} flaps"),
        NEEDLESS,
    ),
    "witness_agrees": (
        "peering-cut",
        nothing_lost("peering cut", "replication cut for good", "application seen dead"),
        NEEDLESS,
    ),
    "ready_says_unreachable": (
        "flapping-health",
        Timeline(
            NOTHING, (("peering cut", 0), ("replication cut for good", 0), (f"{EAST} restarts", 3))
        ),
        NEEDLESS,
    ),
    "writer_has_a_replica": (
        "flapping-health",
        Timeline(NOTHING, ((f"{EAST} restarts for long", 0),), replace(SETTLED, instances=1)),
        NEEDLESS,
    ),
    "no_hold_is_announced": (
        "flapping-health",
        nothing_lost("deploy holds", f"{EAST} restarts for long"),
        NEEDLESS,
    ),
    "loss_is_acceptable": ("lag-above-limit", lost(("lag high", -8)), NEEDLESS),
}
"""By guard: the scenario whose expectation it holds, how it comes about, and the cause as named."""

VECTORS = {
    "is_armed", "nothing_is_unacknowledged", "own_cluster_is_available", "own_cluster_is_a_reader",
    "silence_is_recent", "loss_is_known",
}  # fmt: skip
"""Guards against what is seen or remembered within one run: no outage of a drill brings it about,
so vectors hold them (test_guards.py)."""


def take_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One guard is satisfied by everything."""

    def lighter(guards: tuple[Guard, ...]) -> tuple[Guard, ...]:
        return tuple(guard for guard in guards if guard.__name__ != name)

    monkeypatch.setattr(judge, "SHARED", lighter(judge.SHARED))
    for table in ("PROOFS", "CONDITIONS"):
        changed = {path: lighter(guards) for path, guards in getattr(judge, table).items()}
        monkeypatch.setattr(judge, table, changed)


@pytest.mark.parametrize("name", GUARDS)
def test_a_guard_that_is_taken_out_fails_a_drill(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 20: with the guard that cause isn't named, without it the drill fails by it."""
    scenario, timeline, cause = GUARDS[name]
    assert not any(cause in reason for reason in drilled(scenario, timeline).reasons)
    take_out(name, monkeypatch)
    found = drilled(scenario, timeline)
    assert found.verdict is Verdict.FAILED
    assert any(cause in reason for reason in found.reasons), found.reasons


def test_every_guard_fails_a_drill_or_a_vector() -> None:
    """None is forgotten."""
    tables = (judge.SHARED, *judge.PROOFS.values(), *judge.CONDITIONS.values())
    assert {guard.__name__ for table in tables for guard in table} == GUARDS.keys() | VECTORS


DEPLOYMENTS: dict[str, tuple[str, Timeline, Broken, str]] = {
    "no failover record": (
        "region-loss", lost(), Broken(no_failover_record=True),
        "requests didn't recover while it was watched",
    ),
    "no route over the peering": (
        "application-only", INTACT["application-only"], Broken(no_route_over_the_peering=True),
        "writes didn't recover while it was watched",
    ),
    "no rule that forwards events": (
        "region-loss", lost(), Broken(forwards_no_events=True),
        "events of kept rows are in one region alone",
    ),
    "no rule that replicates objects": (
        "region-loss", lost(), Broken(replicates_no_objects=True),
        "objects of kept rows are in one region alone",
    ),
    "no schedule of the controller": (
        "region-loss", Timeline(REGION, (("no runs", -1),), minutes=(("no runs", 60),)), Broken(),
        "0 promotions were called, and should be 1",
    ),
    "no permission to promote": (
        "region-loss", lost(("promotion denied", -8)), Broken(), REFUSED,
    ),
    "a standby that isn't ready": (
        "region-loss", lost(("readiness 0", -8)), Broken(),
        "0 promotions were called, and should be 1",
    ),
    "no replication of the database": (
        "region-loss", lost(("replication cut for good", -8)), Broken(),
        "us-east-1 writes, and us-west-2 should",
    ),
    "a witness that nobody updates": (
        "region-loss", lost(("witness stuck", -8)), Broken(),
        "0 promotions were called, and should be 1",
    ),
    "one instance in us-east-1": (
        "database-only", Timeline(DATABASE, (), replace(SETTLED, instances=1)), Broken(),
        "0 promotions were called, and should be 1",
    ),
}  # fmt: skip
"""What is wrong in a deployment: the scenario that shows it, and the cause as named."""


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_broken_deployment_fails_a_drill(name: str) -> None:
    """Issue 20: it was deployed, it looks whole, and the drill says what is wrong."""
    scenario, timeline, broken, cause = DEPLOYMENTS[name]
    found = drilled(scenario, timeline, broken)
    assert found.verdict is Verdict.FAILED
    assert any(cause in reason for reason in found.reasons), found.reasons
