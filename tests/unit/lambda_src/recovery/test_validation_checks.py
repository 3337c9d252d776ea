"""Each check of the validator goes red by what it checks, and by nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from validated import DAY, NOW, READY, REFUSED, SILENT, member

import alarm_specs
from recovery import checks
from recovery.checks import CHECKS, Result, examine
from recovery.facts import Crossing, Facts, Standing
from recovery.observation import GlobalCluster, Reader, Validation, Witness
from recovery.parameter_plan import Setting
from recovery.verdict import validation_of
from tapstack import budget

WRITES = replace(READY, region="us-east-1", peer="us-west-2", own=READY.other, other=READY.own)
"""The same as us-east-1's validator finds it."""
SLOW = Reader(1, 1, 1, lag_seconds=301, epoch=1)


def results(facts: Facts) -> dict[str, Result]:
    """Each check's result."""
    return {finding.check: finding.result for finding in examine(facts)}


def not_passed(facts: Facts) -> dict[str, Result]:
    """The results that aren't ``passed``."""
    return {name: one for name, one in results(facts).items() if one is not Result.PASSED}


@pytest.mark.parametrize("facts", [READY, WRITES], ids=["standby", "writer"])
def test_every_check_passes_where_a_failover_would_work(facts: Facts) -> None:
    """Issue 19.1: score 1, and no check is left out."""
    assert results(facts) == dict.fromkeys(CHECKS, Result.PASSED)


BROKEN: dict[str, list[dict[str, Any]]] = {
    "standby": [{"own_ready": {"replication": "replication_stale"}}, {"own_ready": SILENT}],
    "secrets": [
        {"other_secrets": {"token": "a", "application": "c"}},
        {"other_secrets": {"token": "a"}},
        {"own_secrets": REFUSED},
        {"other_secrets": REFUSED},
    ],
    "parameters": [
        {"own_parameters": {**READY.own_parameters, "port": Setting("1", NOW - DAY)}},  # type: ignore[dict-item]
        {"other_parameters": {}},
        {"own_parameters": {}, "other_parameters": {}},
        {"own_parameters": SILENT},
        {"other_parameters": REFUSED},
    ],
    "rows": [{"reader": SLOW}, {"reader": SILENT}],
    "objects": [
        {"objects": Crossing(NOW - 1201, 0)},
        {"objects": Crossing(NOW - DAY, NOW - 1201)},
        {"objects": REFUSED},
    ],
    "events": [
        {"events": Crossing(NOW - 301, 0)},
        {"events": Crossing(NOW - DAY, NOW - 601)},
        {"events": REFUSED},
    ],
    "versions": [{"other": member(writer=True, version="16.9")}],
    "capacity": [{"own": replace(member(writer=False), classes=("db.r6g.xlarge",))}],
    "quotas": [{"own_quota": 10}, {"own_quota": SILENT}, {"other_quota": REFUSED}],
    "instance": [{"own": member(writer=False, available=0)}],
    "permissions": [{"denied": ("rds:FailoverGlobalCluster on a",)}, {"denied": REFUSED}],
    "alarms": [{"unarmed": ("alarm-a",)}, {"unarmed": SILENT}],
    "witness": [{"witness": Witness.UNKNOWN}, {"witness": SILENT}],
    "subscription": [{"subscriptions": 0}, {"subscriptions": SILENT}],
    "backup": [{"backup": 0.0}, {"backup": NOW - 31 * 3600}, {"backup": SILENT}],
    "guard": [{"standing": Standing(armed=False, frozen_by="")}],
    "freeze": [{"standing": Standing(armed=True, frozen_by="ada")}],
}


@pytest.mark.parametrize(
    ("check", "broken"),
    [(check, broken) for check, found in BROKEN.items() for broken in found],
)
def test_a_check_goes_red_by_what_it_checks_alone(check: str, broken: dict[str, Any]) -> None:
    """Issue 19: broken once, one check fails, and the reason reaches the validation."""
    facts = replace(READY, **broken)
    assert not_passed(facts) == {check: Result.FAILED}
    found = validation_of(examine(facts), facts, 7, None)
    assert (found.ready, len(found.reasons)) == (False, 1)
    assert found.reasons[0].startswith(f"{check}: ")


def test_every_check_was_broken() -> None:
    """A new check needs what breaks it."""
    assert set(BROKEN) == set(CHECKS)


def test_own_facts_that_are_missing_fail_what_needs_them() -> None:
    """A region that can't describe its own cluster proves nothing about it."""
    assert set(not_passed(replace(READY, own=SILENT))) == {
        "versions", "capacity", "instance", "backup",
    }  # fmt: skip


LOST: dict[str, Any] = {
    "other": SILENT, "other_ready": SILENT, "other_secrets": SILENT, "other_parameters": SILENT,
    "other_quota": SILENT, "objects": SILENT, "events": SILENT, "denied": SILENT,
}  # fmt: skip


def test_a_lost_region_lowers_nothing_in_the_standby() -> None:
    """recovery.md 3: checks that couldn't ask the other region never lower the mode, or the loss
    itself would disarm us; rows stand still because nobody writes any."""
    facts = replace(READY, **LOST, reader=SLOW)
    assert set(not_passed(facts).values()) == {Result.NOT_ASKED}
    found = validation_of(examine(facts), facts, 7, None)
    assert (found.ready, found.reasons, found.versions_equal) == (True, (), None)
    assert len(found.notes) == 9


def test_a_lost_standby_is_not_ready_for_the_writer() -> None:
    """Where this region writes, a standby that doesn't answer is the fault itself."""
    failed = not_passed(replace(WRITES, **LOST))
    assert failed.pop("permissions") is Result.NOT_ASKED
    assert set(failed.values()) == {Result.FAILED}
    assert {"standby", "instance", "secrets", "events"} <= set(failed)


@pytest.mark.parametrize(
    "broken",
    [
        {"global_cluster": GlobalCluster(True, True, True, peer_connected=False)},
        {"global_cluster": SILENT},
    ],
)
def test_a_writer_without_a_connected_standby_is_unprotected(broken: dict[str, Any]) -> None:
    """recovery.md 2: readiness 0 until the standby is back."""
    assert not_passed(replace(WRITES, **broken)) == {"guard": Result.FAILED}


def test_the_writers_own_ready_and_reader_are_not_the_standbys() -> None:
    """The checks are about the standby, whichever region asks."""
    facts = replace(WRITES, own_ready=SILENT, reader=SILENT)
    assert not_passed(facts) == {}
    assert not_passed(replace(WRITES, other_ready={"bus": "gone"})) == {"standby": Result.FAILED}


def test_a_larger_quota_in_the_standby_is_no_fault() -> None:
    """It is the standby that must carry what the writer's region carries now."""
    assert not_passed(replace(READY, own_quota=2000)) == {}
    assert not_passed(replace(WRITES, own_quota=2000)) == {"quotas": Result.FAILED}


def test_a_parameter_that_was_just_changed_is_on_its_way() -> None:
    """Trap 28: the full synchronisation carries what an event lost; until then nothing is wrong."""
    changed = {**READY.own_parameters, "port": Setting("1", NOW - 899)}  # type: ignore[dict-item]
    assert not_passed(replace(READY, own_parameters=changed)) == {}
    assert not_passed(replace(READY, other_parameters=changed)) == {}


def test_markers_on_their_way_are_no_fault_yet() -> None:
    """S3 promises a quarter of an hour, and nothing for the first minutes of a rule."""
    waiting = replace(READY, objects=Crossing(NOW - 900, 0), events=Crossing(NOW - 300, 0))
    assert not_passed(waiting) == {}
    between = replace(READY, objects=Crossing(NOW - DAY, NOW - 1200), events=Crossing(1, NOW - 600))
    assert not_passed(between) == {}
    assert not_passed(replace(READY, objects=None)) == {}


def test_a_young_environment_is_excused_from_its_first_backup_and_says_so() -> None:
    """Issue 19.1: no night has passed yet; the note says it, and the score is 1."""
    facts = replace(READY, backup=0.0, own=member(writer=False, age=DAY))
    assert not_passed(facts) == {"backup": Result.EXCUSED}
    found = validation_of(examine(facts), facts, 7, None)
    assert found.ready
    assert found.notes == ("backup: no backup yet: the environment is younger than 30 h",)


def test_what_the_controller_asks_of_a_validation() -> None:
    """recovery.md 3: version, witness, subscription and permissions are their own conditions."""
    found = validation_of(examine(READY), READY, 7, None)
    assert found == Validation(
        began=7, ready=True, permissions_proven=True, witness_readable=True,
        subscription_confirmed=True, engine_version="16.8", versions_equal=True, proven_at=7,
    )  # fmt: skip
    facts = replace(
        READY, own=SILENT, denied=("a",), witness=Witness.UNKNOWN, subscriptions=0
    )  # fmt: skip
    found = validation_of(examine(facts), facts, 8, None)
    assert not (found.permissions_proven or found.witness_readable or found.subscription_confirmed)
    assert (found.engine_version, found.versions_equal) == ("unknown", None)


@pytest.mark.parametrize(
    ("proven_at", "proven"), [(100, True), (100 - 24 * 60, True), (99 - 24 * 60, False)]
)
def test_a_proof_of_permissions_counts_for_a_day(proven_at: int, proven: bool) -> None:
    """Trap 10: IAM answers from us-east-1 alone, so its silence keeps the last proof a day."""
    before = replace(validation_of(examine(READY), READY, 50, None), proven_at=proven_at)
    facts = replace(READY, denied=SILENT)
    found = validation_of(examine(facts), facts, 100, before)
    assert (found.permissions_proven, found.proven_at) == (proven, proven_at)
    assert not validation_of(examine(facts), facts, 100, None).permissions_proven
    unproven = replace(before, permissions_proven=False)
    assert not validation_of(examine(facts), facts, 100, unproven).permissions_proven


def test_limits_are_the_budgets_own() -> None:
    """N6: the package imports nothing of ours, so the numbers are compared here."""
    assert checks.OBJECT_SECONDS == budget.OBJECT_REPLICATION_SECONDS
    assert checks.EVENT_SECONDS == budget.EVENT_DELIVERY_ALARM_SECONDS
    assert checks.BACKUP_SECONDS == alarm_specs.BACKUP_HOURS * 3600
