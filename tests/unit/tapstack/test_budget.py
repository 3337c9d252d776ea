"""N6: the recovery budget and its refusal."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapstack.budget import OBJECTIVE_SECONDS, Piece, check_budget, recovery_budget
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
    """N6: refused by the settings, so at every preview and every bare `pulumi up`."""
    with pytest.raises(
        SettingsError, match=r"RTO 910 s .* 900 s: health decision .* record TTL 60"
    ):
        Settings.of("dev", {**CONFIG, "global:healthCheckThreshold": "10"})


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
    assert budget.write_rto > budget.traffic_rto
