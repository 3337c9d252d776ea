"""Runs of the controller as processes over a deployed lab, which are killed, overlap, or get AWS's
unkind answers: one accepted call, whatever ends when."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from application_database import application_user
from controller_rounds import KILLS, Round, by_hand
from deployed_lab import Lab
from lab_copies import a_deployed_lab
from psycopg.sql import SQL, Literal
from recovery_state import Controller
from region_outage import EAST, WEST, writer_region

from lab import client
from recovery.journal import broken
from recovery.model import WATCHES, Path

QUICK = 12.0
"""The database's heartbeat is seen changing between two runs."""
HELD_RUNS = 6
AT_ONCE = 4
"""``./inv bench controller_kills`` makes a hundred."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A deployed lab whose controllers only this file runs."""
    with a_deployed_lab(tmp_path_factory.mktemp("killed")) as made:
        by_hand(made)
        client.set_clock(made.state_dir, QUICK)
        yield made


@pytest.mark.long
def test_a_wrongly_rotated_password_pages_and_promotes_nothing(lab: Lab) -> None:
    """H28: the server refuses the application's password, in both regions: it answers, so it isn't
    dead, and the standby would refuse as well."""
    round_ = Round(lab, WEST)
    round_.prepare()
    change = SQL("ALTER ROLE CURRENT_USER PASSWORD {}")
    arn = lab.outputs["data.primary.application_secret_arn"]
    secret = json.loads(lab.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    with application_user(lab) as connection:
        connection.execute(change.format(Literal("of-nobody")))
        try:
            for _ in range(HELD_RUNS):
                round_.run()
        finally:
            connection.execute(change.format(Literal(secret["password"])))
    state = Controller(lab, WEST).state
    assert (round_.answers, state.stage in WATCHES, writer_region(lab)) == ([], True, EAST)
    assert "unknown:writer_sql" in {sent.key for sent in state.raised}


@pytest.mark.long
def test_a_run_killed_at_each_step_promotes_once(lab: Lab) -> None:
    """H10, N3: a database is lost, and the runs that promote its standby are killed before and
    after intent, call, record, switch, verify and notice, one after the other: one accepted call, a
    proven writer, the switch engaged, the epoch grown once, people notified, the journal whole."""
    round_ = Round(lab, WEST)
    round_.prepare()
    round_.lose()
    round_.promote(KILLS)
    assert tuple(round_.killed) == KILLS
    assert round_.answers.count("accepted") == 1
    state = Controller(lab, WEST).state
    assert state.incident is not None
    assert (state.incident.path, state.epoch, writer_region(lab)) == (Path.DATABASE, 2, WEST)
    switch = lab.client("ssm", WEST).get_parameter(
        Name=f"/warm-standby/{WEST}/lab/local/failover-switch"
    )
    assert switch["Parameter"]["Value"] == "engaged"
    assert "promoted" in {sent.key for sent in state.raised}
    assert broken(Controller(lab, WEST).journal()) == ""
    round_.give_back()


@pytest.mark.long
def test_runs_at_once_promote_once(lab: Lab) -> None:
    """H9, H31: mirrored: us-west-2's database is lost, and four runs of us-east-1's controller
    overlap in each minute: one accepted call."""
    round_ = Round(lab, EAST)
    round_.prepare()
    round_.lose()
    round_.promote(at_once=AT_ONCE)
    assert round_.answers.count("accepted") == 1
    assert writer_region(lab) == EAST
    assert Controller(lab, EAST).state.epoch == Controller(lab, WEST).state.epoch + 1
    round_.give_back()


@pytest.mark.long
def test_throttled_answers_hold_and_an_unclear_call_is_adopted(lab: Lab) -> None:
    """H11, H12: while Describe is throttled nothing is called and people are paged; then the call
    answers InternalFailure and was accepted: the next runs adopt it, and make no second one."""
    round_ = Round(lab, WEST)
    round_.prepare()
    for fault in ("describe-throttled", "failover-internal-failure"):
        client.fault(lab.state_dir, fault)
    round_.lose()
    for _ in range(HELD_RUNS):
        round_.run()
    assert round_.answers == []
    paged = {sent.key for sent in Controller(lab, WEST).state.raised}
    assert {"unknown:describe_global", "unknown:own_cluster"} <= paged
    client.fault(lab.state_dir, "describe-throttled", "off")
    round_.promote()
    assert round_.answers == ["unclear"]
    round_.give_back()


@pytest.mark.long
def test_descriptions_that_stay_stale_delay_no_proof(lab: Lab) -> None:
    """H29: the lost region's API is gone with it, and Describe still shows what was, the own
    region's too: promoted once, and proven by a write."""
    round_ = Round(lab, EAST)
    round_.prepare()
    client.fault(lab.state_dir, "describe-stale")
    round_.lose("api")
    round_.promote()
    assert round_.answers.count("accepted") == 1
    round_.give_back()
    assert writer_region(lab) == EAST
