"""N6: the recovery budget and its refusal."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapstack.budget import (
    CONTROLLER_PERIOD_SECONDS,
    OBJECTIVE_SECONDS,
    Piece,
    check_budget,
    recovery_budget,
)
from tapstack.errors import SettingsError
from tapstack.settings import Settings

CONFIG = {"TapStack:environmentSuffix": "test", "aws:region": "us-east-1"}


def test_the_default_configuration_keeps_the_promises():
    """N6, R3.2: 100 s to decide, 160 s with a cached answer, writes and data within 15 min."""
    budget = Settings.of("dev", CONFIG).budget
    assert budget.traffic[0].seconds == 100
    assert budget.traffic_rto == 160
    assert budget.write_rto <= OBJECTIVE_SECONDS
    assert budget.rpo == OBJECTIVE_SECONDS


def test_a_configuration_above_the_objective_is_refused_with_its_pieces():
    """N6: refused by the settings, so at every preview and every bare ``pulumi up``."""
    with pytest.raises(
        SettingsError,
        match=r"RTO 1040 s .* 900 s: Route 53's verdict \(30 s x 10 probes\) 380 s .* run 60 s",
    ):
        Settings.of("dev", {**CONFIG, "global:healthCheckThreshold": "10"})


def test_the_pieces_of_the_default_budget():
    """N6, RECOVERY (3): each piece in seconds; one lost run is within 15 min."""
    budget = recovery_budget(30, 3)
    assert [piece.seconds for piece in budget.traffic] == [100, 60]
    assert [piece.seconds for piece in budget.writes] == [240, 30, 480, 60, 30]
    assert [piece.seconds for piece in budget.data] == [60, 900, 300]
    assert budget.as_dict()["write_rto_seconds"] == 840
    assert budget.as_dict()["write_rto_with_a_lost_run_seconds"] == 900
    assert budget.as_dict()["objective_seconds"] == 900


@pytest.mark.parametrize("which", ["writes", "data"])
def test_the_objective_itself_is_kept_and_one_second_more_is_not(which):
    """N6: 15 minutes is the promise, so 900 s pass and 901 s don't."""
    lost = CONTROLLER_PERIOD_SECONDS if which == "writes" else 0
    kept = replace(recovery_budget(30, 3), **{which: (Piece("all", OBJECTIVE_SECONDS - lost),)})
    check_budget(kept)
    missed = replace(kept, **{which: (Piece("all", OBJECTIVE_SECONDS - lost + 1),)})
    with pytest.raises(SettingsError, match="901 s is above the objective of 900 s"):
        check_budget(missed)


def test_an_rpo_above_the_objective_is_refused():
    """N6: the largest piece decides."""
    budget = replace(recovery_budget(30, 3), data=(Piece("object replication", 901),))
    with pytest.raises(SettingsError, match=r"RPO 901 s is above .* object replication 901 s"):
        check_budget(budget)


@given(st.sampled_from([10, 30]), st.integers(1, 9))
def test_more_patience_never_makes_recovery_faster(interval, threshold):
    """N6: the budget grows with the threshold, and writes never recover before traffic."""
    budget, patient = recovery_budget(interval, threshold), recovery_budget(interval, threshold + 1)
    assert patient.traffic_rto - budget.traffic_rto == interval
    assert patient.write_rto >= budget.write_rto > budget.traffic_rto


def test_every_piece_is_named():
    """N6: whoever reads a refusal or docs/recovery.md finds each second's reason."""
    budget = recovery_budget(30, 3)
    assert budget.as_dict() == {
        "objective_seconds": 900,
        "traffic_rto_seconds": 160,
        "write_rto_seconds": 840,
        "write_rto_with_a_lost_run_seconds": 900,
        "rpo_seconds": 900,
        "traffic": (
            {"name": "health decision (30 s x 3 probes)", "seconds": 100},
            {"name": "record TTL", "seconds": 60},
        ),
        "writes": (
            {"name": "proof of the loss (4 runs)", "seconds": 240},
            {"name": "the run that decides", "seconds": 30},
            {"name": "promotion of the standby database", "seconds": 480},
            {"name": "the next run, which sees it", "seconds": 60},
            {"name": "proof that writes work", "seconds": 30},
        ),
        "data": (
            {"name": "database replication lag", "seconds": 60},
            {"name": "object replication (S3 RTC)", "seconds": 900},
            {"name": "event delivery", "seconds": 300},
        ),
    }


def test_the_longer_of_runs_and_verdict_counts():
    """N6: where both are as long, the runs are; one probe more is waited for."""
    assert recovery_budget(10, 16).writes[0] == Piece("proof of the loss (4 runs)", 240)
    assert recovery_budget(10, 17).writes[0] == Piece("Route 53's verdict (10 s x 17 probes)", 250)


def test_a_refusal_adds_its_pieces_up():
    """N6: as a sum where they follow one another, as a list where the largest decides."""
    with pytest.raises(SettingsError, match=r"380 s \+ the run that decides 30 s \+ promotion"):
        check_budget(recovery_budget(30, 10))
    data = (Piece("lag", 60), Piece("objects", 901))
    with pytest.raises(SettingsError, match=r": lag 60 s, objects 901 s$"):
        check_budget(replace(recovery_budget(30, 3), data=data))
